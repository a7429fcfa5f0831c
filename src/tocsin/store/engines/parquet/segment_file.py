"""Writes event batches as one immutable Parquet file, durable before it gets its name."""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tocsin.model.event import EventBatch
from tocsin.store.engines.parquet.segment_facts import early_facts_of
from tocsin.store.engines.variant.arrow_plain import is_list, plain
from tocsin.store.engines.variant.parquet_footer import mark_variants
from tocsin.store.engines.variant.variant_encoding import FieldNames
from tocsin.store.engines.variant.variant_shredding import shredded
from tocsin.store.engines.variant.variant_union import variant_column
from tocsin.store.fields import ANY_MEMBER, EVERY_LANE, MARKS
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.ports import SeenField, Segment

ROW_GROUP_ROWS = 50_000
PAGE_BYTES = 65_536  # fetching one event opens a page of each column: halves that and the size
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


_OF_LAYOUT = re.compile(r"\w{8}-\d{8}")


def plain_schema() -> Any:
    """The Arrow schema of envelope, raw record and hot columns."""
    return _PLAIN_SCHEMA


def write_segment(
    folder: Path, identifier: str, path: Path, batches: Sequence[EventBatch]
) -> Segment:
    """Write the events of ``batches`` (at least one) to the new file ``path`` below ``folder``."""
    table, fields = laid_out(batches)
    write_durably(folder / path, iter([table]), table.schema)
    times = pc.min_max(table["time"]).as_py()
    ids = pc.min_max(table["event_id"]).as_py()
    return Segment(
        id=identifier,
        path=path.as_posix(),
        rows=table.num_rows,
        size_bytes=(folder / path).stat().st_size,
        first_time=times["min"].replace(tzinfo=UTC),
        last_time=times["max"].replace(tzinfo=UTC),
        sources=tuple(
            sorted({name for batch in batches for name in batch.sources.unique().to_pylist()})
        ),
        lanes=tuple(sorted({batch.lane.id for batch in batches})),
        checksum=checksum(folder / path),
        first_event_id=ids["min"],
        last_event_id=ids["max"],
        fields=fields,
        facts=early_facts_of(table),
    )


def new_path(layout: str = LAYOUT) -> tuple[str, Path]:
    """A new segment's id and its path below the store's folder."""
    identifier = uuid.uuid4().hex
    return identifier, Path(f"{layout}-{datetime.now(UTC):%Y%m%d}") / f"{identifier}.parquet"


def layout_of(path: str) -> str:
    """The layout of a segment by its path, wherever its file was moved."""
    at = Path(path)
    is_in_place = _OF_LAYOUT.fullmatch(at.parent.name)
    return (at.parent.name if is_in_place else at.name).partition("-")[0]


def write_durably(
    path: Path,
    tables: Iterator[pa.Table],
    schema: pa.Schema,
    group_rows: int = ROW_GROUP_ROWS,
) -> None:
    """Write tables of one schema as row groups; the file appears under its name only when whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(UNFINISHED)
    try:
        with pq.ParquetWriter(
            unfinished,
            schema,
            compression="zstd",
            data_page_size=PAGE_BYTES,
            dictionary_pagesize_limit=PAGE_BYTES,
        ) as writer:
            for table in tables:
                writer.write_table(table, row_group_size=group_rows)
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


def laid_out(batches: Sequence[EventBatch]) -> tuple[pa.Table, frozenset[SeenField]]:
    """The events as a segment's table, and their fields beyond the hot columns."""
    plain_rows: list[pa.RecordBatch] = []
    rest: list[pa.RecordBatch] = []
    fields: set[SeenField] = set()
    for batch in batches:
        hot, others = split_ocsf(batch.ocsf)
        plain_rows.append(plain_columns(batch, hot))
        rest.append(others)
        for space, columns in (("ocsf", others), ("native", batch.native)):
            paths = list(_paths(columns.schema, ()))[:_MOST_FIELDS]
            fields.update(SeenField(batch.lane.id, space, path) for path in paths)
    table = pa.Table.from_batches(plain_rows, _PLAIN_SCHEMA)
    for name, columns in zip(VARIANTS, (rest, [batch.native for batch in batches]), strict=True):
        names = FieldNames()
        parts = [shredded(batch, names) for batch in columns]
        column = variant_column(parts, names)
        table = table.append_column(name, column)
    return table, frozenset(fields) | marked_fields(table)


def marked_fields(table: pa.Table) -> frozenset[SeenField]:
    """Where further spellings and types of fields lie in a segment's table.

    A search that does not know of them does not find what lies there.
    """
    return frozenset(
        SeenField(EVERY_LANE, name, path)
        for name in VARIANTS
        for path in _marked_paths(table.schema.field(name).type, ())
    )


def split_ocsf(ocsf: pa.RecordBatch) -> tuple[dict[str, pa.Array], pa.RecordBatch]:
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
    if array.type == kind:
        return array
    try:
        return plain(array).cast(kind)
    except pa.ArrowException:
        return None


def plain_columns(batch: EventBatch, hot: dict[str, pa.Array]) -> pa.RecordBatch:
    rows = len(batch)
    known = {
        "event_id": batch.event_ids,
        "time": batch.times.cast(_MOMENT),
        "ingested_at": batch.ingested_at.cast(_MOMENT),
        "tenant": pa.repeat(batch.tenant, rows),
        "source": batch.sources,
        "lane": pa.repeat(batch.lane.id, rows),
        "raw": batch.raw,
        **hot,
    }
    absent = {kind: pa.nulls(rows, kind) for kind in _ARROW.values()}
    columns = [
        _as(known[field.name], field.type) if field.name in known else absent[field.type]
        for field in _PLAIN_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_PLAIN_SCHEMA)


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Casting what is of that type already is dear where it is done for seventy columns a lane."""
    return array if array.type == kind else array.cast(kind)


def _marked_paths(kind: Any, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    at = kind.get_field_index("typed_value")
    typed = kind.field(at).type if at >= 0 else None
    if typed is not None and pa.types.is_struct(typed):
        for field in typed:
            yield from _marked_paths(field.type, (*above, field.name))
    elif typed is not None and pa.types.is_list(typed):
        yield from _marked_paths(typed.value_type, (*above, ANY_MEMBER))
    elif any(key.endswith(MARKS) for key in above):
        yield above


def _paths(fields: pa.Schema | pa.StructType, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for field in fields:
        kind, path = field.type, (*above, field.name)
        while is_list(kind):
            kind, path = kind.value_type, (*path, ANY_MEMBER)
        if pa.types.is_struct(kind) and len(path) < _DEEPEST_FIELD:
            yield from _paths(kind, path)
        else:
            yield path
