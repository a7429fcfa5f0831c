"""The four ports: events, state, blobs and the work queue."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.model.record import RawBatch
from tocsin.store.errors import HomeInUse as HomeInUse
from tocsin.store.errors import QueryError as QueryError
from tocsin.store.errors import QueryStopped as QueryStopped
from tocsin.store.errors import SpoolFull as SpoolFull
from tocsin.store.errors import StoreAway as StoreAway
from tocsin.store.errors import StoreError as StoreError
from tocsin.store.errors import StoreMoved as StoreMoved
from tocsin.store.event_stream import EventStream
from tocsin.store.keeping import DiskSpace, Expiring, Expiry, Lot
from tocsin.store.query import (
    EVERYTHING,
    Bucket,
    EventPage,
    EventQuery,
    FieldStatistics,
    StoredEvent,
    TopValue,
)
from tocsin.store.sql_plan import SqlPlan
from tocsin.store.sql_rows import SqlRows, SqlStream
from tocsin.store.stop_signal import StopSignal


class StateStore(Protocol):
    """Small, changing things in SQL tables (SQLAlchemy Core; each room owns its tables)."""

    def begin(self) -> AbstractContextManager[Connection]:
        """A write transaction: commits at the end of the block, rolls back on an exception."""
        ...

    def read(self) -> AbstractContextManager[Connection]:
        """A consistent read."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SeenField:
    """A field that events of a lane have: ``space`` is ``ocsf`` or ``native``.

    ``path`` holds the keys from the outside in; ``[]`` stands for "any member of the list".
    """

    lane: str
    space: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """An immutable file of events. ``path`` is relative to the store's folder.

    ``fields`` are those beyond the hot columns; ``publish`` adds the new ones to what is known.
    ``facts``, if any, are the engine's own, which ``publish`` keeps for searches.
    """

    id: str
    path: str
    rows: int
    size_bytes: int
    first_time: datetime
    last_time: datetime
    sources: tuple[str, ...]
    lanes: tuple[str, ...]
    checksum: str
    first_event_id: str = ""
    last_event_id: str = ""
    fields: frozenset[SeenField] = frozenset()
    facts: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ReplayQuery:
    """Which stored events to give back.

    Event time in ``start <= time < end``, taken in within ``received_from <= t <
    received_until``; None: not asked. ``without_lanes`` are left out in any case, ``segments``
    are the ids of the only ones looked into (None: all). Batches of
    the same lane are gathered to ``batch_rows`` events. What is not asked for (native fields, or
    OCSF and raw record) is not read: its columns are missing, raw records null.

    ``native_fields`` are, by lane id, the top-level native fields that are enough; of lanes not
    named all are read. ``ocsf_fields``: the OCSF columns (dotted) that are enough, without raw
    record. Others may be there all the same.
    """

    start: datetime | None = None
    end: datetime | None = None
    received_from: datetime | None = None
    received_until: datetime | None = None
    lanes: frozenset[str] | None = None
    without_lanes: frozenset[str] = frozenset()
    tenants: frozenset[str] | None = None
    event_ids: frozenset[str] | None = None
    segments: frozenset[str] | None = None
    with_native: bool = True
    with_ocsf: bool = True
    native_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ocsf_fields: frozenset[str] | None = None
    batch_rows: int = 50_000


@dataclass(frozen=True, slots=True)
class Damage:
    """A part of the store that could not be given back: where, why, what to do."""

    place: str
    events: int
    reason: str


class EventStore(Protocol):
    """Events, written once, searched for as long as they are kept.

    Writing has two steps so that a segment counts only when everything that belongs to it
    commits: ``write`` makes a durable file nobody sees, ``publish`` adds its manifest row in the
    caller's transaction (together with the spool offset, ledgers and alerts).

    What looks for events ends with ``QueryStopped`` when ``stop`` says so; without one, after a
    time of the engine's own.
    """

    def write(self, batches: Sequence[EventBatch]) -> Segment | None:
        """Write one durable, still invisible segment; None when there are no events."""
        ...

    def publish(self, transaction: Connection, segment: Segment) -> None: ...

    def search(self, query: EventQuery, stop: StopSignal | None = None) -> EventPage: ...

    def histogram(
        self, query: EventQuery, buckets: int, stop: StopSignal | None = None
    ) -> list[Bucket]: ...

    def top_values(
        self, query: EventQuery, field: str, size: int, stop: StopSignal | None = None
    ) -> list[TopValue]: ...

    def stream(
        self,
        query: EventQuery,
        columns: Sequence[str] | None = None,
        stop: StopSignal | None = None,
    ) -> AbstractContextManager[EventStream]:
        """All events of ``query`` (whatever its size), as they are stored when the block begins.

        ``columns`` are names as in a filter; None: the whole event, see ``WHOLE_EVENT``.
        """
        ...

    def statistics(
        self, query: EventQuery, field: str, stop: StopSignal | None = None
    ) -> FieldStatistics:
        """What is known of a field among the events found."""
        ...

    def field_names(self, lanes: Collection[str] | None = None) -> list[str]:
        """Every name a filter may use, short aliases first; beyond those, fields of ``lanes``."""
        ...

    def sql(
        self,
        statement: str,
        size: int,
        within: EventQuery = EVERYTHING,
        stop: StopSignal | None = None,
    ) -> SqlRows:
        """Read-only SQL: column names and at most ``size`` rows.

        The view ``events`` has the events of ``within``, whatever its size.
        """
        ...

    def sql_stream(
        self,
        statement: str,
        within: EventQuery = EVERYTHING,
        stop: StopSignal | None = None,
        tell: Callable[[float], None] | None = None,
    ) -> AbstractContextManager[SqlStream]:
        """As ``sql``, but every row; what the view has stays until the block ends.

        ``tell`` hears, from another thread, which share (0 to 1) is done of what takes long,
        where the engine knows.
        """
        ...

    def explain(self, statement: str, within: EventQuery = EVERYTHING) -> SqlPlan:
        """How ``sql`` would run the statement."""
        ...

    def get(self, event_id: str) -> StoredEvent | None: ...

    def replay(
        self,
        wanted: ReplayQuery,
        lane_of: Callable[[str], Lane],
        on_damage: Callable[[Damage], None],
    ) -> Iterator[EventBatch]:
        """The events as they were stored, part of the store by part in order of time.

        Within a lane the order is about that of storing; memory stays bounded. ``lane_of`` gives
        the lane of an id. What can't be read is told to ``on_damage``, and the rest goes on.
        Raises ``StoreMoved`` when segments were merged away by another process meanwhile: what
        was given so far may come again, so begin the query anew.
        """
        ...

    def withdrawing(
        self, event_ids: frozenset[str]
    ) -> AbstractContextManager[Callable[[Connection], None]]:
        """Take events out, so that others may take their place in the same transaction.

        What is given back is to be called, once, in the caller's transaction; until that commits
        the events stay, and they stay when it is rolled back. ``StoreError`` when meanwhile
        another process has merged what they are in.
        """
        ...

    def disk(self) -> DiskSpace:
        """Where the events lie, without what lies cold."""
        ...

    def count_some(self, within_s: float) -> bool:
        """Count ahead of ``lots`` for about so long; True while there is more to count."""
        ...

    def lots(self) -> list[Lot]:
        """All that is stored, in lots of one source and one day of intake, in no order.

        What can't be read is left out.
        """
        ...

    def due(self, expiries: Sequence[Expiry]) -> list[Lot]:
        """Exactly what may go by ``expiries`` (one a source at most); nothing goes."""
        ...

    def expiring(self, expiries: Sequence[Expiry]) -> AbstractContextManager[Expiring]:
        """Take a bounded part of what is ``due`` out for good, the oldest first.

        Until the transaction in which the step's ``delete`` was called commits, the events stay;
        they stay when it is rolled back. ``StoreError`` when meanwhile another process has
        merged what they are in.
        """
        ...

    def segments(self, start: datetime | None, end: datetime | None) -> list[Segment]:
        """Segments that may hold events in ``start <= time < end``, oldest first."""
        ...

    def count(self) -> int: ...

    def merge_small(self, since: datetime | None = None) -> int:
        """Merge small segments into larger ones; how many were merged away.

        With ``since`` only those with events of that time or later: a look at few, for often.
        """
        ...

    def sweep_orphans(self) -> int:
        """Remove files no manifest row names (left by a crash); how many."""
        ...

    def close(self) -> None: ...


class BlobStore(Protocol):
    """Bytes by their SHA-256 (lower-case hexadecimal)."""

    def put(self, content: bytes) -> str: ...

    def get(self, digest: str) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """A raw batch with the position that acknowledges it."""

    position: int
    batch: RawBatch


class Note(Protocol):
    """What is to be remembered of records once they are durable, lest they be taken in twice."""

    @property
    def fresh(self) -> Sequence[bytes]:
        """Keys of one length that stand for the records."""
        ...

    def keep(self) -> None:
        """Remember them; called when the records are durable."""
        ...


class WorkQueue(Protocol):
    """The spool: raw batches, durable before they are acknowledged, read in order."""

    @property
    def id(self) -> str:
        """A name that stays the same over restarts; part of every event id."""
        ...

    def append(self, batches: Sequence[RawBatch], note: Note | None = None) -> int:
        """Make the batches durable (fsync, group commit) and return the last one's position.

        With a ``note`` all of them become so or none, whatever ends the process, and its keys
        with them; then it is kept. Raises ``SpoolFull`` when the spool may not grow further: the
        caller slows its sender.
        """
        ...

    def kept_keys(self) -> Iterator[tuple[str, list[bytes]]]:
        """Keys that became durable with batches lately, by the source of the first batch.

        To be asked before anything is appended: some may not have been noted when the process
        before this one was killed.
        """
        ...

    def read(self, after: int, limit_bytes: int) -> Iterator[SpoolEntry]:
        """Entries after ``after`` in order, until ``limit_bytes`` of payload have been given."""
        ...

    def committed(self) -> int:
        """The position up to which everything is stored."""
        ...

    def commit(self, transaction: Connection, position: int) -> None:
        """Move the committed position within the caller's transaction."""
        ...

    def trim(self) -> int:
        """Delete spool files that are wholly committed; bytes freed."""
        ...

    def backlog_bytes(self) -> int: ...

    def close(self) -> None: ...
