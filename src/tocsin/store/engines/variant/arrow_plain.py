"""Brings Arrow arrays to the few types that events are stored in."""

import pyarrow as pa
import pyarrow.compute as pc

_WHOLE_UNSIGNED = pa.decimal128(20, 0)
_MOMENT = pa.timestamp("us")
_AS_THEY_ARE = frozenset(
    kind.id
    for kind in (
        *(pa.null(), pa.bool_(), pa.int64(), pa.float64(), pa.string(), pa.binary()),
        *(pa.list_(pa.null()), pa.struct([])),
    )
)
"""Ids of the types nearly all columns have, which stay as they are: asking is dear a thousand times."""


def plain(array: pa.Array) -> pa.Array:
    """The array in a type that Parquet VARIANT has.

    Whole numbers become int64 (decimal(20,0) where uint64 needs it), floats double, times
    microseconds UTC, everything textual string; lists and structs stay as they are.
    """
    kind = array.type
    if kind.id in _AS_THEY_ARE:
        return array
    if isinstance(kind, pa.BaseExtensionType):
        return plain(array.storage)
    if pa.types.is_dictionary(kind):
        return plain(array.dictionary_decode())
    if pa.types.is_uint64(kind):
        fits = not len(array) or (pc.max(array).as_py() or 0) < 2**63
        return array.cast(pa.int64() if fits else _WHOLE_UNSIGNED)
    if pa.types.is_map(kind):
        return _pairs(array)
    target = _target(kind)
    if target is None or target == kind:
        return array
    return array.cast(target, safe=not pa.types.is_temporal(kind))  # nanoseconds are cut off


def plain_within(array: pa.Array) -> pa.Array:
    """The same, and within lists and structs too."""
    array = plain(array)
    gone = array.is_null() if array.null_count else None
    if pa.types.is_struct(array.type) and array.type.num_fields:
        fields = [plain_within(field) for field in array.flatten()]
        names = [field.name for field in array.type]
        return pa.StructArray.from_arrays(fields, names=names, mask=gone)
    if is_list(array.type):
        sizes = array.value_lengths().fill_null(0).cast(pa.int32())
        ends = pc.cumulative_sum(sizes) if len(sizes) else sizes
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
        return pa.ListArray.from_arrays(offsets, plain_within(array.flatten()), mask=gone)
    return array


def kind_of(array: pa.Array) -> str:
    """``object``, ``list`` or the type's name, for arrays that went through ``plain``."""
    if pa.types.is_struct(array.type):
        return "object"
    if is_list(array.type):
        return "list"
    return str(array.type)


def is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _target(kind: pa.DataType) -> pa.DataType | None:
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind):
        return _MOMENT
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_time(kind):
        return pa.time64("us")
    if pa.types.is_large_string(kind) or str(kind) == "string_view":
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if str(kind) == "binary_view":
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_type)
    if pa.types.is_duration(kind) or pa.types.is_decimal256(kind):
        return pa.string()
    return None


def _pairs(array: pa.Array) -> pa.Array:
    kind = pa.list_(pa.struct([("key", array.type.key_type), ("value", array.type.item_type)]))
    return array.cast(kind)
