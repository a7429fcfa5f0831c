"""The text of a field's value: what every Sigma pattern is compared with."""

import re
from datetime import UTC, date, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LARGEST_WHOLE_FLOAT = 2.0**63

Address = IPv4Address | IPv6Address


def text_of(value: object) -> str | None:
    """The one text of a scalar value; None for objects and lists, which have none.

    Whole floats read as integers (``4624.0`` is ``4624``: a column with gaps may turn numbers
    into floats), booleans as ``true`` and ``false``, times as ISO 8601.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < _LARGEST_WHOLE_FLOAT
        return str(int(value)) if whole else repr(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime | date):
        return value.isoformat()
    if value is None or isinstance(value, dict | list | tuple):
        return None
    return str(value)


def number_in(text: str) -> int | float | None:
    """The decimal number ``text`` is, or None."""
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)


def address_in(text: str) -> Address | None:
    """The IP address ``text`` is, IPv4-mapped IPv6 as IPv4; or None."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def time_part_in(text: str, part: str) -> int | None:
    """``part`` (minute, hour, day, week, month, year) of an ISO 8601 time, or None.

    A time with a zone is read in UTC; the week is that of ISO 8601.
    """
    if len(text) < 8 or text.isdecimal():
        return None  # epoch numbers: their unit is anyone's guess
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.isocalendar().week if part == "week" else int(getattr(moment, part))
