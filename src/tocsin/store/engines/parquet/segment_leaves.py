"""Which leaf columns of a segment a reader needs: those asked for that hold anything in a row group."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.store.engines.parquet.segment_file import PAGE_BYTES
from tocsin.store.engines.variant.arrow_plain import is_list
from tocsin.store.fields import unmarked

Asked: TypeAlias = Mapping[str, frozenset[str] | None]
"""Columns by name, each with the top-level fields that are enough of a VARIANT; None: all of it."""
_NAMES, _ENCODED = ".metadata", ".value"
"""How the paths end of leaves that are no field of anyone: theirs end in ``.typed_value``."""
_CODED_BYTES = 2.2
"""What a value takes at most where it is a number in a dictionary."""


def coded_leaves(metadata: pq.FileMetaData, columns: Collection[str]) -> list[str]:
    """Paths of ``columns``' leaves whose texts are stored as a dictionary: best kept as one.

    Those within lists are not named.
    """
    schema = metadata.schema
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return [
        path
        for leaf in range(len(schema))
        if (path := (column := schema.column(leaf)).path).partition(".")[0] in columns
        and column.logical_type.type == "STRING"
        and ".list.element" not in path
        and all(_is_coded(group.column(leaf)) for group in groups)
    ]


def _is_coded(chunk: Any) -> bool:
    most = PAGE_BYTES + _CODED_BYTES * chunk.num_values
    return bool(chunk.has_dictionary_page and chunk.total_uncompressed_size <= most)


def filled_leaves(file: pq.ParquetFile, group: int, asked: Asked) -> list[str]:
    """Paths of the leaves that are asked for and not all null in the row group.

    Of every object and list one leaf is there in any case: it says which rows have one. A plain
    column that is all null is not read at all. What of a VARIANT is encoded is always there, with
    the names it is encoded by: any field may be in it. Without it the names are left out.
    """
    chunks = file.metadata.row_group(group)
    kept: list[int] = []
    at = 0
    for field in file.schema_arrow:
        size = _leaves_in(field.type)
        if field.name in asked:
            kept += _filled(field.type, at, chunks, asked[field.name])
        at += size
    return _without_idle_names([chunks.column(leaf).path_in_schema for leaf in kept])


def _without_idle_names(paths: list[str]) -> list[str]:
    """Without the names of each VARIANT nothing is encoded in; it costs as much as three fields."""
    encoded = {path.partition(".")[0] for path in paths if path.endswith(_ENCODED)}
    return [
        path for path in paths if not path.endswith(_NAMES) or path.removesuffix(_NAMES) in encoded
    ]


def _filled(
    kind: pa.DataType, at: int, chunks: Any, names: frozenset[str] | None = None
) -> Iterator[int]:
    """``names``: of the typed fields of an object, the only ones (by their own names)."""
    if is_list(kind):
        yield from range(at, at + _leaves_in(kind))
        return
    if not pa.types.is_struct(kind):
        if not _is_empty(chunks.column(at)):
            yield at
        return
    for inner in kind:
        size = _leaves_in(inner.type)
        is_typed = inner.name == "typed_value" and pa.types.is_nested(inner.type)
        if names is not None and is_typed and pa.types.is_struct(inner.type):
            found = list(_named(inner.type, at, chunks, names))
        else:
            found = list(_filled(inner.type, at, chunks))
        yield from found or ([at] if is_typed else [])
        at += size


def _named(kind: pa.DataType, at: int, chunks: Any, names: frozenset[str]) -> Iterator[int]:
    for inner in kind:
        if unmarked(inner.name) in names:
            yield from _filled(inner.type, at, chunks)
        at += _leaves_in(inner.type)


def _is_empty(chunk: Any) -> bool:
    statistics = chunk.statistics
    return bool(
        statistics is not None
        and statistics.has_null_count
        and statistics.null_count == chunk.num_values
    )


def _leaves_in(kind: pa.DataType) -> int:
    if not kind.num_fields:
        return 1
    if is_list(kind):
        return _leaves_in(kind.value_type)
    if pa.types.is_struct(kind):
        return sum(_leaves_in(inner.type) for inner in kind)
    raise ValueError(f"holds a column of a kind no segment has: {kind}")
