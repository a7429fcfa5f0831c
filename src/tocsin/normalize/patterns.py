"""Reads text columns as the patterns of a mapping say; what they find becomes fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.expression import Fields
from tocsin.normalize.mapping import Pairs, Pattern
from tocsin.normalize.ocsf_types import to_integer, to_text
from tocsin.normalize.regex_columns import capture
from tocsin.normalize.split_text import members_of, split_columns, split_pairs

_NO_TEXT = pa.scalar(None, pa.string())


@dataclass(slots=True)
class _Found:
    """Values of one field as found so far, and the rows they belong to."""

    rows: list[np.ndarray] = field(default_factory=list)
    values: list[pa.Array] = field(default_factory=list)


def captured(
    fields: Fields,
    patterns: Sequence[Pattern],
    rename: Mapping[str, str],
    absent: Sequence[str],
) -> dict[str, pa.Array]:
    """The fields that the patterns find; each record is read by the first that matches it.

    A group that took no part, or captured what ``absent`` lists, gives null.
    """
    found: dict[str, _Found] = {}
    integers: set[str] = set()
    left: dict[str, np.ndarray] = {}
    nothing = pa.array(["", *absent])
    for pattern in patterns:
        column = fields.get(pattern.field)
        if column is None:
            continue
        rows = left.setdefault(pattern.field, np.arange(len(fields)))
        if pattern.pairs is None or not pa.types.is_struct(column.type):
            column = to_text(column)
        taken = _read(column, rows, pattern, nothing, rename, found)
        if taken is not None:
            left[pattern.field] = rows[~taken]
        integers.update(pattern.integers)
    columns = {name: _scattered(parts, len(fields)) for name, parts in found.items()}
    return {
        name: to_integer(column) if name in integers else column
        for name, column in columns.items()
        if column.null_count < len(column)
    }


def _read(
    text: pa.Array,
    rows: np.ndarray,
    pattern: Pattern,
    nothing: pa.Array,
    rename: Mapping[str, str],
    found: dict[str, _Found],
) -> np.ndarray | None:
    """Try one pattern on the rows still unread; a mask over ``rows`` of those it read."""
    if not len(rows):
        return None
    mine = text if len(rows) == len(text) else text.take(pa.array(rows))
    tried = np.ones(len(rows), bool)
    if pattern.starts is not None:
        tried = _as_mask(pc.starts_with(mine, pattern.starts))
        mine = mine.filter(pa.array(tried))
    if not len(mine):
        return None
    read = _fields(mine, pattern)
    if read is None:
        return None
    matched, columns = read
    taken = tried.copy()
    taken[tried] = matched
    for name, values in columns.items():
        _keep(found, rename.get(name, name), rows[taken], _without(values, nothing))
    for name, value in pattern.set.items():
        _keep(found, name, rows[taken], pa.repeat(pa.scalar(value), np.count_nonzero(taken)))
    return taken


def _fields(text: pa.Array, pattern: Pattern) -> tuple[np.ndarray, dict[str, pa.Array]] | None:
    """Which of the texts the pattern reads, and the values it finds in those."""
    if pattern.regex is not None:
        matched, columns = capture(text, pattern.regex)
        return (matched, columns) if matched.any() else None
    present = _as_mask(text.is_valid())
    if not present.any():
        return None
    mine = text if present.all() else text.filter(pa.array(present))
    if pattern.columns is not None:
        return present, split_columns(mine, pattern.columns, pattern.separator)
    if pa.types.is_struct(mine.type):
        return present, members_of(mine)
    pairs = pattern.pairs or Pairs()
    return present, split_pairs(mine, pairs.assign, pairs.between)


def _without(values: pa.Array, nothing: pa.Array) -> pa.Array:
    shortest = pc.min(pc.binary_length(values)).as_py()
    if shortest is None or shortest > pc.max(pc.binary_length(nothing)).as_py():
        return values  # a tenth of what looking the values up costs
    return pc.if_else(pc.is_in(values, value_set=nothing), _NO_TEXT, values)


def _keep(found: dict[str, _Found], name: str, rows: np.ndarray, values: pa.Array) -> None:
    parts = found.setdefault(name, _Found())
    parts.rows.append(rows)
    parts.values.append(values)


def _as_mask(flags: pa.Array) -> np.ndarray:
    return np.asarray(pc.fill_null(flags, False).to_numpy(zero_copy_only=False))


def _scattered(parts: _Found, length: int) -> pa.Array:
    """The found values at their rows, null elsewhere."""
    if len(parts.rows) == 1 and len(parts.rows[0]) == length:
        return parts.values[0]
    values = pa.concat_arrays([*parts.values, pa.nulls(1, pa.string())])
    places = np.full(length, len(values) - 1, np.int64)
    start = 0
    for rows in parts.rows:
        places[rows] = np.arange(start, start + len(rows))
        start += len(rows)
    return values.take(pa.array(places))
