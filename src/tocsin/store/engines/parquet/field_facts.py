"""What is known of one field among the events found: presence, distinct values, extremes, times."""

from datetime import UTC, datetime
from typing import Any

from sqlglot import exp

from tocsin.store.engines.parquet import event_queries as build
from tocsin.store.engines.parquet.event_search import EventSearch
from tocsin.store.engines.parquet.segment_scan import Scan
from tocsin.store.fields import Column, Kind
from tocsin.store.lucene import compile_filter
from tocsin.store.predicates import any_of, exists
from tocsin.store.query import QUANTILES, EventQuery, FieldStatistics
from tocsin.store.stop_signal import StopSignal

EXACT_ROWS = 1_000_000
"""Of so many events distinct values and quantiles are told exactly; of more they are estimated."""
_VALUE = exp.column("value", quoted=True)


def statistics(
    search: EventSearch, query: EventQuery, name: str, stop: StopSignal | None
) -> FieldStatistics:
    """As the port says."""
    catalogue = search.catalogue()
    found = compile_filter(query.text, catalogue)
    columns = catalogue.columns(name)

    def ask(scan: Scan) -> FieldStatistics:
        where = exp.true()  # the scan holds what matches
        is_exact = sum(segment.rows for segment in scan.segments) <= EXACT_ROWS
        counted = scan.rows(lambda table: _presence(table, where, columns))
        events, present = counted[0] if counted else (0, 0)
        if not present:
            return FieldStatistics(name, events, 0, 0)
        row = scan.rows(lambda table: _facts(table, where, columns, is_exact))[0]
        return _statistics(name, events, present, row, columns, is_exact)

    return search.narrowed(ask, query, found, stop)


def _presence(table: build.Rows, where: exp.Expr, columns: list[Column]) -> exp.Expr:
    """Events found, and how many of them have the field."""
    has_it = any_of([exists(column) for column in columns])
    return (
        exp.select(exp.Count(this=exp.Star()), exp.func("count_if", has_it))
        .from_(table)
        .where(where)
    )


def _facts(table: build.Rows, where: exp.Expr, columns: list[Column], is_exact: bool) -> exp.Expr:
    """Distinct values, least and greatest by letters, first and last time, numbers, quantiles."""
    values = build.values(table, where, columns, exp.alias_(build.TIME.copy(), "moment"))
    number = exp.TryCast(this=_VALUE.copy(), to=exp.DataType.build("DOUBLE"))
    finite = exp.func("nullif", number, exp.cast(exp.Literal.string("nan"), "DOUBLE"))
    shares = exp.Array(expressions=[exp.Literal.number(share) for share in QUANTILES])
    moment = exp.column("moment")
    distinct = (
        exp.Count(this=exp.Distinct(expressions=[_VALUE.copy()]))
        if is_exact
        else exp.Anonymous(this="approx_count_distinct", expressions=[_VALUE.copy()])
    )
    return exp.select(
        distinct,
        *(
            exp.Anonymous(this=name, expressions=[_VALUE.copy()])
            for name in ("min", "max", "count")
        ),
        *(exp.Anonymous(this=name, expressions=[moment.copy()]) for name in ("min", "max")),
        exp.Anonymous(this="count", expressions=[finite.copy()]),
        exp.Anonymous(
            this="quantile_disc" if is_exact else "approx_quantile",
            expressions=[finite.copy(), shares],
        ),
    ).from_(values.subquery("found"))


def _statistics(
    name: str, events: int, present: int, row: Any, columns: list[Column], is_exact: bool
) -> FieldStatistics:
    distinct, least, greatest, values, first, last, numbers, quantiles = row
    is_time = any(column.kind is Kind.TIME for column in columns)
    is_number = values > 0 and numbers == values and not is_time
    return FieldStatistics(
        field=name,
        events=events,
        present=present,
        distinct=distinct,
        is_exact=is_exact,
        least="" if is_number else least or "",
        greatest="" if is_number else greatest or "",
        first_seen=_aware(first),
        last_seen=_aware(last),
        quantiles=tuple(quantiles) if is_number else (),
    )


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None else None
