"""The queries over ClickHouse's table of events as SQL trees."""

from collections.abc import Iterable

from sqlglot import exp

from tocsin.store.engines.clickhouse.clickhouse_dialect import number, retold
from tocsin.store.engines.clickhouse.clickhouse_rows import micros
from tocsin.store.engines.clickhouse.clickhouse_tables import EVENTS, NUMBER
from tocsin.store.engines.parquet.event_queries import Place
from tocsin.store.engines.state.number_ranges import NumberRanges
from tocsin.store.fields import Column
from tocsin.store.lucene import Filter
from tocsin.store.predicates import any_of, exists
from tocsin.store.query import EventQuery

_TIME = exp.column("time", quoted=True)
_EVENT_ID = exp.column("event_id", quoted=True)
_VALUE = exp.column("value", quoted=True)


class EventTable:
    """Queries over the rows of one database that came with ``counting`` numbers."""

    def __init__(self, database: str, counting: NumberRanges) -> None:
        self._table = exp.table_(EVENTS, db=database, quoted=True)
        self._counting = counting

    def name(self) -> exp.Table:
        return self._table.copy()

    def delete(self) -> exp.Expr:
        return exp.delete(self._table.copy(), where=self.published())

    def matching(self, query: EventQuery, found: Filter) -> exp.Expr:
        """What rows must meet to be among the events found."""
        tests = [self.published()]
        if query.start is not None:
            tests.append(exp.GTE(this=_TIME.copy(), expression=number(micros(query.start))))
        if query.end is not None:
            tests.append(exp.LT(this=_TIME.copy(), expression=number(micros(query.end))))
        if not found.is_everything:
            tests.append(exp.paren(retold(found.condition)))
        return exp.and_(*tests)

    def published(self) -> exp.Expr:
        return within(self._counting)

    def select(self, *columns: exp.Expr | str) -> exp.Select:
        return exp.select(*(_column(column) for column in columns)).from_(self._table.copy())

    def count(self, where: exp.Expr) -> exp.Expr:
        return self.select(exp.alias_(_count(), "matches")).where(where)

    def page(
        self, where: exp.Expr, size: int, after: Place | None, oldest_first: bool
    ) -> exp.Select:
        """Time and id of the first ``size`` matches that come after ``after``."""
        query = self.select("time", "event_id").where(where)
        if after is not None:
            moment, event_id = number(micros(after[0])), exp.Literal.string(after[1])
            beyond = exp.GT if oldest_first else exp.LT
            same_time = exp.and_(
                exp.EQ(this=_TIME.copy(), expression=moment.copy()),
                beyond(this=_EVENT_ID.copy(), expression=event_id),
            )
            query = query.where(
                exp.or_(beyond(this=_TIME.copy(), expression=moment), exp.paren(same_time))
            )
        order = [exp.Ordered(this=key.copy(), desc=not oldest_first) for key in (_TIME, _EVENT_ID)]
        return query.order_by(*order).limit(size)

    def events(self, places: Iterable[tuple[int, str]], columns: Iterable[str]) -> exp.Select:
        """The rows at those times with those ids."""
        listed = list(places)
        times = sorted({time for time, _ in listed})
        among = _TIME.copy().isin(*(number(time) for time in times))
        named = _EVENT_ID.copy().isin(*(exp.Literal.string(event_id) for _, event_id in listed))
        return self.select(*columns).where(exp.and_(self.published(), among, named))

    def histogram(self, where: exp.Expr, first: int, width: int) -> exp.Select:
        """Number of the bucket, severity id (0 for none), matches."""
        since = exp.paren(exp.Sub(this=_TIME.copy(), expression=number(first)))
        bucket = exp.Anonymous(this="intDiv", expressions=[since, number(width)])
        severity = exp.Coalesce(
            this=exp.column("severity_id", quoted=True), expressions=[number(0)]
        )
        return (
            self.select(
                exp.alias_(bucket, "bucket"),
                exp.alias_(severity, "severity"),
                exp.alias_(_count(), "matches"),
            )
            .where(where)
            .group_by("bucket", "severity")
        )

    def top_values(self, where: exp.Expr, columns: list[Column], size: int) -> exp.Select:
        """Value and matches that have it, most frequent first."""
        return (
            exp.select(_VALUE.copy(), exp.alias_(_count(), "matches"))
            .from_(self.values(where, columns).subquery("found"))
            .where(exp.not_(exp.Is(this=_VALUE.copy(), expression=exp.null())))
            .group_by(_VALUE.copy())
            .order_by(exp.Ordered(this=exp.column("matches"), desc=True), _VALUE.copy())
            .limit(size)
        )

    def values(self, where: exp.Expr, columns: list[Column]) -> exp.Select:
        """``value`` of each match that has the field, once a member of a list."""
        parts = [retold(column.value if column.is_list else column.text) for column in columns]
        present = retold(any_of([exists(column) for column in columns]))
        if any(column.is_list for column in columns):
            lists = [
                part if column.is_list else _list_of(part)
                for column, part in zip(columns, parts, strict=True)
            ]
            value: exp.Expr = exp.Anonymous(this="arrayJoin", expressions=[_first_filled(lists)])
        else:
            value = (
                parts[0] if len(parts) == 1 else exp.Coalesce(this=parts[0], expressions=parts[1:])
            )
        return self.select(exp.alias_(value, "value", quoted=True)).where(where).where(present)


def within(numbers: NumberRanges) -> exp.Expr:
    """Rows that came with one of the numbers."""
    column = exp.column(NUMBER, quoted=True)
    return exp.paren(
        any_of(
            [
                exp.Between(this=column.copy(), low=number(first), high=number(last))
                for first, last in numbers.ranges
            ]
        )
    )


def among(event_ids: Iterable[str]) -> exp.Expr:
    """Rows of these events."""
    return _EVENT_ID.copy().isin(*(exp.Literal.string(one) for one in sorted(event_ids)))


def _list_of(value: exp.Expr) -> exp.Expr:
    """A list of the value, of none where it is null."""
    is_null = exp.Is(this=value.copy(), expression=exp.null())
    empty = exp.cast(exp.Array(expressions=[]), "Array(Nullable(String))", dialect="clickhouse")
    return exp.Anonymous(this="if", expressions=[is_null, empty, exp.Array(expressions=[value])])


def _first_filled(lists: list[exp.Expr]) -> exp.Expr:
    chosen = lists[-1]
    for one in reversed(lists[:-1]):
        is_filled = exp.Anonymous(this="notEmpty", expressions=[one.copy()])
        chosen = exp.Anonymous(this="if", expressions=[is_filled, one, chosen])
    return chosen


def _count() -> exp.Expr:
    return exp.Count(this=exp.Star())


def _column(column: exp.Expr | str) -> exp.Expr:
    return exp.column(column, quoted=True) if isinstance(column, str) else column
