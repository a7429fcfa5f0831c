"""One syslog message into fields: RFC 5424, RFC 3164 and what modern rsyslog writes to files."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"),
    *("authpriv", "ftp", "ntp", "audit", "alert", "clock"),
    *(f"local{number}" for number in range(8)),
)
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")

_PRIORITY = re.compile(r"<(\d{1,3})>")
_RFC5424 = re.compile(r"1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) (?=[-\[])")
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BSD = rf"({'|'.join(MONTHS)}) {{1,2}}(\d{{1,2}}) (?:(\d{{4}}) )?(\d\d):(\d\d):(\d\d)(\.\d{{1,9}})?"
_TAI64N = r"@(?P<tai>[0-9a-f]{24})"
_STAMP = re.compile(rf"(?:(?P<iso>{_ISO})|[*.]?(?P<bsd>{_BSD})|{_TAI64N}):? ")
_NAMED_PRIORITY = re.compile(r" *<([a-z]{2,8}\d?)\.([a-z]{3,7})> ")
_TAG = re.compile(r"([^\s\[\]:={][^\s\[\]:=]{0,63})(?:\[([^\]\s]{1,64})\])?: ?")
_LOOSE_TAG = re.compile(
    r"(?:([A-Za-z_][\w./()-]{0,63}) ?\[(\d{1,10})\]:? (?=\S)"
    r"|\[([a-z_][a-z0-9_./()-]{0,63})\](?:\[(\d{1,10})\])?:? (?=\S)"
    r"|([A-Za-z_][\w./-]{0,48}\(pam_\w{1,16}\)):? (?=\S))"
)
"""A tag without its colon, with a blank before the process, or in brackets: daemons write those."""
_UNSTAMPED = re.compile(r"([A-Za-z0-9][\w.-]{0,254}) ([A-Za-z_][\w./-]{0,63})\[(\d{1,10})\]: ")
_HOST = re.compile(r"([^\s]{1,255}) +")
_RELAYED = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) "
    r"((?:\d{1,3}\.){3}\d{1,3}|[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,9}) +"
    r"(?=[{\d,]|\w+(?:,\w+)+ )"
)
"""What rsyslog writes of a sender without a tag: a time with zone, an address or a full name."""
_NOT_HOSTS = frozenset(
    {
        *("TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING"),
        *("ERROR", "ERR", "CRITICAL", "FATAL", "SEVERE"),
    }
)
_LAST_PRIORITY = 191
_TAI_AHEAD_S = 10
_LAST_TAI_S = 1 << 33
_PARAMETER = re.compile(r' +([^\s=\]"]{1,255})="((?:[^"\\]|\\.)*+)"', re.DOTALL)
_ELEMENT = re.compile(r"\[([^\s=\]\"]{1,255})")
_ESCAPE = re.compile(r'\\(["\\\]])')


def read_syslog(text: str, received_at: datetime) -> dict[str, Any] | None:
    """The fields of a syslog message, or None when ``text`` is none.

    ``facility`` and ``severity`` are the keywords of RFC 5424 §6.2.1 (only with a priority),
    ``timestamp`` is ISO 8601; a header without a year gets the one that puts it nearest before
    ``received_at`` (at most a day after), without a zone it is taken as UTC. ``pid`` is an int;
    a PROCID that is not a number stays text in ``procid``. Nil values are left out.
    """
    fields: dict[str, Any] = {}
    at = 0
    priority = _PRIORITY.match(text)
    if priority:
        names = priority_names(int(priority[1]))
        if names is None:
            return None
        fields["facility"], fields["severity"] = names
        at = priority.end()
        header = _RFC5424.match(text, at)
        if header:
            return _read_5424(text, header, fields)
    stamp = _STAMP.match(text, at)
    if stamp is None:
        if priority is None:
            return _read_unstamped(text)
        fields["message"] = text[at:]
        return fields
    timestamp = _time(stamp, received_at)
    if timestamp is None:
        return fields | {"message": text[at:]} if priority else None
    fields["timestamp"] = timestamp
    rest = stamp.end()
    named = _NAMED_PRIORITY.match(text, rest)  # as BSD's syslogd writes with -v
    if named and named[1] in FACILITIES and named[2] in SEVERITIES:
        fields["facility"], fields["severity"] = named.groups()
        rest = named.end()
    strict = priority is None and stamp["iso"] is not None  # many other logs begin so, too
    if strict and (relayed := _RELAYED.match(text)):
        fields["hostname"] = relayed[1]
        return fields | {"message": text[relayed.end() :].lstrip(" ")}
    return _read_tag(text, rest, fields, strict=strict)


def priority_names(value: int) -> tuple[str, str] | None:
    """Facility and severity; None where the number is none of a priority."""
    return (FACILITIES[value >> 3], SEVERITIES[value & 7]) if value <= _LAST_PRIORITY else None


def time_of(stamp: str, received_at: datetime) -> str | None:
    """The time a header begins with, as ``read_syslog`` gives it; None when it is none."""
    found = _STAMP.fullmatch(f"{stamp} ")
    return None if found is None else _time(found, received_at)


def is_no_host(word: str) -> bool:
    """True for words that other logs have where a header has a host or a program."""
    return word in _NOT_HOSTS


def _time(stamp: re.Match[str], received_at: datetime) -> str | None:
    return (
        stamp["iso"]
        or _tai_time(stamp["tai"])
        or _bsd_time(stamp.group(*range(3, 10)), received_at)
    )


def _read_unstamped(text: str) -> dict[str, Any] | None:
    """``host program[pid]: message``, as ``journalctl -o short`` is when its times are cut off."""
    found = _UNSTAMPED.match(text)
    if found is None or found[1] in _NOT_HOSTS:
        return None
    fields = {"hostname": found[1], "program": found[2], "pid": int(found[3])}
    return fields | {"message": text[found.end() :].lstrip(" ")}


def _read_tag(text: str, at: int, fields: dict[str, Any], *, strict: bool) -> dict[str, Any] | None:
    tag = _TAG.match(text, at) or _LOOSE_TAG.match(text, at)
    if tag is None or strict:
        host = _HOST.match(text, at)
        if host:
            fields["hostname"] = host[1]
            at = host.end()
            if text.startswith(f"{host[1]} ", at):  # some routers name themselves twice
                at += len(host[1]) + 1
            tag = _TAG.match(text, at) or _LOOSE_TAG.match(text, at)
        if strict and (tag is None or host is None or not _is_header(host[1], tag)):
            return None
    if tag:
        fields["program"], process = _tag_of(tag)
        _put_pid(fields, process)
        at = tag.end()
    fields["message"] = text[at:].lstrip(" ") if tag else text[at:]
    return fields


def _is_header(host: str, tag: re.Match[str]) -> bool:
    """Many other logs begin with a time, then say how serious it is and where it was written."""
    named = host[0] != "[" and "/" not in host
    return named and host not in _NOT_HOSTS and _tag_of(tag)[0] not in _NOT_HOSTS


def _tag_of(tag: re.Match[str]) -> tuple[str, str | None]:
    """The program and its process, whichever way the tag is written."""
    parts = [part for part in tag.groups() if part is not None]
    return parts[0], parts[1] if len(parts) > 1 else None


def _read_5424(text: str, header: re.Match[str], fields: dict[str, Any]) -> dict[str, Any]:
    names = ("timestamp", "hostname", "program", "procid", "msgid")
    for name, value in zip(names, header.groups(), strict=True):
        if value == "-":
            continue
        if name == "procid":
            _put_pid(fields, value)
        else:
            fields[name] = value
    data, at = _structured_data(text, header.end())
    if data:
        fields["structured_data"] = data
    fields["message"] = text[at:].removeprefix(" ").removeprefix("\ufeff")
    return fields


def _structured_data(text: str, at: int) -> tuple[dict[str, dict[str, str]], int]:
    """SD-ELEMENTs by their id (RFC 5424 §6.3) and where they end; malformed ones stay message."""
    if text.startswith("-", at):
        return {}, at + 1
    data: dict[str, dict[str, str]] = {}
    while element := _ELEMENT.match(text, at):
        parameters: dict[str, str] = {}
        end = element.end()
        while parameter := _PARAMETER.match(text, end):
            parameters[parameter[1]] = _ESCAPE.sub(r"\1", parameter[2])
            end = parameter.end()
        if not text.startswith("]", end):
            break
        data.setdefault(element[1], {}).update(parameters)
        at = end + 1
    return data, at


def _put_pid(fields: dict[str, Any], value: str | None) -> None:
    if value is None:
        return
    if value.isascii() and value.isdigit() and len(value) < 19:
        fields["pid"] = int(value)
    else:
        fields["procid"] = value


def _tai_time(label: str | None) -> str | None:
    """A TAI64N label (multilog, s6): seconds of TAI from 2^62, then nanoseconds.

    Without a table of leap seconds, which most systems lack, tools add the ten of 1970.
    """
    if label is None:
        return None
    seconds = int(label[:16], 16) - (1 << 62) - _TAI_AHEAD_S
    if not 0 <= seconds < _LAST_TAI_S:
        return None
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{int(label[16:], 16) // 1000:06}Z"


@lru_cache(maxsize=4096)
def _bsd_time(stamp: tuple[str | Any, ...], received_at: datetime) -> str | None:
    """Remembered: many messages of a second, received together, say the same."""
    month, day, year, hour, minute, second, fraction = stamp
    for candidate in [int(year)] if year else [received_at.year + 1 - back for back in range(5)]:
        try:
            moment = datetime(
                candidate,
                MONTHS.index(month) + 1,
                int(day),
                int(hour),
                int(minute),
                min(int(second), 59),  # 60 is a leap second
                tzinfo=UTC,
            )
        except ValueError:  # 29 February of another year, or no time at all
            continue
        if year or moment <= received_at + timedelta(days=1):
            return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction or ''}Z"
    return None
