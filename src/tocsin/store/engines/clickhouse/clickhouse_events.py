"""The event store on ClickHouse, with the manifest in the state store."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.store.engines.clickhouse import clickhouse_tables
from tocsin.store.engines.clickhouse.clickhouse_client import ClickHouse
from tocsin.store.engines.clickhouse.clickhouse_expiry import ClickHouseExpiry
from tocsin.store.engines.clickhouse.clickhouse_facts import statistics
from tocsin.store.engines.clickhouse.clickhouse_queries import among
from tocsin.store.engines.clickhouse.clickhouse_replay import ClickHouseReplay
from tocsin.store.engines.clickhouse.clickhouse_search import ClickHouseSearch
from tocsin.store.engines.clickhouse.clickhouse_sql import ClickHouseSql
from tocsin.store.engines.clickhouse.clickhouse_streaming import stream
from tocsin.store.engines.clickhouse.clickhouse_writes import ClickHouseWrites, Replaced
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.known_fields import KnownFields
from tocsin.store.engines.state.number_ranges import NumberRanges
from tocsin.store.event_stream import EventStream
from tocsin.store.keeping import DiskSpace, Expiring, Expiry, Lot
from tocsin.store.ports import Damage, ReplayQuery, Segment, StateStore
from tocsin.store.query import (
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

_log = structlog.get_logger()
_EVERYTHING = EventQuery()
_TIERS = (4_000, 32_000, 256_000)
"""Segments below the same bound (and above the one before) are of similar size."""


class ClickHouseEvents:
    """``EventStore`` in one database; safe to share between threads, one process writes.

    ``merge_at`` neighbors of similar size become one row of the manifest: ClickHouse merges its
    rows by itself. ``is_durable=False`` spares flushes, where a power cut loses nothing dear.
    """

    def __init__(
        self,
        address: str,
        state: StateStore,
        *,
        database: str = "tocsin",
        memory_mb: int = 4096,
        timeout_s: float = 60,
        merge_at: int = 8,
        is_durable: bool = True,
    ) -> None:
        self._state = state
        self._merge_at = merge_at
        self._clickhouse = ClickHouse(address, database, memory_mb=memory_mb, timeout_s=timeout_s)
        try:
            _prepare(self._clickhouse, is_durable=is_durable)
        except BaseException:
            self._clickhouse.close()
            raise
        self._search = ClickHouseSearch(self._clickhouse, state)
        self._sql = ClickHouseSql(self._clickhouse, self._search, state)
        self._writes = ClickHouseWrites(self._clickhouse, state)
        self._expiry = ClickHouseExpiry(self._clickhouse, self._writes, self._search)
        self._fields = KnownFields()
        self._changing = threading.Lock()

    def write(self, batches: Sequence[EventBatch]) -> Segment | None:
        filled = [batch for batch in batches if len(batch)]
        return self._writes.write(filled) if filled else None

    def publish(self, transaction: Connection, segment: Segment) -> None:
        manifest.add(transaction, segment)
        self._fields.note(transaction, segment.fields)

    def search(self, query: EventQuery, stop: StopSignal | None = None) -> EventPage:
        return self._search.search(query, stop)

    def histogram(
        self, query: EventQuery, buckets: int, stop: StopSignal | None = None
    ) -> list[Bucket]:
        return self._search.histogram(query, buckets, stop)

    def top_values(
        self, query: EventQuery, field: str, size: int, stop: StopSignal | None = None
    ) -> list[TopValue]:
        return self._search.top_values(query, field, size, stop)

    @contextmanager
    def stream(
        self,
        query: EventQuery,
        columns: Sequence[str] | None = None,
        stop: StopSignal | None = None,
    ) -> Iterator[EventStream]:
        yield stream(self._clickhouse, self._search, query, columns, stop)

    def statistics(
        self, query: EventQuery, field: str, stop: StopSignal | None = None
    ) -> FieldStatistics:
        return statistics(self._clickhouse, self._search, query, field, stop)

    def field_names(self, lanes: Collection[str] | None = None) -> list[str]:
        return self._search.catalogue().names(lanes)

    def sql(
        self,
        statement: str,
        size: int,
        within: EventQuery = _EVERYTHING,
        stop: StopSignal | None = None,
    ) -> SqlRows:
        return self._sql.run(statement, size, within, stop)

    def sql_stream(
        self,
        statement: str,
        within: EventQuery = _EVERYTHING,
        stop: StopSignal | None = None,
        tell: Callable[[float], None] | None = None,  # its client hears nothing before the end
    ) -> AbstractContextManager[SqlStream]:
        return self._sql.stream(statement, within, stop)

    def explain(self, statement: str, within: EventQuery = _EVERYTHING) -> SqlPlan:
        return self._sql.explain(statement, within)

    def get(self, event_id: str) -> StoredEvent | None:
        return self._search.get(event_id)

    def replay(
        self,
        wanted: ReplayQuery,
        lane_of: Callable[[str], Lane],
        on_damage: Callable[[Damage], None],
    ) -> Iterator[EventBatch]:
        segments = [
            one
            for one in self.segments(wanted.start, wanted.end)
            if wanted.segments is None or one.id in wanted.segments
        ]
        return ClickHouseReplay(self._clickhouse, wanted, lane_of).batches(segments)

    @contextmanager
    def withdrawing(self, event_ids: frozenset[str]) -> Iterator[Callable[[Connection], None]]:
        with self._changing:
            with self._state.read() as tx:
                held = manifest.overlapping(tx, min(event_ids), max(event_ids))
            goes = among(event_ids)
            changed = [one for segment in held if (one := self._writes.without(segment, goes))]
            with self._in_place_of(changed) as swap:
                yield swap

    def disk(self) -> DiskSpace:
        return self._expiry.disk()

    def count_some(self, within_s: float) -> bool:
        return False  # the engine counts when it is asked

    def lots(self) -> list[Lot]:
        return self._expiry.lots()

    def due(self, expiries: Sequence[Expiry]) -> list[Lot]:
        return self._expiry.due(expiries)

    @contextmanager
    def expiring(self, expiries: Sequence[Expiry]) -> Iterator[Expiring]:
        with self._changing:
            step = self._expiry.step(expiries, self.segments(None, None))
            with self._in_place_of(step.changed) as swap:
                yield Expiring(step.lots, step.is_all, swap)

    def segments(self, start: datetime | None, end: datetime | None) -> list[Segment]:
        with self._state.read() as tx:
            found = manifest.between(tx, start, end)
        return sorted(found, key=lambda segment: (segment.first_time, segment.id))

    def count(self) -> int:
        with self._state.read() as tx:
            return manifest.rows(tx)

    def rows_missing(self) -> list[tuple[Segment, int]]:
        """Segments that lack events, and how many; their rows are counted, not read."""
        return self._writes.missing(self.segments(None, None))

    def merge_small(self, since: datetime | None = None) -> int:
        merged = 0
        with self._changing:
            for group in self._groups(since):
                with self._state.begin() as tx:
                    if manifest.swap(tx, group, self._writes.merged(group)):
                        merged += len(group)
        return merged

    def sweep_orphans(self) -> int:
        """As the port says: of writes, by their numbers."""
        with self._changing:
            swept = self._writes.sweep()
        if swept:
            _log.info("removed writes that never counted", writes=swept)
        return swept

    def close(self) -> None:
        self._clickhouse.close()

    def _groups(self, since: datetime | None) -> list[list[Segment]]:
        alike: dict[int, list[Segment]] = {}
        for segment in self.segments(since, None):
            tier = next((at for at, bound in enumerate(_TIERS) if segment.rows < bound), None)
            if tier is not None:
                alike.setdefault(tier, []).append(segment)
        groups: list[list[Segment]] = []
        for some in alike.values():
            group: list[Segment] = []
            for segment in some:
                group.append(segment)
                if sum(one.rows for one in group) >= _TIERS[-1]:
                    groups.append(group)
                    group = []
            if len(group) >= self._merge_at:
                groups.append(group)
        return [group for group in groups if len(group) > 1]

    @contextmanager
    def _in_place_of(self, changed: Sequence[Replaced]) -> Iterator[Callable[[Connection], None]]:
        """Put the second of each pair (None: nothing) in the first's place, in one transaction.

        Afterwards the rows of whatever does not count are removed.
        """
        try:
            yield partial(manifest.swap_each, changed=changed)
        finally:
            counting = self._writes.counting()
            for pair in changed:
                for one in pair:
                    if one is not None:
                        self._writes.drop(NumberRanges.read(one.path).outside(counting))


def _prepare(clickhouse: ClickHouse, *, is_durable: bool) -> None:
    """Make the database and its table unless they are there, and bring an older table forward."""
    database = clickhouse.database
    clickhouse.command(f"CREATE DATABASE IF NOT EXISTS {clickhouse_tables.quoted(database)}")
    known = clickhouse.names("merge_tree_settings", {"name": clickhouse_tables.BUCKETED})
    clickhouse.command(clickhouse_tables.create_table(database, known, is_durable=is_durable))
    table = {"database": [database], "table": [clickhouse_tables.EVENTS]}
    if not clickhouse.names("columns", {**table, "name": ["native_leaves"]}):
        clickhouse.command(clickhouse_tables.add_maps(database, known))
