"""Reads a shredded VARIANT column back as plain Arrow columns, without Python per event.

The few rows that hold an encoded value, or a field whose type differs from most others', are
decoded one by one and given apart: so every part has one type a column.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.engines.variant.arrow_plain import is_list
from tocsin.store.engines.variant.variant_decoding import field_names, plain_values
from tocsin.store.engines.variant.variant_encoding import EMPTY_METADATA, NULL
from tocsin.store.engines.variant.variant_shredding import Array
from tocsin.store.fields import unmarked

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_UTC_MOMENT = pa.timestamp("us", "UTC")


def plain_parts(column: Array) -> Iterator[tuple[Rows | None, pa.RecordBatch]]:
    """The rows of a VARIANT column (storage layout), as batches of its top-level fields.

    Each part says which rows it holds; None: all of them, in order. No column is all null.
    """
    hard = _hard_rows(column)
    if hard is None or not hard.any():
        yield None, _easy(column)
        return
    easy = np.flatnonzero(~hard)
    if len(easy):
        yield easy, _easy(column.take(pa.array(easy)))
    at = np.flatnonzero(hard)
    records = [value or {} for value in _decoded(column.take(pa.array(at)))]
    for chosen in alike(records):
        yield at[chosen], from_records([records[row] for row in chosen])


def _easy(column: Array) -> pa.RecordBatch:
    typed = _typed(column)
    if typed is None:
        return no_columns(len(column))
    columns = dict(_fields(typed))
    return pa.RecordBatch.from_pydict(columns) if columns else no_columns(len(column))


def _fields(typed: Array) -> Iterator[tuple[str, Array]]:
    for name, children in _by_name(typed).items():
        array = _plain(children[0])
        if array is not None:
            yield name, array


def _plain(field: Array) -> Array | None:
    """The values of a shredded field without encoded ones; None where there are none."""
    typed = _typed(field)
    if typed is None or (len(typed) and typed.null_count == len(typed)):
        return None
    kind = typed.type
    if pa.types.is_struct(kind):
        return _struct(dict(_fields(typed)), typed)
    if is_list(kind):
        members = typed.flatten()
        plain = _plain(members)
        values = pa.nulls(len(members)) if plain is None else plain
        return _list_of(values, typed)
    return typed.cast(_UTC_MOMENT) if pa.types.is_timestamp(kind) else typed


def _struct(fields: dict[str, Array], like: Array) -> Array:
    gone = like.is_null() if like.null_count else None
    if not fields:
        whole = pa.array([{}] * len(like), pa.struct([]))
        return whole if gone is None else pc.if_else(gone, pa.scalar(None, whole.type), whole)
    return pa.StructArray.from_arrays(list(fields.values()), names=list(fields), mask=gone)


def _list_of(values: Array, like: Array) -> Array:
    sizes = like.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(like) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    gone = like.is_null() if like.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=gone)


def _hard_rows(field: Array) -> Mask | None:
    """Of each row whether it holds what ``_plain`` leaves out; None: no row does."""
    value, typed = _value(field), _typed(field)
    hard: Mask | None = None
    if value is not None and value.null_count < len(value):
        encoded = pc.not_equal(value, pa.scalar(NULL, value.type)).fill_null(False)
        hard = encoded.to_numpy(zero_copy_only=False)
    if typed is None or not len(typed) or typed.null_count == len(typed):
        return hard
    if pa.types.is_struct(typed.type):
        for children in _by_name(typed).values():
            hard = _either(hard, _hard_rows(children[0]))
            for second in children[1:]:
                hard = _either(hard, _present(second))
    elif is_list(typed.type):
        members = _hard_rows(typed.flatten())
        if members is not None and members.any():
            parents = pc.list_parent_indices(typed).to_numpy(zero_copy_only=False)
            mask = np.zeros(len(typed), np.bool_)
            mask[parents[members]] = True
            hard = _either(hard, mask)
    return hard


def _by_name(typed: Array) -> dict[str, list[Array]]:
    """The shredded fields of an object by name, the fullest first where a name has several."""
    found: dict[str, list[Array]] = {}
    for index, inner in enumerate(typed.type):
        found.setdefault(unmarked(inner.name), []).append(typed.field(index))
    for fields in found.values():
        if len(fields) > 1:
            fields.sort(key=lambda field: -int(_present(field).sum()))
    return found


def _present(field: Array) -> Mask:
    mask = np.zeros(len(field), np.bool_)
    for part in (_value(field), _typed(field)):
        if part is not None and part.null_count < len(part):
            mask |= part.is_valid().to_numpy(zero_copy_only=False)
    return mask


def _either(one: Mask | None, other: Mask | None) -> Mask | None:
    if one is None or other is None:
        return other if one is None else one
    return one | other


def _decoded(column: Array) -> list[Any]:
    names: list[str] = []
    at = column.type.get_field_index("metadata")
    for metadata in pc.unique(column.field(at)).to_pylist() if at >= 0 else ():
        if metadata and metadata != EMPTY_METADATA:
            names = field_names(metadata)
    return [_aware(value) for value in plain_values(column, names)]


def _aware(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _aware(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_aware(member) for member in value]
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def alike(records: list[dict[str, Any]]) -> list[list[int]]:
    """The places of the records, those together whose fields are of the same types."""
    groups: list[tuple[dict[str, type], list[int]]] = []
    for place, record in enumerate(records):
        kinds = dict(_kinds(record, ""))
        for known, places in groups:
            if all(known.get(path, kind) is kind for path, kind in kinds.items()):
                known.update(kinds)
                places.append(place)
                break
        else:
            groups.append((kinds, [place]))
    return [places for _, places in groups]


def _kinds(value: Any, path: str) -> Iterator[tuple[str, type]]:
    if value is None:
        return
    yield path, type(value)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _kinds(inner, f"{path}\0{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _kinds(inner, f"{path}\0")


def from_records(records: list[dict[str, Any]]) -> pa.RecordBatch:
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {name: pa.array([record.get(name) for record in records]) for name in names}
    filled = {name: array for name, array in columns.items() if array.null_count < len(array)}
    return pa.RecordBatch.from_pydict(filled) if filled else no_columns(len(records))


def no_columns(rows: int) -> pa.RecordBatch:
    """A batch of so many rows that have no field."""
    nothing = pa.StructArray.from_buffers(pa.struct([]), rows, [None])
    return pa.RecordBatch.from_struct_array(nothing)


def _value(field: Array) -> Array | None:
    at = field.type.get_field_index("value")
    return field.field(at) if at >= 0 else None


def _typed(field: Array) -> Array | None:
    at = field.type.get_field_index("typed_value")
    return field.field(at) if at >= 0 else None
