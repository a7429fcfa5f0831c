"""Which leaf columns of a segment a reader needs: those that hold anything in a row group."""

from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.store.engines.arrow_plain import is_list
from tocsin.store.engines.segment_file import PAGE_BYTES

_CODED_BYTES = 2.2
"""What a value takes at most where it is a number in a dictionary."""


def coded_leaves(metadata: pq.FileMetaData) -> list[str]:
    """Paths of the leaves whose texts are stored as a dictionary: they are best kept as one.

    Those within lists are not named.
    """
    schema = metadata.schema
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return [
        path
        for leaf in range(len(schema))
        if schema.column(leaf).logical_type.type == "STRING"
        and ".list.element" not in (path := schema.column(leaf).path)
        and all(_is_coded(group.column(leaf)) for group in groups)
    ]


def _is_coded(chunk: Any) -> bool:
    most = PAGE_BYTES + _CODED_BYTES * chunk.num_values
    return bool(chunk.has_dictionary_page and chunk.total_uncompressed_size <= most)


def filled_leaves(file: pq.ParquetFile, group: int, columns: Collection[str]) -> list[str]:
    """Paths of the leaves of ``columns`` that are not all null in the row group.

    Of every object and list one leaf is there in any case: it says which rows have one. A plain
    column that is all null is not read at all.
    """
    chunks = file.metadata.row_group(group)
    kept: list[int] = []
    at = 0
    for field in file.schema_arrow:
        size = _leaves_in(field.type)
        if field.name in columns:
            found = list(_filled(field.type, at, chunks))
            kept += found or ([at] if pa.types.is_nested(field.type) else [])
        at += size
    return [chunks.column(leaf).path_in_schema for leaf in kept]


def _filled(kind: pa.DataType, at: int, chunks: Any) -> Iterator[int]:
    if is_list(kind):
        yield from range(at, at + _leaves_in(kind))
        return
    if not pa.types.is_struct(kind):
        if not _is_empty(chunks.column(at)):
            yield at
        return
    for inner in kind:
        size = _leaves_in(inner.type)
        found = list(_filled(inner.type, at, chunks))
        if not found and inner.name == "typed_value" and pa.types.is_nested(inner.type):
            found = [at]
        yield from found
        at += size


def _is_empty(chunk: Any) -> bool:
    statistics = chunk.statistics
    return bool(
        statistics is not None
        and statistics.has_null_count
        and statistics.null_count == chunk.num_values
    )


def _leaves_in(kind: pa.DataType) -> int:
    if is_list(kind):
        return _leaves_in(kind.value_type)
    if pa.types.is_struct(kind):
        return sum(_leaves_in(inner.type) for inner in kind)
    return 1
