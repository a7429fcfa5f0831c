"""JSON text of columns of objects and lists, a member at a time instead of a record at a time."""

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.columns import json_text

_ESCAPED = r'["\\\x00-\x1f]'
_NULL = pa.scalar("null")


def json_column(array: pa.Array) -> pa.Array:
    """The JSON text of each value, members that are null left out; null where the value is.

    Nulls inside lists stay. It is what ``json_text`` says of the same values.
    """
    kind = array.type
    if pa.types.is_struct(kind):
        return _objects(array)
    if pa.types.is_list(kind):
        return _lists(array)
    if pa.types.is_string(kind):
        return _texts(array)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return array.cast(pa.string())
    coded = array.dictionary_encode()
    return _each(coded.dictionary).take(coded.indices)


def _each(values: pa.Array) -> pa.Array:
    return pa.array(
        [None if one is None else json_text(one) for one in values.to_pylist()], pa.string()
    )


def _objects(array: pa.StructArray) -> pa.Array:
    members = [
        _member(named.name, json_column(member))
        for named, member in zip(array.type, array.flatten(), strict=True)
    ]
    if not members:
        return pc.if_else(array.is_valid(), "{}", pa.scalar(None, pa.string()))
    after_commas = pc.binary_join_element_wise(*members, "")
    inner = pc.utf8_replace_slice(after_commas, 0, 1, "{")
    return _where_valid(array, pc.binary_join_element_wise(inner, "}", ""))


def _member(name: str, texts: pa.Array) -> pa.Array:
    """A member with a comma before it; nothing where it is null."""
    named = pc.binary_join_element_wise(f",{orjson.dumps(name).decode()}:", texts, "")
    return pc.fill_null(named, "") if named.null_count else named


def _lists(array: pa.ListArray) -> pa.Array:
    whole = pa.concat_arrays([array]) if array.offset else array
    texts = pc.fill_null(json_column(whole.values), _NULL)
    inner = pc.binary_join(pa.ListArray.from_arrays(whole.offsets, texts), ",")
    return _where_valid(array, pc.binary_join_element_wise("[", inner, "]", ""))


def _texts(array: pa.StringArray) -> pa.Array:
    quoted = pc.binary_join_element_wise('"', array, '"', "")
    is_escaped = pc.match_substring_regex(array, _ESCAPED)
    if not is_escaped.true_count:
        return quoted
    coded = array.filter(is_escaped).dictionary_encode()
    escaped = _each(coded.dictionary).take(coded.indices)
    return pc.replace_with_mask(quoted, pc.fill_null(is_escaped, False), escaped)


def _where_valid(array: pa.Array, texts: pa.Array) -> pa.Array:
    if not array.null_count:
        return texts
    return pc.if_else(array.is_valid(), texts, pa.scalar(None, pa.string()))
