"""Compiles a declared expression to columnar operations."""

import re
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.model.field_path import column_at
from tocsin.normalize.mapping import Expression, Scalar
from tocsin.normalize.ocsf_types import (
    as_json,
    meaningful,
    on_distinct,
    texts,
    to_boolean,
    to_integer,
    to_text,
)
from tocsin.normalize.template import compile_template

Computed = Callable[["Fields"], "pa.Array | None"]
_NO_TEXT = pa.scalar(None, pa.string())
_FIRST = [0]
_UP_TO_GROUP = re.compile(r"((?:\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?|[^\\\[(])*)\((?!\?)", re.DOTALL)
"""An expression up to its first group that captures: past escapes, classes and other groups."""


class Fields:
    """The native columns of one lane's records, found by dotted path and remembered."""

    def __init__(
        self, batch: pa.RecordBatch, let: Mapping[str, pa.Array | None] | None = None
    ) -> None:
        """``let`` are columns to be found beside those of the batch, and before them."""
        self.batch = batch
        self._found: dict[str, pa.Array | None] = dict(let or {})

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def get(self, path: str) -> pa.Array | None:
        if path not in self._found:
            self._found[path] = column_at(self.batch, path)
        return self._found[path]


def compile_expression(declared: Expression) -> Computed:
    """A function from fields to a column; None when no source field is there at all."""
    source = _source(declared)
    steps = _steps(declared)
    default = declared.default

    def compute(fields: Fields) -> pa.Array | None:
        array = source(fields)
        if array is None:
            return None if default is None else repeat(default, len(fields))
        for step in steps:
            array = step(array)
        if default is not None:
            array = _or_default(array, default)
        return array

    return compute


def repeat(value: Scalar, length: int) -> pa.Array:
    """A column of one value."""
    return pa.repeat(pa.scalar(value), length)


def _source(declared: Expression) -> Computed:
    if declared.field is not None:
        path = declared.field
        return lambda fields: fields.get(path)
    if declared.const is not None:
        value = declared.const
        return lambda fields: repeat(value, len(fields))
    if declared.first_of is not None:
        return _first_of([compile_expression(part) for part in declared.first_of])
    return compile_template(declared.template or "", declared.missing)


def _first_of(parts: Sequence[Computed]) -> Computed:
    def compute(fields: Fields) -> pa.Array | None:
        found: pa.Array | None = None
        for part in parts:
            if found is None:
                found = part(fields)
                continue
            told = meaningful(found) if pa.types.is_string(found.type) else found
            if not told.null_count:
                return told
            array = part(fields)
            if array is not None:
                found = _coalesce(told, array)
        return found

    return compute


def _coalesce(left: pa.Array, right: pa.Array) -> pa.Array:
    if left.type != right.type:
        if pa.types.is_nested(left.type) or pa.types.is_nested(right.type):
            left, right = as_json(left), as_json(right)
        left, right = to_text(left), to_text(right)
    elif pa.types.is_nested(left.type):
        values = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return pa.array([one if one is not None else other for one, other in values], left.type)
    return pc.coalesce(left, right)


def _steps(declared: Expression) -> list[Callable[[pa.Array], pa.Array]]:
    steps: list[Callable[[pa.Array], pa.Array]] = []
    if declared.first:
        steps.append(_first_member)
    if declared.join is not None:
        separator = declared.join
        steps.append(lambda array: _joined(array, separator))
    if declared.null_if:
        steps.append(_without(declared.null_if))
    if declared.extract is not None:
        steps.append(_extract(declared.extract))
    if declared.split is not None:
        steps.append(_split(declared.split, declared.part))
    if declared.lower:
        steps.append(lambda array: pc.utf8_lower(to_text(array)))
    if declared.upper:
        steps.append(lambda array: pc.utf8_upper(to_text(array)))
    if declared.hex:
        steps.append(_from_hex)
    if declared.lookup is not None:
        steps.append(_lookup(declared.lookup))
    if declared.present is not None:
        instead = pa.scalar(declared.present)
        nothing = pa.scalar(None, instead.type)
        steps.append(lambda array: pc.if_else(array.is_valid(), instead, nothing))
    if declared.cast is not None:
        steps.append(_CASTS[declared.cast])
    return steps


def _first_member(array: pa.Array) -> pa.Array:
    if not pa.types.is_list(array.type):
        return array
    long_enough = pc.greater(pc.list_value_length(array), 0)
    empty_out = pc.if_else(long_enough, array, pa.scalar(None, array.type))
    return pc.list_element(empty_out, 0)


def _joined(array: pa.Array, separator: str) -> pa.Array:
    if not pa.types.is_list(array.type):
        return array
    if pa.types.is_nested(array.type.value_type):
        return as_json(array)
    members = pa.ListArray.from_arrays(
        array.offsets,
        pc.fill_null(to_text(array.values), ""),
        mask=array.is_null() if array.null_count else None,
    )
    return pc.binary_join(members, separator)


def _without(nothing: Sequence[str]) -> Callable[[pa.Array], pa.Array]:
    options = pc.SetLookupOptions(value_set=pa.array(nothing, pa.string()))

    def step(array: pa.Array) -> pa.Array:
        text = to_text(array)
        found = pc.is_in(text, options=options)
        return pc.if_else(found, _NO_TEXT, text) if found.true_count else text

    return step


def _extract(regex: str) -> Callable[[pa.Array], pa.Array]:
    pattern = _UP_TO_GROUP.sub(r"\1(?P<value>", regex, count=1)
    options = pc.ExtractRegexOptions(pattern)
    empty = _without([""])

    def captured(text: pa.Array) -> pa.Array:
        return empty(pc.struct_field(pc.extract_regex(text, options=options), _FIRST))

    return lambda array: on_distinct(texts(array), captured)


def _split(separator: str, part: int) -> Callable[[pa.Array], pa.Array]:
    def piece(text: str | None) -> str | None:
        pieces = [] if text is None else text.split(separator)
        return pieces[part] if -len(pieces) <= part < len(pieces) else None

    return lambda array: _on_distinct(to_text(array), piece, pa.string())


def _from_hex(array: pa.Array) -> pa.Array:
    if pa.types.is_integer(array.type):
        return array
    return _on_distinct(to_text(array), _hex_value, pa.int64())


def _hex_value(text: str | None) -> int | None:
    try:
        value = int(text, 16 if text.lower().startswith("0x") else 10) if text else None
    except ValueError:
        return None
    return value if value is not None and -(2**63) <= value < 2**63 else None


def _lookup(table: dict[str, Scalar]) -> Callable[[pa.Array], pa.Array]:
    known = pc.SetLookupOptions(value_set=pa.array([key.lower() for key in table]))
    values = pa.array(list(table.values()))

    def found(text: pa.Array) -> pa.Array:
        return values.take(pc.index_in(pc.utf8_lower(text), options=known))

    return lambda array: on_distinct(texts(array), found)


def _on_distinct(
    array: pa.Array, function: Callable[[str | None], object], wanted: pa.DataType
) -> pa.Array:
    """``function`` of each distinct value, once."""
    coded = array.dictionary_encode()
    values = pa.array([function(text) for text in coded.dictionary.to_pylist()], wanted)
    return values.take(coded.indices)


def _or_default(array: pa.Array, default: Scalar) -> pa.Array:
    """Nulls filled; what is of another kind than the default becomes text, and so does that."""
    if pa.types.is_null(array.type):
        return repeat(default, len(array))
    if _is_of_kind(array.type, default):
        return pc.fill_null(array, default)
    return pc.fill_null(to_text(array), to_text(repeat(default, 1))[0])


def _is_of_kind(kind: pa.DataType, default: Scalar) -> bool:
    if isinstance(default, bool):
        return bool(pa.types.is_boolean(kind))
    if isinstance(default, str):
        return bool(pa.types.is_string(kind))
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _to_float(array: pa.Array) -> pa.Array:
    if pa.types.is_floating(array.type) or pa.types.is_integer(array.type):
        return array.cast(pa.float64())
    return _on_distinct(to_text(array), _float_value, pa.float64())


def _float_value(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _to_millis(array: pa.Array) -> pa.Array:
    """Seconds since 1970, fractions too, to OCSF's milliseconds."""
    seconds = pc.multiply(_to_float(array), 1000.0)
    return to_integer(pc.round(seconds))


def _to_words(array: pa.Array) -> pa.Array:
    return pc.utf8_split_whitespace(pc.utf8_trim_whitespace(to_text(array)))


_CASTS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "int": to_integer,
    "float": _to_float,
    "text": to_text,
    "bool": to_boolean,
    "json": as_json,
    "time": _to_millis,
    "words": _to_words,
}
