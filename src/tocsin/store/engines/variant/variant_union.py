"""Puts shredded VARIANT columns one below the other as one column with the fields of all.

A field whose type differs between the parts gets further typed fields whose names end in one of
``MARKS``; a type beyond these finds no typed place and is encoded.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.engines.variant.arrow_plain import is_list, kind_of
from tocsin.store.engines.variant.variant_decoding import decode, plain_values
from tocsin.store.engines.variant.variant_encoding import EMPTY_METADATA, FieldNames, encode
from tocsin.store.engines.variant.variant_shredding import (
    Array,
    choose_names,
    object_of,
    struct_of,
)
from tocsin.store.fields import stored_name, unmarked

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
    return _objects(typed, value, names)


def _objects(parts: Sequence[Part], value: Array, names: FieldNames) -> tuple[Array, Array]:
    columns, rows = _gather(parts)
    columns.sort(key=lambda column: -column.filled)
    stored = choose_names([column.name for column in columns])
    fields = {}
    for at, name in stored.items():
        field, typed = _union(columns[at].parts, names)
        fields[name] = struct_of(field, pa.nulls(rows, pa.string()) if typed is None else typed)
    left = [
        (column.name, _plain_values(column.parts, names))
        for at, column in enumerate(columns)
        if at not in stored
    ]
    nulls = _nulls_of(parts)
    if left or value.null_count < rows:
        has_typed = [True] * rows if nulls is None else pc.invert(nulls).to_pylist()
        value = _encoded_rest(value, left, fields, has_typed, names)
        nulls = None if all(has_typed) else pa.array([not typed for typed in has_typed])
    return value, object_of(fields, nulls)


def _encoded_rest(
    value: Array,
    left: list[tuple[str, list[object]]],
    fields: dict[str, Array],
    has_typed: list[bool],
    names: FieldNames,
) -> Array:
    """What stays encoded beside the typed fields; ``fields`` take in what is theirs by now.

    Readers ignore an encoded field that has a typed place in the same object, and refuse an
    encoded object where none is typed: ``has_typed`` becomes true in its rows.
    """
    known = names.all()
    encoded = value.to_pylist()
    moved: dict[str, dict[int, object]] = {}
    for row, data in enumerate(encoded):
        whole = decode(data, known) if data is not None else None
        if isinstance(whole, dict):
            theirs = [name for name in whole if stored_name(name) in fields]
            for name in theirs:
                moved.setdefault(name, {})[row] = whole.pop(name)
            if theirs or not has_typed[row]:
                encoded[row] = encode(whole, names) if whole else None
            has_typed[row] = True
        rest = {name: items[row] for name, items in left if items[row] is not None}
        if rest:
            encoded[row] = encode({**(whole or {}), **rest}, names)
    for name, values in moved.items():
        place = stored_name(name)
        fields[place] = _with_values(fields[place], values, names)
    return pa.array(encoded, pa.binary())


def _with_values(field: Array, values: dict[int, object], names: FieldNames) -> Array:
    encoded = field.field("value").to_pylist()
    for row, item in values.items():
        encoded[row] = encode(item, names)
    return struct_of(pa.array(encoded, pa.binary()), _typed_of(field))


def _gather(parts: Sequence[Part]) -> tuple[list[_Column], int]:
    columns: dict[tuple[str, str, int], _Column] = {}
    rows = 0
    for part in parts:
        if not isinstance(part, int):
            here: Counter[tuple[str, str]] = Counter()  # one part may hold two of a kind
            for index, field in enumerate(part.type):
                name, child = unmarked(field.name), part.field(index)
                alike = (name, _kind(child))
                columns.setdefault((*alike, here[alike]), _Column(name, [])).add(rows, child)
                here[alike] += 1
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
