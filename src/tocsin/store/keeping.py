"""How long events are kept, in the store's words: lots of events, and which of them may go."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection

from tocsin.model.retention import CountedFrom as CountedFrom

FIRST_INTAKE = datetime(2025, 1, 1, tzinfo=UTC)
"""Nothing was taken in before: an earlier time of intake is of a clock that was wrong."""
FIRST_EVENT = datetime(1990, 1, 1, tzinfo=UTC)
"""No log that is sent to us is older: an earlier time of an event is of a clock that was wrong."""
MOST_AHEAD = timedelta(days=1)
"""An event's own time is not believed when it lies further after its intake."""


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """Of the disk the events lie on, or of all disks where there are several."""

    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Lot:
    """Events of one source, taken in on one day (UTC), that lie together.

    ``size_bytes`` is their share of what they lie in, by number. The first and last moments are
    those of the events' own times, and of their intake; both are included. ``is_cold`` ones do
    not lie on the disk.
    """

    tenant: str
    source: str
    day: date
    events: int
    size_bytes: int
    first_time: datetime
    last_time: datetime
    first_received: datetime
    last_received: datetime
    is_cold: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """``start <= t < end``; None is open."""

    start: datetime | None = None
    end: datetime | None = None

    def meets(self, first: datetime, last: datetime) -> bool:
        """True when a moment from ``first`` to ``last`` (both included) is in it."""
        return (self.start is None or last >= self.start) and (self.end is None or first < self.end)

    def covers(self, first: datetime, last: datetime) -> bool:
        """True when all moments from ``first`` to ``last`` are in it."""
        return (self.start is None or first >= self.start) and (self.end is None or last < self.end)


@dataclass(frozen=True, slots=True)
class Held:
    """Events that a filter finds (in the search's words) and that are of a time."""

    span: Span
    matching: str


@dataclass(frozen=True, slots=True)
class Expiry:
    """Events of one source that may go: those whose age counts from before ``before``.

    Counted from the intake, or from the event's own time where that is believable (not before
    ``FIRST_EVENT``, at most ``MOST_AHEAD`` after the intake; otherwise from the intake). Where
    the time of intake is not believable, the event's own counts if it is not before
    ``FIRST_INTAKE``; otherwise the event stays. An event stays as well when its own time or its
    intake is in one of ``spared``, or in the span of one of ``held`` whose filter finds it, and
    when it lies cold unless ``with_cold``.
    """

    tenant: str
    source: str
    before: datetime
    counted_from: CountedFrom = CountedFrom.INTAKE
    spared: tuple[Span, ...] = ()
    with_cold: bool = True
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Expiring:
    """What one bounded step takes out: exactly ``lots``. ``is_all`` says that nothing more is due.

    ``delete`` is to be called, once, in the caller's transaction.
    """

    lots: tuple[Lot, ...]
    is_all: bool
    delete: Callable[[Connection], None] = field(repr=False)

    @property
    def events(self) -> int:
        return sum(lot.events for lot in self.lots)

    @property
    def size_bytes(self) -> int:
        return sum(lot.size_bytes for lot in self.lots)
