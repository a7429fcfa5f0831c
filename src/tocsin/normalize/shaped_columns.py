"""Columns from shaped records: the same as ``columns_of`` makes of the records as dicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.model.shaped_records import CellKind
from tocsin.normalize.cells import Cells, Numbers, Wanted, typed
from tocsin.normalize.columns import (
    MAX_DEPTH,
    MAX_KEYS,
    column_of,
    storable,
)
from tocsin.normalize.shaped_rows import CellRows, Rows, values_of


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A place in a template and where the values found there go in the column being made."""

    node: Any
    rows: Rows
    places: Numbers


class TooMuch(Exception):
    """The records have more names at one level, or more levels, than columns are made for."""


Finish = Callable[[], "pa.Array | None"]


class ShapedColumns:
    """Columns of some records, planned now and made when ``Wanted.make`` has run.

    ``Rows.rows`` are the places in columns of ``length`` rows. Of ``chosen`` names only (None:
    all); ``left_out`` are the others. Raises ``TooMuch`` where ``columns_of`` would put names
    together or cut a record off.
    """

    def __init__(
        self,
        cells: Cells,
        wanted: Wanted,
        groups: Sequence[Rows],
        length: int,
        chosen: frozenset[str] | None = None,
    ) -> None:
        ordered = sorted((one for one in groups if len(one.rows)), key=lambda one: int(one.rows[0]))
        parts = [Part(group.template.record, group, group.rows) for group in ordered]
        by_name = _by_name(parts, 1)
        if chosen is not None and chosen.isdisjoint(by_name):
            chosen = None  # a batch has columns
        self.left_out = frozenset() if chosen is None else frozenset(by_name) - chosen
        plan = _Plan(cells, wanted)
        self._columns = {
            name: plan.column(same, length, 1)
            for name, same in by_name.items()
            if name not in self.left_out
        }

    def made(self) -> dict[str, pa.Array]:
        """The columns by name, none all null."""
        return _finished(self._columns)


def _finished(columns: Mapping[str, Finish]) -> dict[str, pa.Array]:
    arrays: dict[str, pa.Array] = {}
    for name, finish in columns.items():
        array = finish()
        if array is not None:
            arrays[storable(name)] = array
    return arrays


def _by_name(parts: Sequence[Part], depth: int) -> dict[str, list[Part]]:
    """What the objects at these places have, by name."""
    by_name: dict[str, list[Part]] = {}
    for part in parts:
        for name, inner in part.node.items():
            if inner is not None:
                by_name.setdefault(name, []).append(Part(inner, part.rows, part.places))
    if len(by_name) > MAX_KEYS or depth >= MAX_DEPTH:
        raise TooMuch
    return by_name


class _Plan:
    def __init__(self, cells: Cells, wanted: Wanted) -> None:
        self._cells = cells
        self._wanted = wanted

    def column(self, parts: Sequence[Part], length: int, depth: int) -> Finish:
        kind = _kind(parts[0])
        plain: Finish | None = None
        if all(_kind(part) is kind for part in parts[1:]):
            if isinstance(kind, CellKind):
                plain = self._values(kind, parts, length)
            elif kind is dict:
                plain = self._structs(parts, length, depth)
            else:
                return self._lists(parts, length, depth)

        def finish() -> pa.Array | None:
            found = plain() if plain is not None else None
            return _by_value(self._cells, parts, length, depth) if found is None else found

        return finish

    def _values(self, kind: CellKind, parts: Sequence[Part], length: int) -> Finish:
        cells = [
            (part.places, part.rows.cells(part.node)[1])
            for part in parts
            if isinstance(part.rows, CellRows)
        ]
        if len(cells) == len(parts):
            return partial(self._wanted.made, self._wanted.ask(kind, _scattered(cells, length)))
        return lambda: typed(kind, _gathered(self._cells, parts, length))

    def _structs(self, parts: Sequence[Part], length: int, depth: int) -> Finish:
        columns = {
            name: self.column(same, length, depth + 1)
            for name, same in _by_name(parts, depth + 1).items()
        }

        def finish() -> pa.Array | None:
            arrays = _finished(columns)
            if not arrays:
                return None
            return pa.StructArray.from_arrays(
                list(arrays.values()), names=list(arrays), mask=pa.array(_absent(parts, length))
            )

        return finish

    def _lists(self, parts: Sequence[Part], length: int, depth: int) -> Finish:
        if depth >= MAX_DEPTH:
            raise TooMuch
        sizes = np.zeros(length, np.int64)
        for part in parts:
            sizes[part.places] = len(part.node)
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
        members = [
            Part(inner, part.rows, offsets[part.places] + at)
            for part in parts
            for at, inner in enumerate(part.node)
            if inner is not None
        ]
        count = int(offsets[-1])
        inner = self.column(members, count, depth + 1) if members else None

        def finish() -> pa.Array | None:
            array = inner() if inner is not None else None
            return pa.ListArray.from_arrays(
                pa.array(offsets, pa.int32()),
                pa.nulls(count, pa.string()) if array is None else array,
                mask=pa.array(_absent(parts, length)),
            )

        return finish


def _absent(parts: Sequence[Part], length: int) -> npt.NDArray[np.bool_]:
    absent = np.ones(length, np.bool_)
    for part in parts:
        absent[part.places] = False
    return absent


def _by_value(cells: Cells, parts: Sequence[Part], length: int, depth: int) -> pa.Array | None:
    values: list[Any] = [None] * length
    for part in parts:
        inner = values_of(cells, part.node, part.rows)
        for place, value in zip(part.places.tolist(), inner, strict=True):
            values[place] = value
    return column_of(values, depth)


def _kind(part: Part) -> object:
    if isinstance(part.node, int):
        return part.rows.template.kinds[part.node - 1]
    return type(part.node)


def _scattered(parts: Sequence[tuple[Numbers, Numbers]], length: int) -> Numbers:
    """For each row of the column the cell of its value, negative where it has none."""
    if len(parts) == 1 and _is_whole(parts[0][0], length):
        return parts[0][1]
    whole = np.full(length, -1, np.int64)
    for places, cells in parts:
        whole[places] = cells
    return whole


def _gathered(cells: Cells, parts: Sequence[Part], length: int) -> pa.StringArray:
    """For each row of the column its text, null where it has none."""
    columns = [part.rows.column(cells, part.node) for part in parts]
    if len(parts) == 1 and _is_whole(parts[0].places, length):
        return columns[0]
    firsts = np.cumsum([0, *map(len, columns)]).tolist()
    numbers = [
        (part.places, np.arange(first, first + len(part.places)))
        for part, first in zip(parts, firsts, strict=False)
    ]
    order = _scattered(numbers, length)
    return pa.concat_arrays(columns).take(pa.array(order, mask=order < 0))


def _is_whole(places: Numbers, length: int) -> bool:
    return len(places) == length and (length < 2 or bool((places[1:] > places[:-1]).all()))
