"""Gives the events in ClickHouse back as event batches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
from sqlglot import exp

from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.store.engines.clickhouse.clickhouse_client import ClickHouse
from tocsin.store.engines.clickhouse.clickhouse_dialect import number
from tocsin.store.engines.clickhouse.clickhouse_queries import EventTable, among
from tocsin.store.engines.clickhouse.clickhouse_rows import micros
from tocsin.store.engines.clickhouse.clickhouse_tables import NUMBER
from tocsin.store.engines.parquet.batch_gathering import BatchGathering
from tocsin.store.engines.parquet.segment_file import plain_schema
from tocsin.store.engines.state.number_ranges import NumberRanges
from tocsin.store.engines.variant.exact_json import read
from tocsin.store.engines.variant.variant_columns import alike, from_records, no_columns
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.ports import ReplayQuery, Segment

_UTC = pa.timestamp("us", "UTC")
_AT_ONCE = 50_000
"""Rows fetched at once, and worked on as Python values."""


@dataclass(frozen=True, slots=True)
class ClickHouseReplay:
    """One reading of segments; see ``EventStore.replay``."""

    clickhouse: ClickHouse
    wanted: ReplayQuery
    lane_of: Callable[[str], Lane]

    def batches(self, segments: Sequence[Segment]) -> Iterator[EventBatch]:
        gathering = BatchGathering(self.wanted.batch_rows)
        for segment in segments:
            if self._may_hold(segment):
                for rows in self._rows_of(segment):
                    for batch in self._of_rows(rows):
                        yield from gathering.add(batch)
        yield from gathering.rest()

    def _rows_of(self, segment: Segment) -> Iterator[pa.Table]:
        table = EventTable(self.clickhouse.database, NumberRanges.read(segment.path))
        query = (
            table.select(*self._columns())
            .where(exp.and_(table.published(), *self._conditions()))
            .order_by(*(exp.column(name, quoted=True) for name in ("lane", "tenant", NUMBER)))
        )
        yield from self.clickhouse.tables(query, _AT_ONCE)

    def _may_hold(self, segment: Segment) -> bool:
        wanted = self.wanted
        lanes = set(segment.lanes) - wanted.without_lanes
        return bool(lanes if wanted.lanes is None else lanes & wanted.lanes)

    def _columns(self) -> list[str]:
        wanted = self.wanted
        columns = list(ENVELOPE)
        if wanted.with_native:
            columns.append("native_text")
        if wanted.with_ocsf:
            hot = [one for one in HOT_COLUMNS if self._wants(one.path)]
            columns += ["ocsf_text", *(one.name for one in hot)]
            columns += [] if wanted.ocsf_fields is not None else ["raw"]
        return columns

    def _wants(self, path: str) -> bool:
        return self.wanted.ocsf_fields is None or path in self.wanted.ocsf_fields

    def _conditions(self) -> list[exp.Expr]:
        wanted = self.wanted
        tests: list[exp.Expr] = []
        bounds = (
            ("time", wanted.start, wanted.end),
            ("ingested_at", wanted.received_from, wanted.received_until),
        )
        for name, begin, end in bounds:
            column = exp.column(name, quoted=True)
            if begin is not None:
                tests.append(exp.GTE(this=column.copy(), expression=number(micros(begin))))
            if end is not None:
                tests.append(exp.LT(this=column, expression=number(micros(end))))
        for name, chosen in (("lane", wanted.lanes), ("tenant", wanted.tenants)):
            if chosen is not None:
                tests.append(_one_of(name, chosen))
        if wanted.without_lanes:
            tests.append(exp.not_(_one_of("lane", wanted.without_lanes)))
        if wanted.event_ids is not None:
            tests.append(among(wanted.event_ids))
        return tests

    def _of_rows(self, rows: pa.Table) -> Iterator[EventBatch]:
        keys = list(zip(_texts(rows["lane"]), _texts(rows["tenant"]), strict=True))
        begun = 0
        for at in range(1, len(keys) + 1):
            if at == len(keys) or keys[at] != keys[begun]:
                part = rows.slice(begun, at - begun).combine_chunks()
                yield from self._of_lane(part, self.lane_of(keys[begun][0]), keys[begun][1])
                begun = at

    def _of_lane(self, part: pa.Table, lane: Lane, tenant: str) -> Iterator[EventBatch]:
        names = self.wanted.native_fields.get(lane.id)
        natives = _records(part, "native_text", names)
        others = _records(part, "ocsf_text", self.wanted.ocsf_fields)
        for chosen in alike(
            [{"n": one, "o": two} for one, two in zip(natives, others, strict=True)]
        ):
            rows = part.take(pa.array(chosen))
            yield EventBatch(
                lane=lane,
                sources=_strings(rows["source"]),
                tenant=tenant,
                event_ids=_strings(rows["event_id"]),
                times=_one(rows["time"]).cast(_UTC),
                ingested_at=_one(rows["ingested_at"]).cast(_UTC),
                native=from_records([natives[row] for row in chosen]),
                ocsf=_ocsf(rows, from_records([others[row] for row in chosen])),
                raw=_one(rows["raw"]) if "raw" in rows.schema.names else _no_raw(len(chosen)),
            )


def _ocsf(rows: pa.Table, others: pa.RecordBatch) -> pa.RecordBatch:
    kinds = {field.name: field.type for field in plain_schema()}
    columns = {
        column.path: _one(rows[column.name]).cast(kinds[column.name])
        for column in HOT_COLUMNS
        if column.name in rows.schema.names and rows[column.name].null_count < rows.num_rows
    }
    columns |= dict(zip(others.schema.names, others.columns, strict=True))
    return pa.RecordBatch.from_pydict(columns) if columns else no_columns(rows.num_rows)


def _records(part: pa.Table, column: str, names: frozenset[str] | None) -> list[dict[str, Any]]:
    """The records of a column of texts, of these fields alone where some are given."""
    if column not in part.schema.names:
        return [{}] * part.num_rows
    records = [_sized(read(text)) for text in part[column].to_pylist()]
    if names is None:
        return records
    return [{name: one for name, one in record.items() if name in names} for record in records]


def _sized(value: Any) -> Any:
    """Whole numbers beyond 64 bits as decimals, which Arrow can hold."""
    if isinstance(value, dict):
        return {name: _sized(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_sized(member) for member in value]
    is_large = type(value) is int and not -(2**63) <= value < 2**63
    return Decimal(value) if is_large else value


def _one_of(name: str, chosen: frozenset[str]) -> exp.Expr:
    column = exp.column(name, quoted=True)
    return column.isin(*(exp.Literal.string(one) for one in sorted(chosen)))


def _texts(column: pa.ChunkedArray) -> list[str]:
    return [value.decode() for value in column.to_pylist()]


def _strings(column: pa.ChunkedArray) -> pa.Array:
    return _one(column).cast(pa.string())


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _no_raw(rows: int) -> pa.Array:
    return pa.nulls(rows, pa.binary())
