"""Writes event batches as one immutable Parquet file, durable before it gets its name."""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tocsin.model.event import EventBatch
from tocsin.store.engines.arrow_plain import is_list, plain
from tocsin.store.engines.parquet_footer import mark_variants
from tocsin.store.engines.variant_shredding import shredded
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.ports import SeenField, Segment

ROW_GROUP_ROWS = 50_000
UNFINISHED = ".unfinished"
VARIANTS = ("ocsf", "native")
_MOST_FIELDS = 2_000
_DEEPEST_FIELD = 12
_MOMENT = pa.timestamp("us")
_ARROW = {
    "VARCHAR": pa.string(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": _MOMENT,
}
_PLAIN_SCHEMA = pa.schema(
    [(name, _ARROW[kind]) for name, kind in ENVELOPE.items()]
    + [("raw", pa.binary())]
    + [(column.name, _ARROW[column.type]) for column in HOT_COLUMNS]
)
LAYOUT = hashlib.sha256(
    json.dumps([(field.name, str(field.type)) for field in _PLAIN_SCHEMA]).encode()
).hexdigest()[:8]
"""Changes when the plain columns do; the first part of every segment's path."""


def write_segment(folder: Path, batches: Sequence[EventBatch]) -> Segment:
    """Write the events of ``batches`` (at least one) to a new file below ``folder``."""
    table, fields = _table(batches)
    identifier = uuid.uuid4().hex
    path = Path(f"{LAYOUT}-{datetime.now(UTC):%Y%m%d}") / f"{identifier}.parquet"
    write_durably(folder / path, iter([table]), table.schema)
    span = pc.min_max(table["time"]).as_py()
    return Segment(
        id=identifier,
        path=path.as_posix(),
        rows=table.num_rows,
        size_bytes=(folder / path).stat().st_size,
        first_time=span["min"].replace(tzinfo=UTC),
        last_time=span["max"].replace(tzinfo=UTC),
        sources=tuple(sorted({batch.source for batch in batches})),
        lanes=tuple(sorted({batch.lane.id for batch in batches})),
        checksum=checksum(folder / path),
        fields=fields,
    )


def write_durably(path: Path, tables: Iterator[pa.Table], schema: pa.Schema) -> None:
    """Write tables of one schema as row groups; the file appears under its name only when whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(UNFINISHED)
    try:
        with pq.ParquetWriter(
            unfinished, schema, compression="zstd", write_statistics=_with_statistics(schema)
        ) as writer:
            for table in tables:
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        mark_variants(unfinished, VARIANTS)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)
    flush_folder(path.parent.parent)


def checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _table(batches: Sequence[EventBatch]) -> tuple[pa.Table, frozenset[SeenField]]:
    plain_rows: list[pa.RecordBatch] = []
    rest: list[pa.RecordBatch] = []
    fields: set[SeenField] = set()
    for batch in batches:
        hot, others = _split(batch.ocsf)
        plain_rows.append(_plain_columns(batch, hot))
        rest.append(others)
        for space, columns in (("ocsf", others), ("native", batch.native)):
            paths = list(_paths(columns.schema, ()))[:_MOST_FIELDS]
            fields.update(SeenField(batch.lane.id, space, path) for path in paths)
    table = pa.Table.from_batches(plain_rows, _PLAIN_SCHEMA)
    for name, columns in zip(VARIANTS, (rest, [batch.native for batch in batches]), strict=True):
        table = table.append_column(name, shredded(columns))
    return table, frozenset(fields)


def _split(ocsf: pa.RecordBatch) -> tuple[dict[str, pa.Array], pa.RecordBatch]:
    """The columns that fit their hot column's type, and all others."""
    hot: dict[str, pa.Array] = {}
    others: dict[str, pa.Array] = {}
    kinds = {column.path: _ARROW[column.type] for column in HOT_COLUMNS}
    for name, array in zip(ocsf.schema.names, ocsf.columns, strict=True):
        cast = _cast(array, kinds[name]) if name in kinds else None
        if cast is not None:
            hot[name.replace(".", "_")] = cast
        elif array.null_count < len(array):
            others[name] = array
    if others:
        return hot, pa.RecordBatch.from_pydict(others)
    return hot, ocsf.select([])


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return plain(array).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _plain_columns(batch: EventBatch, hot: dict[str, pa.Array]) -> pa.RecordBatch:
    rows = len(batch)
    known = {
        "event_id": batch.event_ids,
        "time": batch.times.cast(_MOMENT),
        "ingested_at": batch.ingested_at.cast(_MOMENT),
        "tenant": pa.repeat(batch.tenant, rows),
        "source": pa.repeat(batch.source, rows),
        "lane": pa.repeat(batch.lane.id, rows),
        "raw": batch.raw,
        **hot,
    }
    columns = [
        known[field.name].cast(field.type) if field.name in known else pa.nulls(rows, field.type)
        for field in _PLAIN_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_PLAIN_SCHEMA)


def _paths(fields: pa.Schema | pa.StructType, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for field in fields:
        kind, path = field.type, (*above, field.name)
        while is_list(kind):
            kind, path = kind.value_type, (*path, "[]")
        if pa.types.is_struct(kind) and len(path) < _DEEPEST_FIELD:
            yield from _paths(kind, path)
        else:
            yield path


def _with_statistics(schema: pa.Schema) -> list[str]:
    """All leaf columns but the encoded rests, whose ranges mean nothing."""
    return [path for path in _leaves(schema, "") if not path.endswith((".value", ".metadata"))]


def _leaves(fields: pa.Schema | pa.StructType, above: str) -> Iterator[str]:
    for field in fields:
        kind, path = field.type, f"{above}{field.name}"
        if pa.types.is_struct(kind):
            yield from _leaves(kind, f"{path}.")
        elif pa.types.is_list(kind):
            inner = kind.value_field
            yield from _leaves(pa.struct([inner]), f"{path}.list.")
        else:
            yield path
