"""Turns records (dicts) into Arrow columns without losing what they said.

Rules, for the fields of a record and, recursively, for nested objects and list members:

- Text, booleans, integers of 64 bits and floats keep their type; integers beside floats become
  floats when each is exact as one.
- A field of several types, or with integers beyond 64 bits, becomes text: strings as they are,
  anything else as its JSON text.
- Objects become structs, lists become lists; an object that is ``{}`` (or holds nulls only) in
  every record becomes its JSON text, a list that is empty in every record a list of text.
- An explicit null at the top or inside an object is the same as an absent field, so a field that
  is always null makes no column. Nulls inside lists stay.
- Deeper than ``MAX_DEPTH`` levels the rest is JSON text. Where one level has more than
  ``MAX_KEYS`` names, the names that came last go together into ``_remainder`` (JSON text).
- Half a surrogate pair, which UTF-8 can't hold, is kept as its backslash escape.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from tocsin.model.field_path import REMAINDER

MAX_DEPTH = 24
MAX_KEYS = 1_000

_NONE = type(None)
_EXACT_FLOAT = 2**53


def columns_of(records: Sequence[Mapping[str, object]]) -> pa.RecordBatch:
    """The records as one batch; columns in the order in which names were first seen."""
    arrays = _same_names(records) or _fields(records, depth=1)
    if not arrays:
        return pa.RecordBatch.from_struct_array(pa.array([{} for _ in records], type=pa.struct([])))
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def _same_names(rows: Sequence[Mapping[str, object]]) -> dict[str, pa.Array] | None:
    """The quick way when every record has the same names in the same order, as most do."""
    if not rows:
        return None
    names = tuple(rows[0])
    if len(names) > MAX_KEYS or any(tuple(row) != names for row in rows):
        return None
    arrays: dict[str, pa.Array] = {}
    for name, values in zip(names, zip(*(row.values() for row in rows), strict=True), strict=True):
        array = _array(values, 1)
        if array is not None:
            arrays[storable(name)] = array
    return arrays


def _fields(rows: Sequence[Mapping[str, object] | None], depth: int) -> dict[str, pa.Array]:
    names = _names(rows)
    rest: list[str] = []
    if len(names) > MAX_KEYS:
        names, rest = names[:MAX_KEYS], names[MAX_KEYS:]
    arrays: dict[str, pa.Array] = {}
    for name in names:
        array = _array([None if row is None else row.get(name) for row in rows], depth)
        if array is not None:
            arrays[storable(name)] = array
    if rest:
        arrays[REMAINDER] = _remainder(rows, rest)
    return arrays


def _names(rows: Iterable[Mapping[str, object] | None]) -> list[str]:
    seen: dict[str, None] = {}
    shapes: set[tuple[str, ...]] = set()
    for row in rows:
        if row is None:
            continue
        shape = tuple(row)
        if shape not in shapes:
            if len(shapes) < MAX_KEYS:
                shapes.add(shape)
            for name in shape:
                seen.setdefault(name)
    return list(seen)


def _array(values: Sequence[Any], depth: int) -> pa.Array | None:
    """One column; None when every value is null."""
    plain = _plain_text(values)
    if plain is not None:
        return plain
    kinds = set(map(type, values))
    kinds.discard(_NONE)
    if not kinds:
        return None
    if len(kinds) == 1:
        kind = next(iter(kinds))
        if kind is str:
            return _text(values)
        if kind is int:
            try:
                return pa.array(values, pa.int64())
            except OverflowError:
                return _mixed(values)
        if kind is bool:
            return pa.array(values, pa.bool_())
        if kind is float:
            return pa.array(values, pa.float64())
        if kind is dict and depth < MAX_DEPTH:
            return _structs(values, depth)
        if kind is list and depth < MAX_DEPTH:
            return _lists(values, depth)
    elif kinds == {int, float} and all(
        abs(value) <= _EXACT_FLOAT for value in values if type(value) is int
    ):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return _mixed(values)


def column_of(values: Sequence[Any], depth: int = 1) -> pa.Array | None:
    """One column, ``depth`` levels down; None when every value is null."""
    return _array(values, depth)


def _plain_text(values: Sequence[Any]) -> pa.Array | None:
    """Text and nulls, which most columns are, without looking at each value's type first."""
    if not values or type(values[0]) is not str:
        return None
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid, UnicodeEncodeError):
        return None


def _text(values: Sequence[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array(
            [None if value is None else storable(value) for value in values], pa.string()
        )


def _mixed(values: Sequence[Any]) -> pa.Array:
    return _text(
        [value if value is None or type(value) is str else json_text(value) for value in values]
    )


def _structs(values: Sequence[dict[str, object] | None], depth: int) -> pa.Array:
    arrays = _fields(values, depth + 1)
    if not arrays:
        return _mixed(values)
    return pa.StructArray.from_arrays(
        list(arrays.values()),
        names=list(arrays),
        mask=pa.array([value is None for value in values], pa.bool_()),
    )


def _lists(values: Sequence[list[object] | None], depth: int) -> pa.Array:
    members: list[Any] = []
    offsets = [0]
    for value in values:
        if value:
            members.extend(value)
        offsets.append(len(members))
    inner = _array(members, depth + 1)
    if inner is None:
        inner = pa.nulls(len(members), pa.string())
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        inner,
        mask=pa.array([value is None for value in values], pa.bool_()),
    )


def _remainder(rows: Sequence[Mapping[str, object] | None], names: list[str]) -> pa.Array:
    wanted = set(names)
    texts: list[str | None] = []
    for row in rows:
        left = {name: value for name, value in (row or {}).items() if name in wanted}
        texts.append(json_text(left) if left else None)
    return _text(texts)


def storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def json_text(value: object) -> str:
    """JSON of ``value``, however deep it is nested."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # integers beyond 64 bits, more than 254 levels, half surrogates
        return "".join(_json_parts(value))


def _json_parts(value: object) -> list[str]:
    """Writes with a stack of its own, so that depth can't end the process."""
    parts: list[str] = []
    todo: list[tuple[bool, Any]] = [(False, value)]
    while todo:
        written, item = todo.pop()
        if written:
            parts.append(item)
        elif isinstance(item, dict):
            steps: list[tuple[bool, Any]] = [(True, "{")]
            for index, (name, inner) in enumerate(item.items()):
                steps += [(True, "," if index else ""), (True, _scalar(str(name)) + ":")]
                steps.append((False, inner))
            todo.extend(reversed([*steps, (True, "}")]))
        elif isinstance(item, list | tuple):
            steps = [(True, "[")]
            for index, inner in enumerate(item):
                steps += [(True, "," if index else ""), (False, inner)]
            todo.extend(reversed([*steps, (True, "]")]))
        else:
            parts.append(_scalar(item))
    return parts


def _scalar(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = storable(value) if isinstance(value, str) else value
    return orjson.dumps(text, default=str).decode()
