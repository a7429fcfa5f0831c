"""The one logical query over events, and what it returns."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Events that match ``text`` (Lucene) in ``start <= time < end``, newest first.

    Field names are OCSF paths, short aliases (``user``, ``host``, ``src_ip`` …),
    ``native.Field``, or the envelope's ``source``, ``lane``, ``event_id``. ``cursor`` continues
    an earlier page. Unless ``with_native``, the events of the page come without native fields,
    which are most of what reading an event takes.
    """

    text: str = ""
    start: datetime | None = None
    end: datetime | None = None
    size: int = 100
    cursor: str | None = None
    oldest_first: bool = False
    with_native: bool = True


EVERYTHING = EventQuery()
"""The query that every event matches."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as found: envelope, dotted OCSF fields, native fields (nulls left out)."""

    event_id: str
    time: datetime
    ingested_at: datetime
    tenant: str
    source: str
    lane: str
    ocsf: dict[str, object]
    native: dict[str, object]
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of events. ``total`` counts all matches; ``searched_*`` say what was looked at.

    ``problems`` name segments that could not be read: what they hold is missing here.
    """

    events: tuple[StoredEvent, ...]
    total: int
    next_cursor: str | None
    searched_segments: int
    searched_rows: int
    took_ms: float
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bucket:
    """Events in ``start <= time < end``; ``by`` splits the count by OCSF severity id."""

    start: datetime
    end: datetime
    count: int
    by: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopValue:
    """A value and how many events have it."""

    value: str
    count: int


QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True, slots=True)
class FieldStatistics:
    """What is known of one field among ``events`` found, ``present`` of which have it.

    Values are compared as text: ``least`` and ``greatest`` are by letters. When all of them are
    numbers those are empty, and ``quantiles`` has the numbers at ``QUANTILES``. Times are of
    events. Unless ``is_exact``, which is so of many events, ``distinct`` and ``quantiles`` are
    estimates.
    """

    field: str
    events: int
    present: int
    distinct: int
    is_exact: bool = True
    least: str = ""
    greatest: str = ""
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    quantiles: tuple[float, ...] = ()
