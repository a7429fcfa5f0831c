"""The cells of shaped records as Arrow columns of their values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.model.cell_texts import loaded, unescaped
from tocsin.model.shaped_records import CellKind, ShapedRecords

Numbers = npt.NDArray[np.int64]
_EXACT_FLOAT = 2**53
_LARGE = 2_000
_TOGETHER = 500


Coded = tuple[npt.NDArray[np.int32], list[Any]]


class Cells:
    """The cells of several payloads, numbered one after the other."""

    def __init__(self, parts: Sequence[ShapedRecords]) -> None:
        self._texts, self.first_texts = _joined([part.texts for part in parts])
        self._scalars, self.first_scalars = _joined([part.scalars for part in parts])

    def column(
        self, kind: CellKind, cells: Numbers, *, whole_numbers: bool = False
    ) -> pa.Array | None:
        """Typed values of cells of one kind, null where the number is negative.

        None where only ``values`` can tell them: numbers of two sorts, lists; with
        ``whole_numbers`` also where a number has a fraction.
        """
        texts = self.texts(kind, cells)
        if kind is CellKind.NUMBER and whole_numbers:
            return _whole_numbers(texts)
        return typed(kind, texts)

    def texts(self, kind: CellKind, cells: Numbers) -> pa.StringArray:
        """Texts as they mean, other kinds as JSON writes them; null where the number is negative."""
        if kind is CellKind.TEXT:
            return unescaped(_taken(self._texts, cells))
        return _taken(self._scalars, cells)

    def coded(self, kind: CellKind, cells: Numbers) -> Coded:
        """For each cell the index of its value, and the distinct values as JSON gives them."""
        raw = _taken(self._texts if kind is CellKind.TEXT else self._scalars, cells)
        coded = raw.dictionary_encode()
        return coded.indices.to_numpy(zero_copy_only=False), loaded(coded.dictionary, kind)


class Wanted:
    """Columns asked for first and then made together: a call into Arrow costs more than a few rows."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._asked: list[tuple[CellKind, Numbers]] = []
        self._made: list[pa.Array | None] = []

    def ask(self, kind: CellKind, cells: Numbers) -> int:
        """The number under which the column is to be had after ``make``."""
        self._asked.append((kind, cells))
        return len(self._asked) - 1

    def made(self, number: int) -> pa.Array | None:
        """The typed column, as ``Cells.column`` has it."""
        return self._made[number]

    def make(self) -> None:
        """Make all columns asked for."""
        self._made = [None] * len(self._asked)
        small: dict[CellKind, list[int]] = {}
        for number, (kind, cells) in enumerate(self._asked):
            if len(cells) >= _LARGE or kind is CellKind.JSON:
                self._made[number] = self._cells.column(kind, cells)
            else:
                small.setdefault(kind, []).append(number)
        for kind, numbers in small.items():
            for start in range(0, len(numbers), _TOGETHER):
                self._make_small(kind, numbers[start : start + _TOGETHER])

    def _make_small(self, kind: CellKind, numbers: list[int]) -> None:
        asked = [self._asked[number][1] for number in numbers]
        whole = self._cells.column(kind, np.concatenate(asked), whole_numbers=True)
        start = 0
        for number, cells in zip(numbers, asked, strict=True):
            self._made[number] = (
                self._cells.column(kind, cells) if whole is None else whole.slice(start, len(cells))
            )
            start += len(cells)


def typed(kind: CellKind, texts: pa.StringArray) -> pa.Array | None:
    """The values that ``Cells.texts`` stand for; None where these are numbers of two sorts, lists."""
    if kind is CellKind.TEXT:
        return texts
    if kind is CellKind.NUMBER:
        return _numbers(texts)
    return pc.equal(texts, "true") if kind is CellKind.TRUTH else None


def coded_texts(kind: CellKind, texts: pa.StringArray) -> Coded:
    """``Cells.coded`` of what ``Cells.texts`` gives, without nulls."""
    coded = texts.dictionary_encode()
    plain = kind is CellKind.TEXT
    distinct = coded.dictionary.to_pylist() if plain else loaded(coded.dictionary, kind)
    return coded.indices.to_numpy(zero_copy_only=False), distinct


def _joined(parts: Sequence[pa.StringArray]) -> tuple[pa.StringArray, list[int]]:
    """One after the other, those that several payloads share once; and where each begins."""
    begins: dict[int, int] = {}
    kept: list[pa.StringArray] = []
    cells = 0
    for part in parts:
        if id(part) not in begins:
            begins[id(part)] = cells
            kept.append(part)
            cells += len(part)
    firsts = [begins[id(part)] for part in parts]
    return (kept[0] if len(kept) == 1 else pa.concat_arrays(kept)), firsts


def _taken(array: pa.StringArray, cells: Numbers) -> pa.StringArray:
    if len(cells) and cells.min() < 0:
        return array.take(pa.array(cells, mask=cells < 0))
    return array.take(pa.array(cells))


def _whole_numbers(texts: pa.StringArray) -> pa.Array | None:
    try:
        return texts.cast(pa.int64())
    except pa.ArrowInvalid:
        return None


def _numbers(texts: pa.StringArray) -> pa.Array | None:
    plain = _whole_numbers(texts)
    if plain is not None:
        return plain
    fraction = pc.match_substring_regex(texts, "[.eE]")
    whole = texts.filter(pc.invert(fraction))
    if len(whole):
        try:
            exact = pc.max(pc.abs(whole.cast(pa.int64()))).as_py() <= _EXACT_FLOAT
        except pa.ArrowInvalid:
            return None
        if not exact:
            return None
    return texts.cast(pa.float64())
