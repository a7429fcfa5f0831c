"""Columns from shaped records: the same as ``columns_of`` makes of the records as dicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.model.shaped_records import CellKind, Template
from tocsin.normalize.cells import Cells, Numbers
from tocsin.normalize.columns import (
    MAX_DEPTH,
    MAX_KEYS,
    column_of,
    storable,
)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Records of one template: their rows, and the first text and scalar of each as cells."""

    template: Template
    rows: Numbers
    texts: Numbers
    scalars: Numbers

    def cells(self, slot: int) -> tuple[CellKind, Numbers]:
        """The kind of a slot and its cell in each record."""
        kind, offset = self.template.kinds[slot - 1], self.template.offsets[slot - 1]
        return kind, (self.texts if kind is CellKind.TEXT else self.scalars) + 2 * offset

    def of(self, chosen: Numbers) -> "Rows":
        """The records at the given places among these."""
        return Rows(self.template, self.rows[chosen], self.texts[chosen], self.scalars[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A place in a template and where the values found there go in the column being made."""

    node: Any
    rows: Rows
    places: Numbers


class TooMuch(Exception):
    """The records have more names at one level, or more levels, than columns are made for."""


def shaped_columns(cells: Cells, groups: Sequence[Rows], length: int) -> dict[str, pa.Array]:
    """Columns of ``length`` rows by name, none all null; ``Rows.rows`` are the places in them.

    Raises ``TooMuch`` where ``columns_of`` would put names together or cut a record off.
    """
    ordered = sorted((group for group in groups if len(group.rows)), key=lambda g: int(g.rows[0]))
    return _fields(cells, [Part(g.template.record, g, g.rows) for g in ordered], length, 1)


def _fields(cells: Cells, parts: Sequence[Part], length: int, depth: int) -> dict[str, pa.Array]:
    by_name: dict[str, list[Part]] = {}
    for part in parts:
        for name, inner in part.node.items():
            if inner is not None:
                by_name.setdefault(name, []).append(Part(inner, part.rows, part.places))
    if len(by_name) > MAX_KEYS or depth >= MAX_DEPTH:
        raise TooMuch
    columns: dict[str, pa.Array] = {}
    for name, same in by_name.items():
        array = _array(cells, same, length, depth)
        if array is not None:
            columns[storable(name)] = array
    return columns


def _array(cells: Cells, parts: Sequence[Part], length: int, depth: int) -> pa.Array | None:
    kinds = {_kind(part) for part in parts}
    found: pa.Array | None = None
    if len(kinds) == 1:
        kind = kinds.pop()
        if isinstance(kind, CellKind):
            found = cells.column(kind, _scattered(parts, length))
        elif kind is dict:
            found = _structs(cells, parts, length, depth)
        else:
            found = _lists(cells, parts, length, depth)
    if found is not None:
        return found
    values: list[Any] = [None] * length
    for part in parts:
        for place, value in zip(
            part.places.tolist(), values_of(cells, part.node, part.rows), strict=True
        ):
            values[place] = value
    return column_of(values, depth)


def _kind(part: Part) -> object:
    if isinstance(part.node, int):
        return part.rows.template.kinds[part.node - 1]
    return type(part.node)


def _scattered(parts: Sequence[Part], length: int) -> Numbers:
    """For each row of the column the cell of its value, negative where it has none."""
    if len(parts) == 1 and len(parts[0].places) == length:
        cells = parts[0].rows.cells(parts[0].node)[1]
        places = parts[0].places
        if length < 2 or bool((places[1:] > places[:-1]).all()):
            return cells
    whole = np.full(length, -1, np.int64)
    for part in parts:
        whole[part.places] = part.rows.cells(part.node)[1]
    return whole


def _structs(cells: Cells, parts: Sequence[Part], length: int, depth: int) -> pa.Array | None:
    arrays = _fields(cells, parts, length, depth + 1)
    if not arrays:
        return None
    absent = np.ones(length, np.bool_)
    for part in parts:
        absent[part.places] = False
    return pa.StructArray.from_arrays(
        list(arrays.values()), names=list(arrays), mask=pa.array(absent)
    )


def _lists(cells: Cells, parts: Sequence[Part], length: int, depth: int) -> pa.Array:
    if depth >= MAX_DEPTH:
        raise TooMuch
    sizes = np.zeros(length, np.int64)
    absent = np.ones(length, np.bool_)
    for part in parts:
        sizes[part.places] = len(part.node)
        absent[part.places] = False
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
    members = [
        Part(inner, part.rows, offsets[part.places] + at)
        for part in parts
        for at, inner in enumerate(part.node)
        if inner is not None
    ]
    count = int(offsets[-1])
    inner = _array(cells, members, count, depth + 1) if members else None
    if inner is None:
        inner = pa.nulls(count, pa.string())
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner, mask=pa.array(absent))


def values_of(cells: Cells, node: Any, rows: Rows) -> list[Any]:
    """What the records have where their template has ``node``."""
    if isinstance(node, int):
        return cells.values(*rows.cells(node))
    count = len(rows.rows)
    if node is None:
        return [None] * count
    if isinstance(node, Mapping):
        inner = [values_of(cells, value, rows) for value in node.values()]
        names = tuple(node)
        if not names:
            return [{} for _ in range(count)]
        return [dict(zip(names, row, strict=True)) for row in zip(*inner, strict=True)]
    members = [values_of(cells, value, rows) for value in node]
    if not members:
        return [[] for _ in range(count)]
    return [list(row) for row in zip(*members, strict=True)]
