"""What is known of one field among the events found, asked of ClickHouse."""

from typing import Any

from sqlglot import exp

from tocsin.store.engines.clickhouse.clickhouse_client import ClickHouse
from tocsin.store.engines.clickhouse.clickhouse_dialect import retold
from tocsin.store.engines.clickhouse.clickhouse_queries import EventTable
from tocsin.store.engines.clickhouse.clickhouse_rows import moment_of
from tocsin.store.engines.clickhouse.clickhouse_search import ClickHouseSearch
from tocsin.store.engines.parquet.field_facts import EXACT_ROWS
from tocsin.store.fields import Column, Kind
from tocsin.store.predicates import any_of, exists
from tocsin.store.query import QUANTILES, EventQuery, FieldStatistics
from tocsin.store.stop_signal import StopSignal

_VALUE = exp.column("value", quoted=True)


def statistics(
    clickhouse: ClickHouse,
    search: ClickHouseSearch,
    query: EventQuery,
    name: str,
    stop: StopSignal | None,
) -> FieldStatistics:
    """As the port says."""
    columns = search.catalogue().columns(name)
    looked = search.look(query, stop)
    if not looked.segments:
        return FieldStatistics(name, 0, 0, 0)
    where = looked.table.matching(query, looked.found)
    is_exact = sum(segment.rows for segment in looked.segments) <= EXACT_ROWS
    (counted,) = clickhouse.select(_presence(looked.table, where, columns), stop)
    if not counted["present"]:
        return FieldStatistics(name, counted["events"], 0, 0)
    (row,) = clickhouse.select(_facts(looked.table, where, columns, is_exact), stop)
    is_time = any(column.kind is Kind.TIME for column in columns)
    is_number = row["filled"] > 0 and row["numbers"] == row["filled"] and not is_time
    return FieldStatistics(
        *(name, counted["events"], counted["present"], row["different"], is_exact),
        least="" if is_number else _text(row["least"]),
        greatest="" if is_number else _text(row["greatest"]),
        first_seen=moment_of(row["first_seen"]),
        last_seen=moment_of(row["last_seen"]),
        quantiles=tuple(map(float, row["quantiles"])) if is_number else (),
    )


def _presence(table: EventTable, where: exp.Expr, columns: list[Column]) -> exp.Expr:
    """Events found, and how many of them have the field."""
    has_it = retold(any_of([exists(column) for column in columns]))
    return table.select(
        exp.alias_(exp.Count(this=exp.Star()), "events"), _named("countIf", has_it, "present")
    ).where(where)


def _facts(table: EventTable, where: exp.Expr, columns: list[Column], is_exact: bool) -> exp.Expr:
    values = table.values(where, columns).select(
        exp.alias_(exp.column("time", quoted=True), "moment", quoted=True)
    )
    moment = exp.column("moment", quoted=True)
    read = exp.Anonymous(this="toFloat64OrNull", expressions=[_VALUE.copy()])
    is_finite = exp.Anonymous(this="isFinite", expressions=[read.copy()])
    finite = exp.Anonymous(this="if", expressions=[is_finite, read, exp.null()])
    shares = [exp.Literal.number(share) for share in QUANTILES]
    quantiles = exp.ParameterizedAgg(
        this="quantilesExactLow" if is_exact else "quantiles",
        expressions=shares,
        params=[finite.copy()],
    )
    return exp.select(
        _named("uniqExact" if is_exact else "uniqCombined64", _VALUE, "different"),
        *(
            _named(function, _VALUE, name)
            for function, name in (("min", "least"), ("max", "greatest"))
        ),
        _named("count", _VALUE, "filled"),
        *(
            _named(function, moment, name)
            for function, name in (("min", "first_seen"), ("max", "last_seen"))
        ),
        _named("count", finite, "numbers"),
        exp.alias_(quantiles, "quantiles"),
    ).from_(values.subquery("found"))


def _named(function: str, value: exp.Expr, name: str) -> exp.Expr:
    return exp.alias_(exp.Anonymous(this=function, expressions=[value.copy()]), name)


def _text(value: Any) -> str:
    return value.decode() if value is not None else ""
