"""Answers the logical query from ClickHouse: pages, histograms, top values, single events."""

from dataclasses import dataclass
from time import perf_counter

from sqlglot import exp

from tocsin.store.engines.clickhouse.clickhouse_client import ClickHouse
from tocsin.store.engines.clickhouse.clickhouse_dialect import ClickHouseFields
from tocsin.store.engines.clickhouse.clickhouse_queries import EventTable
from tocsin.store.engines.clickhouse.clickhouse_rows import (
    SELECTED,
    WITHOUT_NATIVE,
    micros,
    moment_of,
    stored_event,
)
from tocsin.store.engines.parquet import event_queries as build
from tocsin.store.engines.parquet.event_search import bucket, candidates
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.number_ranges import NumberRanges
from tocsin.store.lucene import Filter, compile_filter
from tocsin.store.ports import Segment, StateStore
from tocsin.store.query import Bucket, EventPage, EventQuery, StoredEvent, TopValue
from tocsin.store.stop_signal import StopSignal


@dataclass(frozen=True, slots=True)
class Looked:
    """One query's look: what its filter means, the segments that may match, and the rows."""

    found: Filter
    segments: list[Segment]
    table: EventTable


class ClickHouseSearch:
    """Looks through the published rows; safe to use from many threads."""

    def __init__(self, clickhouse: ClickHouse, state: StateStore) -> None:
        self._clickhouse = clickhouse
        self._state = state
        self._known = (0, ClickHouseFields())

    def search(self, query: EventQuery, stop: StopSignal | None = None) -> EventPage:
        started = perf_counter()
        after = build.read_cursor(query.cursor)
        looked = self.look(query, stop)
        where = looked.table.matching(query, looked.found)
        total, places = 0, []
        if looked.segments:
            (counted,) = self._clickhouse.select(looked.table.count(where), stop)
            total = counted["matches"]
            page = looked.table.page(where, query.size + 1, after, query.oldest_first)
            places = [
                (row["time"], row["event_id"].decode())
                for row in self._clickhouse.select(page, stop)
            ]
        shown = places[: query.size]
        has_more = len(places) > len(shown) and shown
        last = (moment_of(shown[-1][0]), shown[-1][1]) if has_more else None
        return EventPage(
            events=tuple(self._events(looked.table, shown, query.with_native, stop)),
            total=total,
            next_cursor=build.write_cursor(last) if last else None,
            searched_segments=len(looked.segments),
            searched_rows=sum(segment.rows for segment in looked.segments),
            took_ms=(perf_counter() - started) * 1000,
        )

    def histogram(
        self, query: EventQuery, buckets: int, stop: StopSignal | None = None
    ) -> list[Bucket]:
        """``buckets`` equal spans over the query's range (of all its segments when open)."""
        looked = self.look(query, stop)
        if not looked.segments:
            return []
        start = query.start or min(segment.first_time for segment in looked.segments)
        newest = max(segment.last_time for segment in looked.segments)
        first = micros(start)
        last = micros(query.end) if query.end else micros(newest) + 1
        origin, width = build.grid(first, last, buckets)
        where = looked.table.matching(query, looked.found)
        counts: dict[int, dict[int, int]] = {}
        for row in self._clickhouse.select(looked.table.histogram(where, origin, width), stop):
            counts.setdefault(row["bucket"], {})[row["severity"]] = row["matches"]
        starts = [first, *range(origin + width, last, width)]
        return [
            bucket(begun, origin + (at + 1) * width - begun, last, counts.get(at, {}))
            for at, begun in enumerate(starts)
        ]

    def top_values(
        self, query: EventQuery, name: str, size: int, stop: StopSignal | None = None
    ) -> list[TopValue]:
        columns = self.catalogue().columns(name)
        looked = self.look(query, stop)
        if not looked.segments:
            return []
        where = looked.table.matching(query, looked.found)
        rows = self._clickhouse.select(looked.table.top_values(where, columns, size), stop)
        return [TopValue(row["value"].decode(), row["matches"]) for row in rows]

    def get(self, event_id: str) -> StoredEvent | None:
        with self._state.read() as tx:
            held = manifest.holding(tx, event_id)
        if not held:
            return None
        literal = exp.Literal.string(event_id.replace("\x00", ""))
        wanted = exp.EQ(this=exp.column("event_id", quoted=True), expression=literal)
        table = self.table_of(held)
        query = table.select(*SELECTED).where(exp.and_(table.published(), wanted)).limit(1)
        rows = self._clickhouse.select(query)
        return stored_event(rows[0]) if rows else None

    def catalogue(self) -> ClickHouseFields:
        with self._state.read() as tx:
            count = manifest.field_count(tx)  # fields are only ever added
            if self._known[0] != count:
                self._known = (count, ClickHouseFields(manifest.fields(tx)))
            return self._known[1]

    def table_of(self, segments: list[Segment]) -> EventTable:
        return EventTable(self._clickhouse.database, numbers_of(segments))

    def look(self, query: EventQuery, stop: StopSignal | None) -> Looked:
        """What is to be looked at; ``QueryStopped`` when it shall not be."""
        if stop is not None:
            stop.check()
        found = compile_filter(query.text, self.catalogue())
        with self._state.read() as tx:
            segments = manifest.between(tx, query.start, query.end)
            chosen = candidates(tx, query, found)
        return Looked(found, chosen, self.table_of(segments))

    def _events(
        self,
        table: EventTable,
        places: list[tuple[int, str]],
        with_native: bool,
        stop: StopSignal | None,
    ) -> list[StoredEvent]:
        if not places:
            return []
        columns = SELECTED if with_native else WITHOUT_NATIVE
        rows = self._clickhouse.select(table.events(places, columns), stop)
        events = {(row["time"], row["event_id"].decode()): stored_event(row) for row in rows}
        return [events[place] for place in places if place in events]


def numbers_of(segments: list[Segment]) -> NumberRanges:
    """The numbers whose rows make up the segments."""
    return NumberRanges.of(
        one for segment in segments for one in NumberRanges.read(segment.path).ranges
    )
