"""Gives the encoded values of a shredded VARIANT column the field ids of another dictionary."""

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.engines.variant.arrow_plain import is_list
from tocsin.store.engines.variant.variant_decoding import decode, field_names
from tocsin.store.engines.variant.variant_encoding import EMPTY_METADATA, FieldNames, encode
from tocsin.store.engines.variant.variant_shredding import Array, object_of, struct_of


def recoded(column: Array, names: FieldNames) -> Array:
    """The column without its metadata, as ``variant_column`` takes it; ``names`` grows."""
    typed = _typed(column)
    value = column.field("value")
    for metadata in pc.unique(column.field("metadata")).to_pylist():
        if metadata and metadata != EMPTY_METADATA:  # absent in rows without a value
            return _with_new_ids(struct_of(value, typed), field_names(metadata), names)
    return struct_of(value, typed)


def _with_new_ids(field: Array, old: list[str], names: FieldNames) -> Array:
    value, typed = field.field("value"), _typed(field)
    if value.null_count < len(value):
        values = [
            None if data is None else encode(decode(data, old), names) for data in value.to_pylist()
        ]
        value = pa.array(values, pa.binary())
    if typed is not None and pa.types.is_struct(typed.type):
        fields = {
            inner.name: _with_new_ids(typed.field(index), old, names)
            for index, inner in enumerate(typed.type)
        }
        typed = object_of(fields, typed.is_null() if typed.null_count else None)
    elif typed is not None and is_list(typed.type):
        typed = _list_with_new_ids(typed, old, names)
    return struct_of(value, typed)


def _list_with_new_ids(lists: Array, old: list[str], names: FieldNames) -> Array:
    members = _with_new_ids(lists.flatten(), old, names)
    sizes = lists.value_lengths().fill_null(0).cast(pa.int64())
    ends = pc.cumulative_sum(sizes).cast(pa.int32())
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    kind = pa.list_(pa.field("element", members.type, nullable=False))
    nulls = lists.is_null() if lists.null_count else None
    return pa.ListArray.from_arrays(offsets, members, type=kind, mask=nulls)


def _typed(field: Array) -> Array | None:
    at = field.type.get_field_index("typed_value")
    return field.field(at) if at >= 0 else None
