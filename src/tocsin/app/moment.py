"""Points in time as people write them, ISO 8601 or relative to now, and durations in words."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RELATIVE = re.compile(r"now(?:-(\d{1,6})([smhdw]))?")


def parse_moment(text: str, now: datetime | None = None, zone: tzinfo = UTC) -> datetime:
    """``2026-11-21T10:00:00Z``, ``2026-11-21``, ``now`` or ``now-24h`` (s m h d w) as aware UTC.

    A time that says no offset is one of ``zone``. Raises ValueError with what is allowed.
    """
    moment = now or datetime.now(UTC)
    relative = _RELATIVE.fullmatch(text.strip())
    if relative:
        amount, unit = relative.groups()
        return moment - timedelta(**{_UNITS[unit]: int(amount)}) if amount else moment
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is not a time; write 2026-11-21T10:00:00Z, 2026-11-21, now or now-24h"
        ) from None
    try:
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is beyond the years 1 to 9999") from None


def span(duration_s: float) -> str:
    """A duration in its two largest units: ``3 h 20 min``."""
    left = max(0, int(duration_s))
    parts: list[str] = []
    for length, unit in _SPANS:
        if left >= length and len(parts) < 2:
            parts.append(f"{left // length} {unit}")
            left %= length
        elif parts:
            break
    return " ".join(parts) or "0 s"
