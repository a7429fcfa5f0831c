"""Events as rows of ClickHouse's table, and back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from tocsin.model.event import EventBatch
from tocsin.store.engines.clickhouse.clickhouse_leaves import leaf_maps
from tocsin.store.engines.clickhouse.clickhouse_tables import NUMBER
from tocsin.store.engines.parquet.segment_file import plain_columns, plain_schema, split_ocsf
from tocsin.store.engines.variant.exact_json import read
from tocsin.store.engines.variant.flat_fields import Path
from tocsin.store.engines.variant.record_texts import exact_texts
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.ports import SeenField
from tocsin.store.query import StoredEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_MOST_FIELDS = 2_000
"""Fields told of one lane of one write; those beyond are found by their exact name."""
TEXTS = ("ocsf_text", "native_text")
SELECTED = [*ENVELOPE, "raw", *TEXTS, *(column.name for column in HOT_COLUMNS)]
"""What to select so that ``stored_event`` can read a row."""
WITHOUT_NATIVE = [name for name in SELECTED if name != "native_text"]


def rows_of(batches: Sequence[EventBatch], number: int) -> tuple[pa.Table, frozenset[SeenField]]:
    """The rows of a write, and the fields beyond the hot columns that they have."""
    tables: list[pa.Table] = []
    fields: set[SeenField] = set()
    for batch in batches:
        hot, others = split_ocsf(batch.ocsf)
        columns = _moments_as_numbers(plain_columns(batch, hot))
        for space, records in (("ocsf", others), ("native", batch.native)):
            paths: set[Path] = set()
            single, lists = leaf_maps(records, paths)
            columns |= {f"{space}_leaves": single, f"{space}_lists": lists}
            columns[f"{space}_text"] = exact_texts(records)
            told = sorted(paths)[:_MOST_FIELDS]
            fields.update(SeenField(batch.lane.id, space, path) for path in told)
        columns[NUMBER] = pa.repeat(pa.scalar(number, pa.uint64()), len(batch))
        tables.append(pa.table(columns))
    return pa.concat_tables(tables), frozenset(fields)


def _moments_as_numbers(batch: pa.RecordBatch) -> dict[str, Any]:
    return {
        field.name: array.cast(pa.int64()) if pa.types.is_timestamp(field.type) else array
        for field, array in zip(plain_schema(), batch.columns, strict=True)
    }


def stored_event(row: dict[str, Any]) -> StoredEvent:
    """The event of a row as Arrow gives it: texts are bytes."""
    ocsf = {
        column.path: _plain(row[column.name])
        for column in HOT_COLUMNS
        if row[column.name] is not None
    }
    return StoredEvent(
        event_id=_plain(row["event_id"]),
        time=moment_of(row["time"]),
        ingested_at=moment_of(row["ingested_at"]),
        tenant=_plain(row["tenant"]),
        source=_plain(row["source"]),
        lane=_plain(row["lane"]),
        ocsf={**ocsf, **read(row["ocsf_text"])},
        native=read(row["native_text"]) if "native_text" in row else {},
        raw=row["raw"],
    )


def moment_of(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICRO


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
