"""Streams every event of a query from ClickHouse."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from tocsin.store.engines.clickhouse.clickhouse_client import ClickHouse
from tocsin.store.engines.clickhouse.clickhouse_dialect import ClickHouseFields, number, retold
from tocsin.store.engines.clickhouse.clickhouse_search import ClickHouseSearch
from tocsin.store.engines.clickhouse.clickhouse_tables import HOUR_US
from tocsin.store.event_stream import WHOLE_EVENT, EventStream
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.query import EventQuery
from tocsin.store.stop_signal import StopSignal

_BATCH_ROWS = 4096
_MOMENT = pa.timestamp("us")
_MOMENTS = frozenset(name for name, kind in ENVELOPE.items() if kind == "TIMESTAMP")
_RECORDS = frozenset({"ocsf", "native"})


def stream(
    clickhouse: ClickHouse,
    search: ClickHouseSearch,
    query: EventQuery,
    columns: Sequence[str] | None,
    stop: StopSignal | None,
) -> EventStream:
    """As the port says; what counted when it began is what comes."""
    looked = search.look(query, stop)
    where = looked.table.matching(query, looked.found)
    selected = _selection(search.catalogue(), columns)
    (counted,) = clickhouse.select(looked.table.count(where), stop)
    rows = looked.table.select(*selected).where(where).order_by(*_order(query.oldest_first))

    def batches() -> Iterator[pa.RecordBatch]:
        for part in clickhouse.tables(rows, _BATCH_ROWS, stop):
            yield from _plain(part, columns is None).to_batches()

    return EventStream(counted["matches"], batches())


def _order(oldest_first: bool) -> list[exp.Expr]:
    """By hour first, as the table lies: then only an hour at a time is to be sorted."""
    time = exp.column("time", quoted=True)
    hour = exp.Anonymous(this="intDiv", expressions=[time.copy(), number(HOUR_US)])
    keys = (hour, time, exp.column("event_id", quoted=True))
    return [exp.Ordered(this=key, desc=not oldest_first) for key in keys]


def _selection(catalogue: ClickHouseFields, columns: Sequence[str] | None) -> list[exp.Expr]:
    if columns is None:
        hot = [(one.name, one.path) for one in HOT_COLUMNS]
        whole = [(f"{name}_text" if name in _RECORDS else name, name) for name in WHOLE_EVENT]
        return [
            exp.alias_(exp.column(name, quoted=True), shown, quoted=True)
            for name, shown in (*whole, *hot)
        ]
    return [
        exp.alias_(_value(catalogue, name), name, quoted=True) for name in dict.fromkeys(columns)
    ]


def _value(catalogue: ClickHouseFields, name: str) -> exp.Expr:
    columns = catalogue.columns(name)
    if len(columns) == 1:
        return retold(columns[0].value)
    texts = [
        exp.Anonymous(this="toString", expressions=[retold(one.value)])
        if one.is_list
        else retold(one.text)
        for one in columns
    ]
    return exp.Coalesce(this=texts[0], expressions=texts[1:])


def _plain(part: pa.Table, is_whole: bool) -> pa.Table:
    """Times as times, texts as texts; records that hold nothing as null."""
    columns = {}
    for name, column in zip(part.schema.names, part.columns, strict=True):
        if name in _MOMENTS:
            column = column.cast(_MOMENT)
        elif pa.types.is_binary(column.type) and name != "raw":
            column = column.cast(pa.string())
        if is_whole and name in _RECORDS:
            column = pc.if_else(pc.equal(column, "{}"), pa.scalar(None, pa.string()), column)
        columns[name] = column
    return pa.table(columns)
