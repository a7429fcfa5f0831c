"""Finding a native field by name: exact column first, then the dotted path into structs."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

REMAINDER = "_remainder"
"""Where the names of a level are kept, as JSON text, that are more than columns are made for."""


def column_at(batch: pa.RecordBatch, path: str) -> pa.Array | None:
    """The column ``path`` names, or None when the batch has no such field.

    ``userIdentity.type`` is first looked up as a column of that exact name, then as field
    ``type`` of struct ``userIdentity``. Inside a list of structs the path goes on into every
    member and the result is a list column (Sigma matches any member).
    """
    index = batch.schema.get_field_index(path)
    if index >= 0:
        return batch.column(index)
    for cut in _cuts(path):
        index = batch.schema.get_field_index(path[:cut])
        if index >= 0:
            found = _into(batch.column(index), path[cut + 1 :])
            if found is not None:
                return found
    return None


def _into(array: pa.Array, path: str) -> pa.Array | None:
    if pa.types.is_struct(array.type):
        index = array.type.get_field_index(path)
        if index >= 0:
            return pc.struct_field(array, [index])
        for cut in _cuts(path):
            index = array.type.get_field_index(path[:cut])
            if index >= 0:
                found = _into(pc.struct_field(array, [index]), path[cut + 1 :])
                if found is not None:
                    return found
        return None
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        inner = _into(array.values, path)
        if inner is None:
            return None
        if pa.types.is_list(inner.type):
            return None  # lists in lists: asked for by no rule seen; refused rather than guessed
        return pa.ListArray.from_arrays(
            array.offsets.cast(pa.int32()),
            inner,
            mask=array.is_null() if array.null_count else None,
        )
    return None


def values_at(record: Mapping[str, Any], path: str) -> list[Any] | None:
    """Every value ``path`` names in one record (list members one by one), None when absent."""
    if path in record:
        value = record[path]
        return list(value) if isinstance(value, list) else [value]
    for cut in _cuts(path):
        inner = record.get(path[:cut])
        rest = path[cut + 1 :]
        if isinstance(inner, Mapping):
            found = values_at(inner, rest)
            if found is not None:
                return found
        elif isinstance(inner, list):
            parts = [values_at(member, rest) for member in inner if isinstance(member, Mapping)]
            found = [value for part in parts if part is not None for value in part]
            if found:
                return found
    return None


def _cuts(path: str) -> list[int]:
    return [at for at, character in enumerate(path) if character == "."]


def roots_of(path: str) -> frozenset[str]:
    """The top-level names under which the field can be: it has dots, or what it is inside of."""
    return frozenset((path, *(path[:cut] for cut in _cuts(path))))
