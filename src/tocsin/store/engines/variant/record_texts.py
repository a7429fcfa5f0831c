"""Records as exact JSON texts, made column by column."""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.engines.variant.arrow_plain import plain_within
from tocsin.store.engines.variant.exact_json import TAG, written

_NOTHING = pa.scalar(None, pa.string())
_QUOTE = pa.scalar('"')
_IS_ESCAPED = np.isin(np.arange(256), [*range(32), ord('"'), ord("\\")])
"""The bytes that JSON has no other form for than an escape."""


def exact_texts(records: pa.RecordBatch) -> pa.Array:
    """Of each record the text from which ``exact_json.read`` gives it back, without its nulls."""
    return _object(_columns(records), records.num_rows)


def _columns(records: pa.RecordBatch) -> dict[str, pa.Array]:
    return {
        name: plain_within(column)
        for name, column in zip(records.schema.names, records.columns, strict=True)
    }


def _object(columns: dict[str, pa.Array], rows: int) -> pa.Array:
    if TAG in columns:  # read would take it for something else
        names = list(columns)
        lists = [column.to_pylist() for column in columns.values()]
        records = [dict(zip(names, values, strict=True)) for values in zip(*lists, strict=True)]
        return _strings([written(without_nulls(record)) for record in records])
    named = [
        _after(orjson.dumps(name), _exact(column))
        for name, column in columns.items()
        if column.null_count < len(column)
    ]
    return _braced(named, rows)


def _exact(column: pa.Array) -> pa.Array:
    """The JSON text of each value; null stays null."""
    if pa.types.is_struct(column.type) and column.type.num_fields:
        names = [field.name for field in column.type]
        whole = _object(dict(zip(names, column.flatten(), strict=True)), len(column))
        return pc.if_else(column.is_null(), _NOTHING, whole) if column.null_count else whole
    if pa.types.is_string(column.type):
        return _quoted(column)
    if _is_told_by_arrow(column.type):
        return column.cast(pa.string())
    return _by_value(column, lambda value: written(without_nulls(value)))


def _is_told_by_arrow(kind: pa.DataType) -> bool:
    """True where Arrow writes a value as JSON has it."""
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _by_value(column: pa.Array, told: Callable[[Any], bytes]) -> pa.Array:
    return _strings([None if value is None else told(value) for value in column.to_pylist()])


def _quoted(texts: pa.Array) -> pa.Array:
    """The texts as JSON has them."""
    whole = pc.binary_join_element_wise(_QUOTE, texts, _QUOTE, "")
    _, offsets, data = texts.buffers()
    if data is None:
        return whole
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    held = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    escaped = np.flatnonzero(_IS_ESCAPED[held])
    if not len(escaped):
        return whole
    rows = np.unique(np.searchsorted(ends[1:] - ends[0], escaped, side="right"))
    has_some = np.zeros(len(texts), bool)
    has_some[rows] = True
    careful = texts.take(pa.array(rows)).to_pylist()
    return pc.replace_with_mask(whole, has_some, _strings([orjson.dumps(one) for one in careful]))


def _after(name: bytes, values: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(pa.scalar(f",{name.decode()}:"), values, "")


def _braced(parts: list[pa.Array], rows: int) -> pa.Array:
    """The parts of each row that are not null, as one object; each begins with a comma."""
    if not parts:
        return pa.array(["{}"] * rows, pa.string())
    joined = pc.binary_join_element_wise(*(part.fill_null("") for part in parts), "")
    # Without the comma it begins with. Arrow 26's replace_substring and binary_slice give up
    # ("Negative buffer resize") on some long arrays of short texts.
    rest = pc.utf8_slice_codeunits(joined, 1)
    return pc.binary_join_element_wise(pa.scalar("{"), rest, pa.scalar("}"), "")


def _strings(texts: list[bytes | None]) -> pa.Array:
    return pa.array(texts, pa.binary()).cast(pa.string())


def without_nulls(value: Any) -> Any:
    """The value without fields that are null; members of lists stay."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [without_nulls(member) for member in value]
    return value
