"""What an event says: all its values, those of each OCSF attribute, and its times."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tocsin.ingest.records.syslog_message import FACILITIES, SEVERITIES

_TIME_NAME = re.compile(
    r"\.(?:(?:event_|fastly_|generation_|haproxy_|suricata_|syslog_)?time_?(?:stamp)?(?:8601|_local)?"
    r"|(?:haproxy_)?(?:year|month|monthday|day|hour|minute|second|milliseconds)"
    r"|date|zone|logdate|accept_date|ts_[dmty]|ts_ms|tz_part[12])$"
)
"""Expectations that are a time, or a piece of one."""
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_WORDS_OF_TIME = frozenset(
    {"utc", "gmt", "z", "t", "am", "pm", "mon", "tue", "wed", "thu", "fri", "sat", "sun"}
)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)\b")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def canonical(value: str) -> str:
    """A value without case, the quotes or brackets around it, and the mark of hexadecimal."""
    return value.strip("'\"<>").lower().removeprefix("0x").removeprefix("::ffff:")


@dataclass(frozen=True, slots=True)
class Event:
    """``values`` native and OCSF, ``at`` those by OCSF attribute, ``times`` as they were written."""

    values: frozenset[str]
    at: Mapping[str, frozenset[str]]
    times: tuple[datetime, ...]

    def holds(self, value: str, places: Iterable[str] | None) -> bool:
        """Whether ``value`` stands by itself: in one of ``places``, or anywhere if None."""
        asked = canonical(value)
        if places is None:
            return asked in self.values
        return any(asked in self.at.get(place, ()) for place in places)

    def tells_time(self, name: str, value: str) -> bool:
        """Whether a time, or a piece of one, agrees with a time the event has."""
        if not _TIME_NAME.search(name):
            return False
        return any(_agrees(value.lower(), moment) for moment in self.times)


def event_of(
    native: Mapping[str, object], ocsf: Mapping[str, object], moment: datetime, line: str
) -> Event:
    """Gather what one record became; ``line`` tells the offsets its times were written in."""
    at: dict[str, frozenset[str]] = {
        path: frozenset(map(canonical, _texts(value))) for path, value in ocsf.items()
    }
    path, query = (ocsf.get(f"http_request.url.{part}") for part in ("path", "query_string"))
    if path and query:
        at["http_request.url.path"] |= {canonical(f"{path}?{query}")}
    values = frozenset(map(canonical, _texts(native))).union(*at.values(), _priority(native))
    moments = [] if ocsf.get("unmapped.time_quality") else [moment.astimezone(UTC)]
    moments += [
        datetime.fromisoformat(text).replace(tzinfo=UTC)
        for text in _texts(native)
        if _ISO.match(text) and _is_iso(text)
    ]
    offsets = [timedelta()]
    for sign, hours, minutes in _OFFSET.findall(line):
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        offsets.append(offset if sign == "+" else -offset)
    return Event(values, at, tuple(moment + offset for moment in moments for offset in offsets))


def _priority(native: Mapping[str, object]) -> set[str]:
    """The number of a syslog priority, which is kept as two words."""
    header = native.get("syslog", native)
    told = header if isinstance(header, Mapping) else {}
    facility, severity = told.get("facility"), told.get("severity")
    if facility not in FACILITIES or severity not in SEVERITIES:
        return set()
    return {str(8 * FACILITIES.index(str(facility)) + SEVERITIES.index(str(severity)))}


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _agrees(text: str, moment: datetime) -> bool:
    """Whether every number and month in ``text`` is one of the moment's own."""
    zone = _OFFSET.search(text)
    rest = text if zone is None or len(zone[0]) == len(text) else text.replace(zone[0], " ")
    numbers = {
        *(moment.year, moment.year % 100, moment.month, moment.day),
        *(moment.hour, moment.hour % 12 or 12, moment.minute, moment.second),
        int(moment.timestamp()),
    }
    fraction = f"{moment.microsecond:06}"
    for word in re.findall(r"[a-z]+|\d+", rest):
        if word.isdigit():
            if int(word) not in numbers and not _begins_fraction(word, fraction):
                return False
        elif word not in _WORDS_OF_TIME and _MONTHS.get(word[:3]) != moment.month:
            return False
    return True


def _begins_fraction(digits: str, fraction: str) -> bool:
    return fraction.startswith(digits[:6])


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)
