"""The one logical query over events, and what it returns."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Events that match ``text`` (Lucene) in ``start <= time < end``, newest first.

    Field names are OCSF paths, short aliases (``user``, ``host``, ``src_ip`` …),
    ``native.Field``, or the envelope's ``source``, ``lane``, ``event_id``. ``cursor`` continues
    an earlier page.
    """

    text: str = ""
    start: datetime | None = None
    end: datetime | None = None
    size: int = 100
    cursor: str | None = None
    oldest_first: bool = False


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
