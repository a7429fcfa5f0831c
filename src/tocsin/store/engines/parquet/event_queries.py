"""The queries over segments as SQL trees: hits, pages, histograms, top values."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlglot import exp

from tocsin.store.fields import Column
from tocsin.store.lucene import Filter
from tocsin.store.ports import QueryError
from tocsin.store.predicates import any_of, exists, timestamp
from tocsin.store.query import EventQuery

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)

TIME = exp.column("time", quoted=True)
EVENT_ID = exp.column("event_id", quoted=True)
FILE = exp.column("filename")
ROW = exp.column("file_row_number")

MINUTE_US = 60_000_000
_HOUR_US = 60 * MINUTE_US

Rows = exp.Table | exp.Subquery
Place = tuple[datetime, str]
"""Where a page ended: time and id of its last event."""
Counts = Sequence[tuple[str, int]]
"""Values and how many events have each."""


def micros(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(number: int) -> datetime:
    """The time of that many microseconds; the last one there is for all beyond year 9999."""
    return _EPOCH + timedelta(microseconds=min(number, _LAST))


def condition(query: EventQuery, found: Filter) -> exp.Expr:
    tests = time_tests(query)
    if not found.is_everything:
        tests.append(exp.paren(found.condition.copy()))
    return exp.and_(*tests) if tests else exp.true()


def time_tests(query: EventQuery) -> list[exp.Expr]:
    tests: list[exp.Expr] = []
    if query.start is not None:
        tests.append(exp.GTE(this=TIME.copy(), expression=timestamp(query.start)))
    if query.end is not None:
        tests.append(exp.LT(this=TIME.copy(), expression=timestamp(query.end)))
    return tests


def in_minutes(minutes: Sequence[int]) -> exp.Expr:
    """True of times in one of these minutes since 1970."""
    tests = [
        exp.and_(
            exp.GTE(this=TIME.copy(), expression=timestamp(moment_of(one * MINUTE_US))),
            exp.LT(this=TIME.copy(), expression=timestamp(moment_of((one + 1) * MINUTE_US))),
        )
        for one in minutes
    ]
    return exp.paren(exp.or_(*tests)) if tests else exp.false()


def grid(first: int, last: int, buckets: int) -> tuple[int, int]:
    """Where buckets over ``first <= time < last`` begin, and how wide they are (microseconds).

    Those of an hour and more begin and end with a minute: events are counted by the minute when
    segments are merged. So the first bucket may begin a little before ``first``.
    """
    width = max(1, -(-(last - first) // buckets))
    if width < _HOUR_US:
        return first, width
    origin = first - first % MINUTE_US
    minutes = -(-(last - origin) // (buckets * MINUTE_US))
    return origin, minutes * MINUTE_US


def hits(table: Rows, where: exp.Expr) -> exp.Expr:
    """File, number of matches, time of the first and of the last."""
    return (
        exp.select(FILE.copy(), exp.Count(this=exp.Star()), _call("min", TIME), _call("max", TIME))
        .from_(table)
        .where(where)
        .group_by(FILE.copy())
    )


def page(
    table: Rows, where: exp.Expr, size: int, after: Place | None, oldest_first: bool
) -> exp.Expr:
    """Time, event id, file and row of the first ``size`` matches that come after ``after``."""
    query = exp.select(TIME.copy(), EVENT_ID.copy(), FILE.copy(), ROW.copy()).from_(table)
    query = query.where(where)
    if after is not None:
        moment, event_id = timestamp(after[0]), exp.Literal.string(after[1])
        beyond = exp.GT if oldest_first else exp.LT
        same_time = exp.and_(
            exp.EQ(this=TIME.copy(), expression=moment.copy()),
            beyond(this=EVENT_ID.copy(), expression=event_id),
        )
        query = query.where(exp.or_(beyond(this=TIME.copy(), expression=moment), same_time))
    order = [exp.Ordered(this=key.copy(), desc=not oldest_first) for key in (TIME, EVENT_ID)]
    return query.order_by(*order).limit(size)


def histogram(table: Rows, where: exp.Expr, first: int, width: int) -> exp.Expr:
    """Number of the bucket, severity id (0 for none), matches."""
    since = exp.Sub(this=_call("epoch_us", TIME), expression=_integer(first))
    bucket = exp.IntDiv(this=exp.paren(since), expression=_integer(width))
    severity = exp.Coalesce(this=exp.column("severity_id", quoted=True), expressions=[_integer(0)])
    return (
        exp.select(bucket, severity, exp.Count(this=exp.Star()))
        .from_(table)
        .where(where)
        .group_by("1", "2")
    )


def values(table: Rows, where: exp.Expr, columns: list[Column], *others: exp.Expr) -> exp.Select:
    """``value`` (text) of every match that has one, each member of a list apart, and ``others``."""
    if any(column.is_list for column in columns):
        lists = [
            column.value if column.is_list else exp.Array(expressions=[column.text])
            for column in columns
        ]
        value: exp.Expr = exp.Anonymous(this="unnest", expressions=[_first_of(lists)])
    else:
        value = _first_of([column.text for column in columns])
    return (
        exp.select(exp.alias_(value, "value"), *others)
        .from_(table)
        .where(where)
        .where(any_of([exists(column) for column in columns]))
    )


def top_values(
    table: Rows, where: exp.Expr, columns: list[Column], size: int, known: Counts = ()
) -> exp.Expr:
    """Value and matches that have it, most frequent first; ``known`` are counted with them."""
    name, matches = exp.column("value", quoted=True), exp.column("matches", quoted=True)
    count = exp.alias_(exp.Count(this=exp.Star()), "matches", quoted=True)
    counted = (
        exp.select(name.copy(), count, copy=False)
        .from_(values(table, where, columns).subquery("found", copy=False), copy=False)
        .where(exp.not_(exp.Is(this=name.copy(), expression=exp.null())), copy=False)
        .group_by(name.copy(), copy=False)
    )
    if known:  # many: the tree is not to be copied again and again
        both = exp.Union(this=counted, expression=_listed(known), distinct=False)
        total = exp.cast(exp.Anonymous(this="sum", expressions=[matches.copy()]), "BIGINT")
        counted = (
            exp.select(name.copy(), exp.alias_(total, "matches", quoted=True), copy=False)
            .from_(both.subquery("counted", copy=False), copy=False)
            .group_by(name.copy(), copy=False)
        )
    return (
        exp.select(name.copy(), matches.copy(), copy=False)
        .from_(counted.subquery("summed", copy=False), copy=False)
        .order_by(exp.Ordered(this=matches.copy(), desc=True), name.copy(), copy=False)
        .limit(size, copy=False)
    )


def _listed(known: Counts) -> exp.Select:
    texts = exp.Array(expressions=[exp.Literal.string(text) for text, _ in known])
    counts = exp.Array(expressions=[_integer(events) for _, events in known])
    listed = [exp.Anonymous(this="unnest", expressions=[one]) for one in (texts, counts)]
    columns = [
        exp.alias_(one, name, quoted=True, copy=False)
        for one, name in zip(listed, ("value", "matches"), strict=True)
    ]
    return exp.select(*columns, copy=False)


def read_cursor(text: str | None) -> Place | None:
    """The place a cursor names; QueryError when the text is no cursor."""
    if text is None:
        return None
    number, dot, event_id = text.partition(".")
    try:
        if not dot or "\x00" in event_id:
            raise ValueError
        return moment_of(int(number)), event_id
    except (ValueError, OverflowError):
        raise QueryError("the cursor is none that an earlier page gave; start over") from None


def write_cursor(place: Place) -> str:
    return f"{micros(place[0])}.{place[1]}"


def _first_of(values: list[exp.Expr]) -> exp.Expr:
    if len(values) == 1:
        return values[0]
    return exp.Coalesce(this=values[0], expressions=values[1:])


def _call(name: str, value: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=[value.copy()])


def _integer(number: int) -> exp.Expr:
    literal = exp.Literal.number(abs(number))
    return literal if number >= 0 else exp.paren(exp.Neg(this=literal))
