"""Records as JSON texts, made column by column: exact ones, and flat ones to look through."""

from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.engines.variant.arrow_plain import is_list, plain_within
from tocsin.store.engines.variant.exact_json import TAG, written
from tocsin.store.engines.variant.flat_fields import Path, flat, key_of, text_of
from tocsin.store.fields import ANY_MEMBER

_NOTHING = pa.scalar(None, pa.string())


def exact_texts(records: pa.RecordBatch) -> pa.Array:
    """Of each record the text from which ``exact_json.read`` gives it back, without its nulls."""
    return _object(_columns(records), records.num_rows)


def flat_texts(records: pa.RecordBatch, paths: set[Path]) -> pa.Array:
    """Of each record its leaves as ``flat_fields.flat`` tells them; adds their paths."""
    parts: list[pa.Array] = []
    for name, column in _columns(records).items():
        _add_leaves(parts, column, (name,), paths)
    return _braced(parts, records.num_rows)


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
    if _is_told_by_arrow(column.type):
        return column.cast(pa.string())
    return _by_value(column, lambda value: written(without_nulls(value)))


def _add_leaves(parts: list[pa.Array], column: pa.Array, path: Path, paths: set[Path]) -> None:
    if column.null_count == len(column):
        return
    if pa.types.is_struct(column.type):
        for field, inner in zip(column.type, column.flatten(), strict=True):
            _add_leaves(parts, inner, (*path, field.name), paths)
    elif is_list(column.type) or ANY_MEMBER in path:
        parts.append(_strings([_members(value, path, paths) for value in column.to_pylist()]))
    else:
        paths.add(path)
        parts.append(_after(orjson.dumps(key_of(path)), _text(column)))


def _text(column: pa.Array) -> pa.Array:
    """What a filter compares with, as JSON texts."""
    if _is_told_by_arrow(column.type):
        quote = pa.scalar('"')
        return pc.binary_join_element_wise(quote, column.cast(pa.string()), quote, "")
    return _by_value(column, lambda value: orjson.dumps(text_of(value)))


def _members(value: Any, path: Path, paths: set[Path]) -> bytes | None:
    """The keys and texts of what is in a list, each after a comma."""
    found = flat(value, paths, path)
    return b"," + orjson.dumps(found)[1:-1] if found else None


def _is_told_by_arrow(kind: pa.DataType) -> bool:
    """True where Arrow writes a value as JSON has it."""
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _by_value(column: pa.Array, told: Callable[[Any], bytes]) -> pa.Array:
    """``told`` of each value; of equal texts once."""
    if pa.types.is_string(column.type):
        packed = column.dictionary_encode()
        return _strings([told(value) for value in packed.dictionary.to_pylist()]).take(
            packed.indices
        )
    return _strings([None if value is None else told(value) for value in column.to_pylist()])


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
