"""Finds the events of a page, opening as few segments as can be."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlglot import exp

from tocsin.store.engines.parquet import event_queries as build
from tocsin.store.engines.parquet.event_rows import event_columns, stored_event
from tocsin.store.engines.parquet.page_reach import Hits, reach
from tocsin.store.engines.parquet.segment_scan import Scan
from tocsin.store.ports import Segment
from tocsin.store.predicates import timestamp
from tocsin.store.query import EventQuery, StoredEvent

_LOOKED_AT = 64
"""Segments among which the one is chosen that tells how far back a page reaches."""
_READ_TOGETHER = 4
"""Segments whose events are read whole by one query: each takes memory for all columns."""
_FEW = 20_000
"""Matches of unknown times that are read with the others, without asking first where they lie."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where one event of a page lies."""

    time: datetime
    event_id: str
    segment: Segment
    row: int


def find_hits(scan: Scan, oldest_first: bool) -> list[Hits]:
    """Segments with matches in the order of the page; files of which all is known stay closed."""
    hits: list[Hits] = []
    to_open: dict[str, Segment] = {}
    for segment in scan.segments:
        count = scan.narrowing.count(segment) if scan.narrowing is not None else None
        if count is None:
            to_open[scan.path(segment)] = segment
        elif count:
            hits.append(Hits(segment, count, segment.first_time, segment.last_time))
    rows = scan.rows(lambda table: build.hits(table, exp.true()), list(to_open.values()))
    for path, count, first, last in rows:
        hits.append(Hits(to_open[path], count, _aware(first), _aware(last)))
    if oldest_first:
        return sorted(hits, key=lambda hit: hit.first)
    return sorted(hits, key=lambda hit: hit.last, reverse=True)


def first_places(
    scan: Scan, query: EventQuery, hits: list[Hits], after: build.Place | None
) -> list[Found]:
    """The first ``size + 1`` matches after ``after``.

    Where it is known how many events each minute has, only segments with some of the last minutes
    are opened. Else some matches are looked for where they lie close together, then in all segments
    that may have others before the last of these.
    """
    oldest_first = query.oldest_first
    if after is not None:
        hits = [hit for hit in hits if hit.reaches(after[0], not oldest_first)]
    page = _Page(scan, query.size + 1, after, oldest_first)
    page.add_timed(hits)
    if len(page.places) == page.wanted:
        return page.places
    page.places.clear()
    while hits and len(page.places) < page.wanted:
        chosen = _nearest(hits, page.wanted)
        page.add(chosen, None)
        hits = [hit for hit in hits if hit not in chosen]
    if hits:
        bound = page.places[-1].time
        page.add([hit for hit in hits if hit.reaches(bound, oldest_first)], bound)
    return page.places


def _nearest(hits: list[Hits], wanted: int) -> list[Hits]:
    enough = [hit for hit in hits[:_LOOKED_AT] if hit.count >= wanted]
    if enough:
        return [max(enough, key=_per_s)]
    taken = count = 0
    while taken < len(hits) and count < wanted:
        count += hits[taken].count
        taken += 1
    return hits[:taken]


def _per_s(hit: Hits) -> float:
    return hit.count / ((hit.last - hit.first) / timedelta(seconds=1) + 1)


@dataclass(slots=True)
class _Page:
    scan: Scan
    wanted: int
    after: build.Place | None
    oldest_first: bool
    places: list[Found]

    def __init__(
        self, scan: Scan, wanted: int, after: build.Place | None, oldest_first: bool
    ) -> None:
        self.scan, self.wanted = scan, wanted
        self.after, self.oldest_first = after, oldest_first
        self.places = []

    def add_timed(self, hits: list[Hits]) -> None:
        """Take in what is needed, as far as it is known in which minutes it is.

        Too little is taken in where a segment turns out to be damaged.
        """
        narrowing = self.scan.narrowing
        if narrowing is None:
            return
        bound = reach(narrowing, hits, self.wanted, self.after, self.oldest_first)
        if bound is None:
            return
        within = [hit for hit in hits if hit.reaches(bound, self.oldest_first)]
        untimed = (hit.count for hit in within if narrowing.minutes(hit.segment) is None)
        if sum(untimed) <= _FEW:
            self.add(within, bound)

    def add(self, hits: list[Hits], bound: datetime | None) -> None:
        """Take in matches of these segments; none beyond ``bound`` is wanted."""
        where: exp.Expr = exp.true()
        if bound is not None:
            within = exp.LTE if self.oldest_first else exp.GTE
            where = within(this=build.TIME.copy(), expression=timestamp(bound))
        by_path = {self.scan.path(hit.segment): hit.segment for hit in hits}
        rows = self.scan.rows(
            lambda table: build.page(table, where, self.wanted, self.after, self.oldest_first),
            list(by_path.values()),
        )
        self.places += [
            Found(_aware(time), id_, by_path[path], row) for time, id_, path, row in rows
        ]
        self.places.sort(
            key=lambda place: (place.time, place.event_id), reverse=not self.oldest_first
        )
        del self.places[self.wanted :]


def events_at(scan: Scan, places: list[Found], with_native: bool = True) -> list[StoredEvent]:
    """The events that lie there, whole or without native fields."""
    rows_of: dict[str, list[int]] = {}
    for place in places:
        rows_of.setdefault(place.segment.id, []).append(place.row)
    segments = list({place.segment.id: place.segment for place in places}.values())
    events: dict[str, StoredEvent] = {}
    for at in range(0, len(segments), _READ_TOGETHER):
        found = scan.rows(
            lambda table: exp.select(*event_columns(with_native), copy=False).from_(
                table, copy=False
            ),
            segments[at : at + _READ_TOGETHER],
            at=rows_of,
        )
        events |= {row[0]: stored_event(row) for row in found}
    return [events[place.event_id] for place in places if place.event_id in events]


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
