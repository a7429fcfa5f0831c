"""Records as the two maps that ClickHouse looks through for a field, made column by column.

One has the text of each leaf under its path's key, the other the texts of what is in lists.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.store.engines.variant.arrow_plain import is_list, plain_within
from tocsin.store.engines.variant.flat_fields import Path, key_of, leaves, text_of
from tocsin.store.fields import ANY_MEMBER

_TEXTS = pa.list_(pa.string())
Rows = npt.NDArray[np.intp]


@dataclass(slots=True)
class _Entries:
    """Keys with the values some rows have under them; no row has one key twice."""

    kind: pa.DataType
    keys: list[str] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    values: list[pa.Array] = field(default_factory=list)

    def add(self, path: Path, rows: Rows, values: pa.Array) -> None:
        self.keys.append(key_of(path))
        self.rows.append(rows)
        self.values.append(values)

    def by_row(self, count: int) -> pa.MapArray:
        """One map for each of ``count`` rows."""
        if not self.rows:
            none = pa.array(np.zeros(count + 1, np.int32))
            return pa.MapArray.from_arrays(none, pa.array([], pa.string()), pa.array([], self.kind))
        rows = np.concatenate(self.rows)
        order = np.argsort(rows, kind="stable")
        ends = np.cumsum(np.bincount(rows, minlength=count))
        which = np.repeat(np.arange(len(self.keys)), [len(one) for one in self.rows])[order]
        return pa.MapArray.from_arrays(
            pa.array(np.concatenate(([0], ends)).astype(np.int32)),
            pa.array(self.keys).take(pa.array(which)),
            pa.concat_arrays(self.values).take(pa.array(order)),
        )


def leaf_maps(records: pa.RecordBatch, paths: set[Path]) -> tuple[pa.MapArray, pa.MapArray]:
    """Of each record its leaves' texts by path: single ones, and what is in lists.

    Adds their paths to ``paths``.
    """
    single, lists = _Entries(pa.string()), _Entries(_TEXTS)
    for name, column in zip(records.schema.names, records.columns, strict=True):
        _add(single, lists, plain_within(column), (name,), paths)
    return single.by_row(records.num_rows), lists.by_row(records.num_rows)


def _add(single: _Entries, lists: _Entries, column: pa.Array, path: Path, paths: set[Path]) -> None:
    if column.null_count == len(column):
        return
    if pa.types.is_struct(column.type):
        for one, inner in zip(column.type, column.flatten(), strict=True):
            _add(single, lists, inner, (*path, one.name), paths)
    elif is_list(column.type) or ANY_MEMBER in path:
        _add_members(lists, column, path, paths)
    else:
        paths.add(path)
        single.add(path, _filled(column), _texts(column.drop_null()))


def _filled(column: pa.Array) -> Rows:
    """The numbers of the rows that have a value."""
    return np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))


def _texts(column: pa.Array) -> pa.Array:
    """What a filter compares with."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string())
    return pa.array([text_of(value) for value in column.to_pylist()], pa.string())


def _add_members(lists: _Entries, column: pa.Array, path: Path, paths: set[Path]) -> None:
    if is_list(column.type) and pa.types.is_string(column.type.value_type):
        held = column.filter(pc.greater(pc.list_value_length(column), 0))
        if len(held) and not held.flatten().null_count:
            whole = (*path, ANY_MEMBER)
            paths.add(whole)
            sizes = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
            lists.add(whole, np.flatnonzero(sizes), held)
            return
    found: dict[Path, tuple[list[int], list[list[str]]]] = {}
    for row, value in enumerate(column.to_pylist()):
        for where, texts in _by_path(value, path).items():
            rows, values = found.setdefault(where, ([], []))
            rows.append(row)
            values.append(texts)
    for where, (rows, values) in found.items():
        paths.add(where)
        lists.add(where, np.array(rows, np.intp), pa.array(values, _TEXTS))


def _by_path(value: Any, path: Path) -> dict[Path, list[str]]:
    found: dict[Path, list[str]] = {}
    for where, leaf in leaves(value, path):
        found.setdefault(where, []).append(text_of(leaf))
    return found
