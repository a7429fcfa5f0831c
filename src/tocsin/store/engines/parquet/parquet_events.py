"""The event store on Parquet segments, a manifest in the state store, and DuckDB."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from shutil import disk_usage

import structlog
from sqlalchemy import Connection

from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.store.engines.parquet.cold_shelf import ColdShelf
from tocsin.store.engines.parquet.courtesy import MOST_WAITED_S, Courtesy
from tocsin.store.engines.parquet.duckdb_reader import DuckDbReader
from tocsin.store.engines.parquet.event_search import EventSearch
from tocsin.store.engines.parquet.event_sql import EventSql
from tocsin.store.engines.parquet.facts_book import FactsBook
from tocsin.store.engines.parquet.field_facts import statistics
from tocsin.store.engines.parquet.files_in_use import FilesInUse
from tocsin.store.engines.parquet.held_events import HeldEvents
from tocsin.store.engines.parquet.merge_plan import MergePlan
from tocsin.store.engines.parquet.segment_census import Census
from tocsin.store.engines.parquet.segment_check import KnownDamage
from tocsin.store.engines.parquet.segment_expiry import SegmentExpiry
from tocsin.store.engines.parquet.segment_file import UNFINISHED, new_path, write_segment
from tocsin.store.engines.parquet.segment_merge import merge
from tocsin.store.engines.parquet.segment_places import is_cold
from tocsin.store.engines.parquet.segment_replay import Replay
from tocsin.store.engines.parquet.segment_withdrawal import among, holds_any, without
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.known_fields import KnownFields
from tocsin.store.engines.state.writers_lock import WritersLock
from tocsin.store.event_stream import EventStream
from tocsin.store.keeping import DiskSpace, Expiring, Expiry, Lot
from tocsin.store.ports import Damage, ReplayQuery, Segment, StateStore, StoreError
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
from tocsin.store.vault import Vault

_log = structlog.get_logger()
_HELD_BYTES_AN_EVENT = 1_500
"""What an event takes in memory where a segment of an earlier build does not say."""
_BEHIND = 2
"""Who has so many times more segments to merge than are enough waits for nobody."""


class ParquetEvents:
    """``EventStore`` in a folder; safe to share between threads, one process writes.

    ``merge_at`` segments of similar size become one. A query is stopped after ``timeout_s``.
    ``cold`` opens the bucket of cold segments, of which ``cold_cache_bytes`` are kept here.
    """

    def __init__(
        self,
        folder: Path,
        state: StateStore,
        *,
        threads: int = 2,
        memory_mb: int = 1024,
        timeout_s: float = 60,
        merge_at: int = 8,
        cold: Callable[[], Vault] | None = None,
        cold_cache_bytes: int = 10 * 1024**3,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder.resolve()
        self._state = state
        self._plan = MergePlan(merge_at)
        self._held: dict[str, int] = {}
        self._reader = DuckDbReader(
            self._folder, threads=threads, memory_mb=memory_mb, timeout_s=timeout_s
        )
        self._shelf = ColdShelf(self._folder, cold, cold_cache_bytes)
        self._in_use = FilesInUse()
        self._search = EventSearch(self._folder, state, self._reader, self._shelf, self._in_use)
        self._sql = EventSql(self._search, self._reader)
        self._guard = threading.Lock()
        self._unpublished: set[str] = set()
        self._fields = KnownFields()
        self._merging = threading.Lock()
        self._damage = KnownDamage()
        self._census = Census(self._folder, state)
        held = HeldEvents(self._folder, self._search)
        self._expiry = SegmentExpiry(
            self._folder, self._census, lambda: self.segments(None, None), held
        )
        self._writers = WritersLock(self._folder / ".writers")

    def write(self, batches: Sequence[EventBatch]) -> Segment | None:
        filled = [batch for batch in batches if len(batch)]
        if not filled:
            return None
        self._writers.join()
        identifier, path = new_path()
        with self._guard:
            self._unpublished.add(path.as_posix())
        try:
            return write_segment(self._folder, identifier, path, filled)
        except BaseException:
            with self._guard:
                self._unpublished.discard(path.as_posix())
            raise

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

    def stream(
        self,
        query: EventQuery,
        columns: Sequence[str] | None = None,
        stop: StopSignal | None = None,
    ) -> AbstractContextManager[EventStream]:
        return self._search.stream(query, columns, stop)

    def sql(
        self,
        statement: str,
        size: int,
        within: EventQuery = EVERYTHING,
        stop: StopSignal | None = None,
    ) -> SqlRows:
        return self._sql.run(statement, size, within, stop)

    def sql_stream(
        self,
        statement: str,
        within: EventQuery = EVERYTHING,
        stop: StopSignal | None = None,
        tell: Callable[[float], None] | None = None,
    ) -> AbstractContextManager[SqlStream]:
        return self._sql.stream(statement, within, stop, tell)

    def explain(self, statement: str, within: EventQuery = EVERYTHING) -> SqlPlan:
        return self._sql.explain(statement, within)

    def get(self, event_id: str) -> StoredEvent | None:
        return self._search.get(event_id)

    def replay(
        self,
        wanted: ReplayQuery,
        lane_of: Callable[[str], Lane],
        on_damage: Callable[[Damage], None],
    ) -> Iterator[EventBatch]:
        hold = self._shelf.hold()
        return Replay(self._folder, self._state, wanted, lane_of, on_damage, hold.bring).batches(
            [
                one
                for one in self.segments(wanted.start, wanted.end)
                if wanted.segments is None or one.id in wanted.segments
            ]
        )

    @contextmanager
    def withdrawing(self, event_ids: frozenset[str]) -> Iterator[Callable[[Connection], None]]:
        self._writers.join()
        with self._merging:
            with self._state.read() as tx:
                held = manifest.overlapping(tx, min(event_ids), max(event_ids))
            hold = self._shelf.hold()
            if away := hold.bring(held):
                raise StoreError(f"nothing was changed: a segment {next(iter(away.values()))}")
            goes = among(event_ids)
            changed = [
                (one, without(self._folder, one, goes))
                for one in held
                if holds_any(self._folder, one, event_ids)
            ]
            with self._in_place_of(changed) as swap:
                yield swap

    def disk(self) -> DiskSpace:
        usage = disk_usage(self._folder)
        return DiskSpace(usage.total, usage.free)

    def count_some(self, within_s: float) -> bool:
        return self._census.count_some(self.segments(None, None), within_s)

    def lots(self) -> list[Lot]:
        segments = self.segments(None, None)
        counted = self._census.lots(segments)
        cold = {segment.id for segment in segments if is_cold(segment)}
        return [
            replace(lot, is_cold=True) if found in cold else lot
            for found, lots in counted.items()
            for lot in lots
        ]

    def due(self, expiries: Sequence[Expiry]) -> list[Lot]:
        return [lot for one in self._expiry.due(expiries) for lot in one.lots]

    @contextmanager
    def expiring(self, expiries: Sequence[Expiry]) -> Iterator[Expiring]:
        self._writers.join()
        with self._merging:
            step = self._expiry.step(expiries)
            with self._in_place_of(step.changed) as swap:
                yield Expiring(step.lots, step.is_all, swap)

    @contextmanager
    def _in_place_of(
        self, changed: Sequence[tuple[Segment, Segment | None]]
    ) -> Iterator[Callable[[Connection], None]]:
        """Put the second of each pair (None: nothing) in the first's place, in one transaction.

        Afterwards the files of whichever does not count are removed.
        """
        try:
            yield partial(manifest.swap_each, changed=changed)
        finally:
            with self._state.read() as tx:
                counting = manifest.paths(tx)
            for pair in changed:
                for one in pair:
                    if one is not None and one.path not in counting:
                        self._in_use.remove(self._folder / one.path)
                        self._shelf.forget(one)

    def segments(self, start: datetime | None, end: datetime | None) -> list[Segment]:
        with self._state.read() as tx:
            found = manifest.between(tx, start, end)
        return sorted(found, key=lambda segment: (segment.first_time, segment.id))

    def count(self) -> int:
        with self._state.read() as tx:
            return manifest.rows(tx)

    def statistics(
        self, query: EventQuery, field: str, stop: StopSignal | None = None
    ) -> FieldStatistics:
        return statistics(self._search, query, field, stop)

    def field_names(self, lanes: Collection[str] | None = None) -> list[str]:
        return self._search.catalogue().names(lanes)

    def merge_small(self, since: datetime | None = None) -> int:
        self._writers.join()
        with self._merging:
            with self._state.read() as tx:
                known = manifest.between(tx, since, None)
            candidates = [one for one in known if self._damage.may_merge(one)]
            groups = self._plan.groups(candidates, self._held_bytes)
            if since is None:
                ids = {one.id for one in candidates}
                self._held = {one: held for one, held in self._held.items() if one in ids}
            return sum(
                len(group)
                for group in groups
                if self._damage.is_whole(self._folder, group) and self._merge(group)
            )

    def sweep_orphans(self) -> int:
        """As the port says; nothing while another process writes, whose files may yet count."""
        with self._merging, self._writers.alone() as is_alone:
            swept = self._sweep() if is_alone else 0
        if swept:
            _log.info("removed segments that never counted", files=swept)
        return swept

    def close(self) -> None:
        self._reader.close()
        self._shelf.close()
        self._writers.close()

    def _sweep(self) -> int:
        """Files are looked for before it is asked which count: those written since are not found.

        So nobody who writes waits for the looking and the removing.
        """
        found = [*self._folder.glob("*/*.parquet"), *self._folder.glob(f"*/*{UNFINISHED}")]
        with self._guard:
            with self._state.read() as tx:
                counting = manifest.paths(tx)
            self._unpublished -= counting
            kept = counting | self._unpublished
            kept |= {Path(path).with_suffix(UNFINISHED).as_posix() for path in self._unpublished}
        orphans = [path for path in found if path.relative_to(self._folder).as_posix() not in kept]
        for path in orphans:
            self._in_use.remove(path)
        return len(orphans)

    def _held_bytes(self, segment: Segment) -> int:
        if segment.id not in self._held:
            facts = FactsBook(self._state).of([segment])[segment.id]
            told = facts.held_bytes if facts else None
            self._held[segment.id] = segment.rows * _HELD_BYTES_AN_EVENT if told is None else told
        return self._held[segment.id]

    def _merge(self, group: Sequence[Segment]) -> bool:
        is_behind = len(group) > _BEHIND * self._plan.merge_at
        pauses = Courtesy(self._in_use, 0.0 if is_behind else MOST_WAITED_S)
        new = merge(self._folder, self._state, group, pause=pauses.pause)
        with self._state.begin() as tx:
            swapped = manifest.swap(tx, group, *new)
            if swapped:
                self._fields.note(tx, frozenset().union(*(one.fields for one in new)))
        for segment in group if swapped else new:
            self._in_use.remove(self._folder / segment.path)
        return swapped
