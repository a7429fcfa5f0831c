"""Answers the logical query over segments: pages, histograms, top values, single events."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from sqlglot import exp

from tocsin.store.engines import event_queries as build
from tocsin.store.engines import event_streaming, manifest
from tocsin.store.engines.cold_shelf import ColdShelf
from tocsin.store.engines.duckdb_reader import DuckDbReader
from tocsin.store.engines.event_rows import event_columns, stored_event
from tocsin.store.engines.segment_scan import Scan, SegmentsChanged
from tocsin.store.event_stream import EventStream
from tocsin.store.fields import FieldCatalogue
from tocsin.store.lucene import Filter, compile_filter
from tocsin.store.ports import QueryError, Segment, StateStore
from tocsin.store.query import Bucket, EventPage, EventQuery, StoredEvent, TopValue
from tocsin.store.stop_signal import StopSignal

_TRIES = 5
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Hits:
    """How many events of one segment match, and between which times."""

    segment: Segment
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class _Found:
    """Where one event of a page lies."""

    time: datetime
    event_id: str
    segment: Segment
    row: int


class EventSearch:
    """Looks into the segments of one folder; safe to use from many threads."""

    def __init__(
        self, folder: Path, state: StateStore, reader: DuckDbReader, shelf: ColdShelf
    ) -> None:
        self._folder = folder
        self._shelf = shelf
        self._state = state
        self._reader = reader
        self._known = (0, FieldCatalogue())

    def search(self, query: EventQuery, stop: StopSignal | None = None) -> EventPage:
        after = build.read_cursor(query.cursor)
        found = compile_filter(query.text, self.catalogue())

        def page(scan: Scan) -> EventPage:
            hits = _hits(scan, query, found)
            places = _first_places(scan, query, found, hits, after) if query.size else []
            shown = places[: query.size]
            events = _events(scan, shown)
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

        return self.answer(page, lambda tx: candidates(tx, query, found), stop)

    def histogram(
        self, query: EventQuery, buckets: int, stop: StopSignal | None = None
    ) -> list[Bucket]:
        """``buckets`` equal spans over the query's range (of all its segments when open)."""
        found = compile_filter(query.text, self.catalogue())

        def count(scan: Scan) -> list[Bucket]:
            if not scan.segments:
                return []
            start = query.start or min(segment.first_time for segment in scan.segments)
            newest = max(segment.last_time for segment in scan.segments)
            first = build.micros(start)
            last = build.micros(query.end) if query.end else build.micros(newest) + 1
            width = max(1, -(-(last - first) // buckets))
            counts: dict[int, dict[int, int]] = {}
            where = build.condition(query, found)
            for number, severity, events in scan.rows(
                lambda table: build.histogram(table, where, first, width)
            ):
                counts.setdefault(number, {})[severity] = events
            return [
                bucket(first + number * width, width, last, counts.get(number, {}))
                for number in range(buckets)
                if first + number * width < last
            ]

        return self.answer(count, lambda tx: candidates(tx, query, found), stop)

    def top_values(
        self, query: EventQuery, name: str, size: int, stop: StopSignal | None = None
    ) -> list[TopValue]:
        catalogue = self.catalogue()
        found = compile_filter(query.text, catalogue)
        columns = catalogue.columns(name)

        def count(scan: Scan) -> list[TopValue]:
            where = build.condition(query, found)
            rows = scan.rows(lambda table: build.top_values(table, where, columns, size))
            return [TopValue(value, events) for value, events in rows]

        return self.answer(count, lambda tx: candidates(tx, query, found), stop)

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
                hits = _hits(scan, query, found)
                segments = scan.at_hand([hit.segment for hit in hits])
                paths = stack.enter_context(event_streaming.held(self._folder, scan, segments))
                where = build.condition(query, found)
                batches = event_streaming.batches(self._reader, paths, selected, where, stop)
                return EventStream(sum(hit.count for hit in hits), batches, tuple(scan.problems))

            yield self.answer(begin, lambda tx: candidates(tx, query, found), stop)

    def get(self, event_id: str) -> StoredEvent | None:
        literal = exp.Literal.string(event_id.replace("\x00", ""))
        wanted = exp.EQ(this=build.EVENT_ID.copy(), expression=literal)

        def find(scan: Scan) -> StoredEvent | None:
            rows = scan.rows(
                lambda table: exp.select(*event_columns()).from_(table).where(wanted).limit(1)
            )
            return stored_event(rows[0]) if rows else None

        return self.answer(find, lambda tx: manifest.holding(tx, event_id))

    def answer(
        self,
        ask: Callable[[Scan], _Answer],
        choose: Callable[[Any], list[Segment]],
        stop: StopSignal | None = None,
    ) -> _Answer:
        """What ``ask`` says about the segments chosen; asked again when one is merged away."""
        for _ in range(_TRIES):
            if stop is not None:
                stop.check()
            with self._state.read() as tx:
                segments = choose(tx)
            try:
                scan = Scan(
                    *(self._folder, self._state, self._reader, segments, stop),
                    cold=self._shelf.hold(),
                )
                return ask(scan)
            except SegmentsChanged:
                continue
        raise QueryError("segments kept changing while the query ran; ask again")

    def catalogue(self) -> FieldCatalogue:
        with self._state.read() as tx:
            count = manifest.field_count(tx)  # fields are only ever added
            if self._known[0] != count:
                self._known = (count, FieldCatalogue(manifest.fields(tx)))
            return self._known[1]


def candidates(tx: Any, query: EventQuery, found: Filter) -> list[Segment]:
    """Segments that may hold what is asked for, newest first."""
    return [
        segment
        for segment in manifest.between(tx, query.start, query.end)
        if _may_hold(found.sources, segment.sources) and _may_hold(found.lanes, segment.lanes)
    ]


def _may_hold(wanted: frozenset[str] | None, held: tuple[str, ...]) -> bool:
    return wanted is None or any(name.lower() in wanted for name in held)


def _hits(scan: Scan, query: EventQuery, found: Filter) -> list[_Hits]:
    """Segments with matches in the order of the page; wholly matching files stay closed."""
    hits: list[_Hits] = []
    to_open: dict[str, Segment] = {}
    for segment in scan.segments:
        if (
            found.is_everything
            and (query.start is None or query.start <= segment.first_time)
            and (query.end is None or segment.last_time < query.end)
        ):
            hits.append(_Hits(segment, segment.rows, segment.first_time, segment.last_time))
        else:
            to_open[scan.path(segment)] = segment
    where = build.condition(query, found)
    rows = scan.rows(lambda table: build.hits(table, where), list(to_open.values()))
    for path, count, first, last in rows:
        hits.append(_Hits(to_open[path], count, _aware(first), _aware(last)))
    if query.oldest_first:
        return sorted(hits, key=lambda hit: hit.first)
    return sorted(hits, key=lambda hit: hit.last, reverse=True)


def _first_places(
    scan: Scan, query: EventQuery, found: Filter, hits: list[_Hits], after: build.Place | None
) -> list[_Found]:
    """The first ``size + 1`` matches after ``after``, opening as few segments as can be."""
    wanted, oldest_first = query.size + 1, query.oldest_first
    if after is not None:
        hits = [hit for hit in hits if _reaches_beyond(hit, after[0], oldest_first)]
    where = build.condition(query, found)
    places: list[_Found] = []
    while hits:
        taken, count = 0, 0
        while taken < len(hits) and count < wanted:
            count += hits[taken].count
            taken += 1
        by_path = {scan.path(hit.segment): hit.segment for hit in hits[:taken]}
        hits = hits[taken:]
        rows = scan.rows(
            lambda table: build.page(table, where, wanted, after, oldest_first),
            list(by_path.values()),
        )
        places += [_Found(_aware(time), id_, by_path[path], row) for time, id_, path, row in rows]
        places.sort(key=lambda place: (place.time, place.event_id), reverse=not oldest_first)
        del places[wanted:]
        if len(places) == wanted and hits and not _reaches(hits[0], places[-1].time, oldest_first):
            break
    return places


def _reaches(hit: _Hits, time: datetime, oldest_first: bool) -> bool:
    return hit.first <= time if oldest_first else hit.last >= time


def _reaches_beyond(hit: _Hits, time: datetime, oldest_first: bool) -> bool:
    return hit.last >= time if oldest_first else hit.first <= time


def _events(scan: Scan, places: list[_Found]) -> list[StoredEvent]:
    rows_of: dict[str, list[int]] = {}
    for place in places:
        rows_of.setdefault(scan.path(place.segment), []).append(place.row)
    where = build.rows_at(rows_of)
    segments = list({place.segment.id: place.segment for place in places}.values())
    found = scan.rows(
        lambda table: exp.select(*event_columns()).from_(table).where(where), segments
    )
    events = {row[0]: stored_event(row) for row in found}
    return [events[place.event_id] for place in places if place.event_id in events]


def bucket(first: int, width: int, last: int, by: dict[int, int]) -> Bucket:
    return Bucket(
        start=build.moment_of(first),
        end=build.moment_of(min(first + width, last)),
        count=sum(by.values()),
        by=dict(sorted(by.items())),
    )


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
