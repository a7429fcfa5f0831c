"""Answers the logical query over segments: pages, histograms, top values, single events."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from sqlglot import exp

from tocsin.store.engines.parquet import event_queries as build
from tocsin.store.engines.parquet import event_streaming
from tocsin.store.engines.parquet.cold_shelf import ColdShelf
from tocsin.store.engines.parquet.duckdb_reader import DuckDbReader
from tocsin.store.engines.parquet.event_paging import events_at, find_hits, first_places
from tocsin.store.engines.parquet.event_rows import event_columns, stored_event
from tocsin.store.engines.parquet.fact_counts import counts_by_time, top_values
from tocsin.store.engines.parquet.facts_book import FactsBook
from tocsin.store.engines.parquet.files_in_use import FilesInUse
from tocsin.store.engines.parquet.known_places import KnownPlaces
from tocsin.store.engines.parquet.narrowing import Narrowing
from tocsin.store.engines.parquet.segment_scan import Scan, SegmentsChanged
from tocsin.store.engines.parquet.value_index import ValueIndex
from tocsin.store.engines.state import manifest
from tocsin.store.event_stream import EventStream
from tocsin.store.fields import FieldCatalogue
from tocsin.store.lucene import Filter, compile_filter
from tocsin.store.ports import QueryError, Segment, StateStore
from tocsin.store.query import Bucket, EventPage, EventQuery, StoredEvent, TopValue
from tocsin.store.stop_signal import StopSignal

_TRIES = 5
_Answer = TypeVar("_Answer")


class EventSearch:
    """Looks into the segments of one folder; safe to use from many threads."""

    def __init__(
        self,
        folder: Path,
        state: StateStore,
        reader: DuckDbReader,
        shelf: ColdShelf,
        in_use: FilesInUse,
    ) -> None:
        self._folder = folder
        self._in_use = in_use
        self._shelf = shelf
        self._state = state
        self.reader = reader
        self._known = (0, FieldCatalogue())
        self._facts = FactsBook(state)
        self._index = ValueIndex(reader)
        self._places = KnownPlaces()

    def search(self, query: EventQuery, stop: StopSignal | None = None) -> EventPage:
        after = build.read_cursor(query.cursor)
        found = compile_filter(query.text, self.catalogue())

        def page(scan: Scan) -> EventPage:
            hits = find_hits(scan, query.oldest_first)
            places = first_places(scan, query, hits, after) if query.size else []
            shown = places[: query.size]
            events = events_at(scan, shown, query.with_native)
            self._places.note(shown, events)
            has_more = len(places) > len(shown) and shown
            last = shown[-1] if has_more else None
            return EventPage(
                events=tuple(events),
                total=sum(hit.count for hit in hits),
                next_cursor=build.write_cursor((last.time, last.event_id)) if last else None,
                searched_segments=len(scan.segments),
                searched_rows=sum(segment.rows for segment in scan.segments),
                took_ms=(perf_counter() - scan.started) * 1000,
                problems=tuple(scan.problems),
            )

        return self.narrowed(page, query, found, stop)

    def histogram(
        self, query: EventQuery, buckets: int, stop: StopSignal | None = None
    ) -> list[Bucket]:
        """``buckets`` equal spans over the query's range (of all its segments when open)."""
        found = compile_filter(query.text, self.catalogue())

        def count(scan: Scan) -> list[Bucket]:
            if not scan.spanned:
                return []
            start = query.start or min(segment.first_time for segment in scan.spanned)
            newest = max(segment.last_time for segment in scan.spanned)
            first = build.micros(start)
            last = build.micros(query.end) if query.end else build.micros(newest) + 1
            origin, width = build.grid(first, last, buckets)
            starts = [first, *range(origin + width, last, width)]
            counts = counts_by_time(scan, _of(scan), origin, width, len(starts))
            return [
                bucket(start, origin + (number + 1) * width - start, last, counts.get(number, {}))
                for number, start in enumerate(starts)
            ]

        return self.narrowed(count, query, found, stop)

    def top_values(
        self, query: EventQuery, name: str, size: int, stop: StopSignal | None = None
    ) -> list[TopValue]:
        catalogue = self.catalogue()
        found = compile_filter(query.text, catalogue)
        columns = catalogue.columns(name)

        def count(scan: Scan) -> list[TopValue]:
            return top_values(scan, _of(scan), self._index, columns, size)

        return self.narrowed(count, query, found, stop)

    @contextmanager
    def stream(
        self, query: EventQuery, columns: Sequence[str] | None, stop: StopSignal | None = None
    ) -> Iterator[EventStream]:
        """All events of the query; their files stay as they are until the block ends."""
        catalogue = self.catalogue()
        found = compile_filter(query.text, catalogue)
        selected = event_streaming.selection(catalogue, columns)

        with ExitStack() as stack:

            def begin(scan: Scan) -> EventStream:
                hits = find_hits(scan, query.oldest_first)
                by_id = {hit.segment.id: hit for hit in hits}
                segments = scan.at_hand([hit.segment for hit in hits])
                paths = stack.enter_context(event_streaming.held(self._folder, scan, segments))
                parts = [(by_id[one.id], path) for one, path in zip(segments, paths, strict=True)]
                batches = event_streaming.batches(self.reader, parts, selected, query, found, stop)
                return EventStream(sum(hit.count for hit in hits), batches, tuple(scan.problems))

            yield self.narrowed(begin, query, found, stop)

    def get(self, event_id: str) -> StoredEvent | None:
        literal = exp.Literal.string(event_id.replace("\x00", ""))
        wanted = exp.EQ(this=build.EVENT_ID.copy(), expression=literal)

        def find(scan: Scan) -> StoredEvent | None:
            shown = self._places.of(event_id, scan.segments)
            if shown is not None:
                return next(iter(events_at(scan, [shown])), None)
            likely = self._places.likely(event_id, scan.segments)
            others = [one for one in scan.segments if one not in likely]
            return whole(scan, likely) or whole(scan, others)

        def whole(scan: Scan, among: list[Segment]) -> StoredEvent | None:
            rows = scan.rows(
                lambda table: exp.select(*event_columns()).from_(table).where(wanted).limit(1),
                among,
            )
            return stored_event(rows[0]) if rows else None

        return self.answer(find, lambda tx: manifest.holding(tx, event_id))

    def narrowed(
        self,
        ask: Callable[[Scan], _Answer],
        query: EventQuery,
        found: Filter,
        stop: StopSignal | None = None,
    ) -> _Answer:
        """What ``ask`` says about the segments in which events may match, and of those events."""
        return self.answer(ask, lambda tx: candidates(tx, query, found), stop, (query, found))

    def narrowing(self, query: EventQuery, segments: Sequence[Segment]) -> Narrowing:
        """What is left to ask of each of these segments."""
        found = compile_filter(query.text, self.catalogue())
        return Narrowing(query, found, self._facts.of(segments), self._index, self.reader)

    def answer(
        self,
        ask: Callable[[Scan], _Answer],
        choose: Callable[[Any], list[Segment]],
        stop: StopSignal | None = None,
        narrowed_to: tuple[EventQuery, Filter] | None = None,
    ) -> _Answer:
        """What ``ask`` says about the segments chosen, whose files stay as long as it looks.

        Asked again when one was merged away before, or by another process.

        ``narrowed_to``: the scan's tables then hold only the events that match.
        """
        for _ in range(_TRIES):
            if stop is not None:
                stop.check()
            with self._state.read() as tx:
                segments = choose(tx)
            try:
                with self._in_use.reading(self._folder / one.path for one in segments):
                    return ask(self._scan(segments, stop, narrowed_to))
            except SegmentsChanged:
                continue
        raise QueryError("segments kept changing while the query ran; ask again")

    def _scan(
        self,
        segments: list[Segment],
        stop: StopSignal | None,
        narrowed_to: tuple[EventQuery, Filter] | None,
    ) -> Scan:
        scan = Scan(self._folder, self._state, self.reader, segments, stop, cold=self._shelf.hold())
        if narrowed_to is not None:
            facts = self._facts.of(scan.segments)
            scan.narrow(Narrowing(*narrowed_to, facts, self._index, self.reader))
        return scan

    def catalogue(self) -> FieldCatalogue:
        with self._state.read() as tx:
            count = manifest.field_count(tx)  # fields are only ever added
            if self._known[0] != count:
                self._known = (count, FieldCatalogue(manifest.fields(tx)))
            return self._known[1]


def _of(scan: Scan) -> Narrowing:
    if scan.narrowing is None:
        raise TypeError("this look at segments was not narrowed to a query")
    return scan.narrowing


def candidates(tx: Any, query: EventQuery, found: Filter) -> list[Segment]:
    """Segments that may hold what is asked for, newest first."""
    return [
        segment
        for segment in manifest.between(tx, query.start, query.end)
        if _may_hold(found.sources, segment.sources) and _may_hold(found.lanes, segment.lanes)
    ]


def _may_hold(wanted: frozenset[str] | None, held: tuple[str, ...]) -> bool:
    return wanted is None or any(name.lower() in wanted for name in held)


def bucket(first: int, width: int, last: int, by: dict[int, int]) -> Bucket:
    return Bucket(
        start=build.moment_of(first),
        end=build.moment_of(min(first + width, last)),
        count=sum(by.values()),
        by=dict(sorted(by.items())),
    )
