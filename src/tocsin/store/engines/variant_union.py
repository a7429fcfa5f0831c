"""Puts shredded VARIANT columns one below the other as one column with the fields of all.

A field whose type differs between the parts gets a second typed field whose name ends in
``MARK``; a third type finds no typed place and is encoded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from tocsin.store.engines.arrow_plain import is_list, kind_of
from tocsin.store.engines.variant_decoding import plain_values
from tocsin.store.engines.variant_encoding import EMPTY_METADATA, FieldNames
from tocsin.store.engines.variant_shredding import (
    Array,
    choose_names,
    left_over,
    object_of,
    struct_of,
)
from tocsin.store.fields import unmarked

Part: TypeAlias = Array | int
"""The rows of one batch: an array, or the number of rows in which the field is absent."""


@dataclass(slots=True)
class _Column:
    """A field of an object as it is gathered from the parts, all of one kind."""

    name: str
    parts: list[Part]
    rows: int = 0
    filled: int = 0

    def add(self, before: int, part: Array) -> None:
        self.end(before)
        self.parts.append(part)
        self.rows += len(part)
        self.filled += len(part)

    def end(self, rows: int) -> None:
        if self.rows < rows:
            self.parts.append(rows - self.rows)
            self.rows = rows


def variant_column(parts: Sequence[Array], names: FieldNames) -> Array:
    """The VARIANT column (storage layout with metadata) of shredded parts.

    ``names`` is the dictionary the parts' encoded values were made with.
    """
    value, typed = _union(parts, names)
    metadata = names.metadata() if names else EMPTY_METADATA
    columns = [pa.repeat(pa.scalar(metadata, pa.binary()), len(value)), value]
    fields = [pa.field("metadata", pa.binary(), nullable=False), pa.field("value", pa.binary())]
    if typed is not None:
        columns.append(typed)
        fields.append(pa.field("typed_value", typed.type))
    absent = value.is_null() if typed is None else None
    return pa.StructArray.from_arrays(columns, fields=fields, mask=absent)


def _union(parts: Sequence[Part], names: FieldNames) -> tuple[Array, Array | None]:
    """``value`` and ``typed_value`` of shredded fields that are all of one kind."""
    value = pa.concat_arrays(
        [
            pa.nulls(part, pa.binary()) if isinstance(part, int) else part.field("value")
            for part in parts
        ]
    )
    typed = [_typed_of(part) for part in parts]
    arrays = [part for part in typed if not isinstance(part, int)]
    if not arrays:
        return value, None
    if is_list(arrays[0].type):
        return value, _lists(typed, names)
    if not pa.types.is_struct(arrays[0].type):
        kind = arrays[0].type
        return value, pa.concat_arrays(
            [pa.nulls(part, kind) if isinstance(part, int) else part for part in typed]
        )
    whole, left = _objects(typed, names)
    if left is not None:
        pairs = zip(left.to_pylist(), value.to_pylist(), strict=True)
        value = pa.array([mine or other for mine, other in pairs], pa.binary())
    return value, whole


def _objects(parts: Sequence[Part], names: FieldNames) -> tuple[Array, Array | None]:
    columns, rows = _gather(parts)
    columns.sort(key=lambda column: -column.filled)
    stored = choose_names([column.name for column in columns])
    fields = {}
    for at, name in stored.items():
        value, typed = _union(columns[at].parts, names)
        fields[name] = struct_of(value, pa.nulls(rows, pa.string()) if typed is None else typed)
    left = [
        (column.name, _plain_values(column.parts, names))
        for at, column in enumerate(columns)
        if at not in stored
    ]
    return object_of(fields, _nulls_of(parts)), left_over(left, rows, names) if left else None


def _gather(parts: Sequence[Part]) -> tuple[list[_Column], int]:
    columns: dict[tuple[str, str], _Column] = {}
    rows = 0
    for part in parts:
        if not isinstance(part, int):
            for index, field in enumerate(part.type):
                name, child = unmarked(field.name), part.field(index)
                columns.setdefault((name, _kind(child)), _Column(name, [])).add(rows, child)
        rows += _length(part)
    for column in columns.values():
        column.end(rows)
    return list(columns.values()), rows


def _lists(parts: Sequence[Part], names: FieldNames) -> Array:
    sizes = [
        np.zeros(part, np.int64)
        if isinstance(part, int)
        else part.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        for part in parts
    ]
    members = [part.flatten() for part in parts if not isinstance(part, int)]
    value, typed = _union(members, names)
    element = struct_of(value, pa.nulls(len(value), pa.string()) if typed is None else typed)
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int32)
    kind = pa.list_(pa.field("element", element.type, nullable=False))
    return pa.ListArray.from_arrays(pa.array(offsets), element, type=kind, mask=_nulls_of(parts))


def _plain_values(parts: Sequence[Part], names: FieldNames) -> list[object]:
    known = names.all()
    return [
        value
        for part in parts
        for value in ([None] * part if isinstance(part, int) else plain_values(part, known))
    ]


def _kind(part: Array) -> str:
    """What a field is typed as, down to the members of a list."""
    typed = _typed_of(part)
    if isinstance(typed, int):
        return ""
    return f"list of {_kind(typed.values)}" if is_list(typed.type) else kind_of(typed)


def _typed_of(part: Part) -> Part:
    if isinstance(part, int):
        return part
    at = part.type.get_field_index("typed_value")
    return len(part) if at < 0 else part.field(at)


def _nulls_of(parts: Sequence[Part]) -> Array | None:
    if not any(isinstance(part, int) or part.null_count for part in parts):
        return None
    gone = [pa.repeat(True, part) if isinstance(part, int) else part.is_null() for part in parts]
    return pa.concat_arrays(gone)


def _length(part: Part) -> int:
    return part if isinstance(part, int) else len(part)
