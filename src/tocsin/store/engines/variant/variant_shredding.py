"""Lays a record batch out as a shredded Parquet VARIANT, ready for a plain Parquet writer.

Source: Apache Parquet, VariantShredding.md. DuckDB 2.0 casts to VARIANT and shreds at 11-26
thousand events a second; this layout only rearranges Arrow buffers and is written at about 150
thousand, with the same result when read.

Readers fold the case of typed names, so further spellings of a name in one object (``GUID``
beside ``Guid``) are stored under names that end in one of ``MARKS``. What can't be typed (more
spellings than these, objects beyond ``WIDEST_OBJECT`` or ``DEEPEST_OBJECT``, empty objects, null
members of lists) is encoded into the ``value`` beside the typed fields: nothing is lost, but
DuckDB then puts whole objects together to search any field of the segment.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.engines.variant.arrow_plain import kind_of, plain
from tocsin.store.engines.variant.variant_encoding import NULL, FieldNames, encode
from tocsin.store.fields import MARKS

WIDEST_OBJECT = 1_000
DEEPEST_OBJECT = 32

Array: TypeAlias = Any


def shredded(batch: Any, names: FieldNames) -> Array:
    """The rows of a record batch as a struct of ``value`` and, if any, ``typed_value``."""
    if not batch.num_columns:
        return struct_of(pa.nulls(batch.num_rows, pa.binary()), None)
    whole = pa.StructArray.from_arrays(batch.columns, names=batch.schema.names)
    typed, value = _object(whole, names, 0)
    return struct_of(pa.nulls(len(whole), pa.binary()) if value is None else value, typed)


def struct_of(value: Array, typed: Array | None) -> Array:
    """One shredded field; it is never null itself."""
    fields = [pa.field("value", pa.binary())]
    if typed is None:
        return pa.StructArray.from_arrays([value], fields=fields)
    fields.append(pa.field("typed_value", typed.type))
    return pa.StructArray.from_arrays([value, typed], fields=fields)


def object_of(fields: dict[str, Array], nulls: Array | None) -> Array:
    """The typed fields of an object, by the names they are stored under."""
    schema = [pa.field(name, array.type, nullable=False) for name, array in fields.items()]
    return pa.StructArray.from_arrays(list(fields.values()), fields=schema, mask=nulls)


def choose_names(names: list[str]) -> dict[int, str]:
    """Where each field is stored, by its place in ``names`` (most wanted first).

    A field that is not in the answer finds no typed place.
    """
    stored: dict[int, str] = {}
    taken: set[str] = set()
    for place, name in enumerate(names):
        if len(stored) == WIDEST_OBJECT or any(mark in name for mark in MARKS):
            continue
        places = (name, *(name + mark for mark in MARKS))
        free = next((one for one in places if one.lower() not in taken), None)
        if free is not None:
            stored[place] = free
            taken.add(free.lower())
    return stored


def left_over(
    columns: Sequence[tuple[str, Sequence[Any]]],
    objects: list[dict[str, object] | None],
    names: FieldNames,
) -> Array | None:
    """Columns that found no typed place, put into ``objects`` (one a row) and encoded."""
    for name, items in columns:
        for row, item in enumerate(items):
            if item is not None:
                objects[row] = {**(objects[row] or {}), name: item}
    if all(whole is None for whole in objects):
        return None
    return _encoded(objects, names, None)


def _field(array: Array, names: FieldNames, depth: int, null: bytes | None) -> Array:
    """``null`` is what a null row is encoded as: a member of a list must say that it is null."""
    array = plain(array)
    kind = kind_of(array)
    if depth >= DEEPEST_OBJECT and kind in {"object", "list"}:
        return struct_of(_encoded(array.to_pylist(), names, null), None)
    value = _null_values(array, null)
    if kind == "null":
        return struct_of(value, None)
    if kind == "list":
        return struct_of(value, _list(array, names, depth + 1))
    if kind != "object":
        return struct_of(value, array)
    typed, left = _object(array, names, depth + 1)
    if left is not None:
        pairs = zip(left.to_pylist(), value.to_pylist(), strict=True)
        value = pa.array([mine or other for mine, other in pairs], pa.binary())
    return struct_of(value, typed)


def _object(array: Array, names: FieldNames, depth: int) -> tuple[Array | None, Array | None]:
    columns = [
        (field.name, child)
        for field, child in zip(array.type, array.flatten(), strict=True)
        if child.null_count < len(child)
    ]
    columns.sort(key=lambda column: column[1].null_count)
    stored = choose_names([name for name, _ in columns])
    left = [
        (name, child.to_pylist()) for at, (name, child) in enumerate(columns) if at not in stored
    ]
    if not stored:
        empty: list[dict[str, object] | None] = [
            {} if there else None for there in array.is_valid().to_pylist()
        ]
        return None, left_over(left, empty, names)
    fields = {name: _field(columns[at][1], names, depth, None) for at, name in stored.items()}
    nulls = array.is_null() if array.null_count else None
    typed = object_of(fields, nulls)
    return typed, left_over(left, [None] * len(array), names) if left else None


def _list(array: Array, names: FieldNames, depth: int) -> Array:
    members = array.flatten()
    sizes = array.value_lengths().fill_null(0)
    offsets = pa.concat_arrays(
        [pa.array([0], pa.int64()), pc.cumulative_sum(sizes.cast(pa.int64()))]
    )
    element = _field(members, names, depth, NULL)
    kind = pa.list_(pa.field("element", element.type, nullable=False))
    nulls = array.is_null() if array.null_count else None
    return pa.ListArray.from_arrays(offsets.cast(pa.int32()), element, type=kind, mask=nulls)


def _null_values(array: Array, null: bytes | None) -> Array:
    if null is None or not array.null_count:
        return pa.nulls(len(array), pa.binary())
    return pa.array([null if gone else None for gone in array.is_null().to_pylist()], pa.binary())


def _encoded(values: list[Any], names: FieldNames, null: bytes | None) -> Array:
    rows = [null if value is None else encode(value, names) for value in values]
    return pa.array(rows, pa.binary())
