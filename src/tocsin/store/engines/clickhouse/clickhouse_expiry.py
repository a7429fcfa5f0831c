"""What of the events in ClickHouse may go, as one condition that the database counts by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlglot import exp

from tocsin.store.engines.clickhouse.clickhouse_client import ClickHouse
from tocsin.store.engines.clickhouse.clickhouse_dialect import number, retold
from tocsin.store.engines.clickhouse.clickhouse_queries import EventTable
from tocsin.store.engines.clickhouse.clickhouse_rows import micros, moment_of
from tocsin.store.engines.clickhouse.clickhouse_search import ClickHouseSearch, numbers_of
from tocsin.store.engines.clickhouse.clickhouse_tables import NUMBER
from tocsin.store.engines.clickhouse.clickhouse_writes import ClickHouseWrites, Replaced
from tocsin.store.engines.state.number_ranges import NumberRanges
from tocsin.store.keeping import (
    FIRST_EVENT,
    FIRST_INTAKE,
    MOST_AHEAD,
    CountedFrom,
    DiskSpace,
    Expiry,
    Lot,
    Span,
)
from tocsin.store.lucene import compile_filter
from tocsin.store.ports import Segment
from tocsin.store.predicates import any_of

_MOST_WHOLE = 500
"""Segments a step takes out whole: their rows go in one short transaction."""
_MOST_ROWS, _MOST_REWRITTEN = 2_000_000, 4
"""Segments a step writes anew have so many rows together (or there is one), and are so many."""
FoundBy = Callable[[str], exp.Expr]
"""What rows meet that a filter finds."""
_DAY_US = 86_400_000_000
_DISKS = exp.table_("disks", db="system")
_TIME = exp.column("time", quoted=True)
_RECEIVED = exp.column("ingested_at", quoted=True)


@dataclass(frozen=True, slots=True)
class Step:
    """A bounded part of what is due: which segments, and what takes the place of each."""

    changed: tuple[Replaced, ...]
    lots: tuple[Lot, ...]
    is_all: bool


class ClickHouseExpiry:
    """Counts what is due in the published rows, and takes it out step by step."""

    def __init__(
        self, clickhouse: ClickHouse, writes: ClickHouseWrites, search: ClickHouseSearch
    ) -> None:
        self._clickhouse = clickhouse
        self._writes = writes
        self._search = search

    def disk(self) -> DiskSpace:
        sums = [
            exp.alias_(exp.Sum(this=exp.column(name)), name)
            for name in ("total_space", "free_space")
        ]
        (row,) = self._clickhouse.select(exp.select(*sums).from_(_DISKS))
        return DiskSpace(row["total_space"], row["free_space"])

    def lots(self) -> list[Lot]:
        return self._counted(self._writes.counting(), exp.true())

    def due(self, expiries: Sequence[Expiry]) -> list[Lot]:
        goes = going_rows(expiries, self._found)
        return self._counted(self._writes.counting(), goes) if expiries else []

    def step(self, expiries: Sequence[Expiry], segments: Sequence[Segment]) -> Step:
        """Whole segments as long as there are any, the oldest intake first; then others."""
        goes = going_rows(expiries, self._found)
        going = self._going(_numbers(segments), goes) if expiries else {}
        due: list[tuple[Segment, int]] = []
        for segment in sorted(segments, key=lambda one: (one.first_event_id, one.id)):
            mine = NumberRanges.read(segment.path)
            events = sum(count for taken, count in going.items() if taken in mine)
            if events:
                due.append((segment, events))
        whole = [segment for segment, events in due if events == segment.rows]
        now = whole[:_MOST_WHOLE] or _bounded([segment for segment, _ in due])
        lots = tuple(self._counted(_numbers(now), goes)) if now else ()
        changed: list[Replaced] = [(segment, None) for segment in now]
        if not whole:
            changed = [one for segment in now if (one := self._writes.without(segment, goes))]
        return Step(tuple(changed), lots, len(now) == len(due))

    def _found(self, matching: str) -> exp.Expr:
        """What rows meet that a filter finds."""
        return retold(compile_filter(matching, self._search.catalogue()).condition)

    def _going(self, numbers: NumberRanges, goes: exp.Expr) -> dict[int, int]:
        """By number of the write, how many of its rows may go."""
        table = EventTable(self._clickhouse.database, numbers)
        count = exp.alias_(exp.Count(this=exp.Star()), "events")
        query = (
            table.select(NUMBER, count)
            .where(exp.and_(table.published(), exp.paren(goes.copy())))
            .group_by(NUMBER)
        )
        return {row[NUMBER]: row["events"] for row in self._clickhouse.select(query)}

    def _counted(self, numbers: NumberRanges, goes: exp.Expr) -> list[Lot]:
        table = EventTable(self._clickhouse.database, numbers)
        day = exp.Anonymous(this="intDiv", expressions=[_RECEIVED.copy(), number(_DAY_US)])
        extremes = [
            exp.alias_(exp.Anonymous(this=function, expressions=[column.copy()]), f"{end}_{name}")
            for name, column in (("time", _TIME), ("received", _RECEIVED))
            for function, end in (("min", "first"), ("max", "last"))
        ]
        query = (
            table.select(
                *("tenant", "source"),
                exp.alias_(day, "day"),
                exp.alias_(exp.Count(this=exp.Star()), "events"),
                *extremes,
            )
            .where(exp.and_(table.published(), exp.paren(goes.copy())))
            .group_by("tenant", "source", "day")
            .order_by("day", "tenant", "source")
        )
        rows = self._clickhouse.select(query)
        each = self._writes.size_of(sum(row["events"] for row in rows)) if rows else 0
        total = sum(row["events"] for row in rows)
        return [_lot(row, each / max(1, total)) for row in rows]


def _bounded(segments: Sequence[Segment]) -> list[Segment]:
    now: list[Segment] = []
    for segment in segments[:_MOST_REWRITTEN]:
        if now and sum(one.rows for one in [*now, segment]) > _MOST_ROWS:
            break
        now.append(segment)
    return now


def going_rows(expiries: Sequence[Expiry], found_by: FoundBy) -> exp.Expr:
    """What rows meet that may go; see ``Expiry``."""
    seen: set[tuple[str, str]] = set()
    for one in expiries:
        if (one.tenant, one.source) in seen:
            raise ValueError(f"two expiries of the source {one.source!r}: give the later of both")
        seen.add((one.tenant, one.source))
    return any_of([exp.paren(_may_go(one, found_by)) for one in expiries])


def _may_go(one: Expiry, found_by: FoundBy) -> exp.Expr:
    tests = [
        exp.EQ(this=exp.column("tenant", quoted=True), expression=exp.Literal.string(one.tenant)),
        exp.EQ(this=exp.column("source", quoted=True), expression=exp.Literal.string(one.source)),
        # Where no moment is believable the event stays: null must not be taken for either.
        exp.func(
            "ifNull", exp.LT(this=_since(one.counted_from), expression=_at(one.before)), exp.false()
        ),
    ]
    tests += [exp.not_(_of_time(span)) for span in one.spared]
    for held in one.held:
        found = exp.func("ifNull", exp.paren(found_by(held.matching)), exp.false())
        tests.append(exp.not_(exp.paren(exp.and_(_of_time(held.span), found))))
    return exp.and_(*tests)


def _since(counted_from: CountedFrom) -> exp.Expr:
    """The moment each event's age counts from; null where none is believable."""
    is_sure = exp.GTE(this=_RECEIVED.copy(), expression=_at(FIRST_INTAKE))
    otherwise = _if(
        exp.GTE(this=_TIME.copy(), expression=_at(FIRST_INTAKE)), _TIME.copy(), exp.null()
    )
    since = _if(is_sure.copy(), _RECEIVED.copy(), otherwise)
    if counted_from is CountedFrom.INTAKE:
        return since
    ahead = exp.Add(
        this=_RECEIVED.copy(), expression=number(MOST_AHEAD // timedelta(microseconds=1))
    )
    believed = exp.and_(
        is_sure,
        exp.GTE(this=_TIME.copy(), expression=_at(FIRST_EVENT)),
        exp.LTE(this=_TIME.copy(), expression=ahead),
    )
    return _if(believed, _TIME.copy(), since)


def _of_time(span: Span) -> exp.Expr:
    return exp.paren(exp.or_(_inside(_TIME, span), _inside(_RECEIVED, span)))


def _inside(column: exp.Expr, span: Span) -> exp.Expr:
    tests: list[exp.Expr] = []
    if span.start is not None:
        tests.append(exp.GTE(this=column.copy(), expression=_at(span.start)))
    if span.end is not None:
        tests.append(exp.LT(this=column.copy(), expression=_at(span.end)))
    return exp.paren(exp.and_(*tests)) if tests else exp.true()


def _lot(row: dict[str, Any], bytes_each: float) -> Lot:
    return Lot(
        tenant=row["tenant"].decode(),
        source=row["source"].decode(),
        day=moment_of(row["day"] * _DAY_US).date(),
        events=row["events"],
        size_bytes=round(row["events"] * bytes_each),
        first_time=moment_of(row["first_time"]),
        last_time=moment_of(row["last_time"]),
        first_received=moment_of(row["first_received"]),
        last_received=moment_of(row["last_received"]),
    )


def _numbers(segments: Sequence[Segment]) -> NumberRanges:
    return numbers_of(list(segments))


def _if(test: exp.Expr, then: exp.Expr, otherwise: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="if", expressions=[test, then, otherwise])


def _at(moment: datetime) -> exp.Expr:
    return number(micros(moment))
