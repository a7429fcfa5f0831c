"""Knows which values of a column make a condition true, and which segments have them."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sqlglot import exp

from tocsin.store.engines.parquet.duckdb_reader import DuckDbReader
from tocsin.store.engines.parquet.segment_facts import SegmentFacts
from tocsin.store.engines.parquet.segment_file import plain_schema

_MOST_MASKS = 512
_MOST_SEGMENTS = 20_000
"""Segments whose values are numbered, over all columns, before the numbering begins anew."""

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Values:
    """Which values a column has in a segment, by number, and how many events have each.

    Number 0 is null.
    """

    numbers: Numbers
    counts: Numbers


@dataclass(slots=True)
class _Column:
    """All values of a column that some segment has, numbered as they came."""

    values: list[Any] = field(default_factory=lambda: [None])
    number_of: dict[Any, int] = field(default_factory=dict)
    of_segment: dict[str, Values | None] = field(default_factory=dict)


class ValueIndex:
    """Values of plain columns over all segments whose facts were asked for."""

    def __init__(self, reader: DuckDbReader) -> None:
        self._reader = reader
        self._guard = threading.Lock()
        self._columns: dict[str, _Column] = {}
        self._numbered = 0
        self._masks: OrderedDict[str, Mask] = OrderedDict()

    def values_of(self, name: str, facts: Mapping[str, SegmentFacts]) -> dict[str, Values | None]:
        """By segment id: the values of the column; None where they are not known."""
        with self._guard:
            self._number(name, facts)
            known = self._columns[name].of_segment
            return {segment: known[segment] for segment in facts}

    def mask(self, name: str, condition: exp.Expr) -> Mask:
        """By number of a value: whether ``condition``, which asks for this column only, is true."""
        sql = condition.sql("duckdb")
        with self._guard:
            values = self._columns[name].values
            known = self._masks.pop(sql, np.zeros(0, np.bool_))
            if len(known) < len(values):
                known = np.concatenate([known, self._true(name, condition, values[len(known) :])])
            self._masks[sql] = known
            while len(self._masks) > _MOST_MASKS:
                self._masks.popitem(last=False)
            return known

    def text(self, name: str, number: int) -> str:
        """The value as ``CAST(… AS VARCHAR)`` writes it."""
        value = self._columns[name].values[number]
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _number(self, name: str, facts: Mapping[str, SegmentFacts]) -> None:
        if self._numbered > _MOST_SEGMENTS * max(1, len(self._columns)):
            self._columns, self._numbered = {}, 0
            self._masks.clear()
        column = self._columns.setdefault(name, _Column())
        for segment, known in facts.items():
            if segment not in column.of_segment:
                column.of_segment[segment] = _numbered(column, name, known)
                self._numbered += 1

    def _true(self, name: str, condition: exp.Expr, values: Sequence[Any]) -> Mask:
        kind = plain_schema().field(name).type
        table = pa.table(
            {"number": pa.array(range(len(values)), pa.int32()), name: pa.array(values, kind)}
        )
        query = (
            exp.select(exp.column("number")).from_(exp.to_table("known_values")).where(condition)
        )
        with self._reader.cursor() as cursor:
            cursor.register("known_values", table)
            found = cursor.execute(query.sql("duckdb")).fetchnumpy()["number"]
        mask = np.zeros(len(values), np.bool_)
        mask[np.asarray(found, np.int64)] = True
        return mask


def _numbered(column: _Column, name: str, facts: SegmentFacts) -> Values | None:
    if name not in facts.columns:
        return None
    known = facts.columns[name]
    if known is None:
        return Values(np.zeros(1, np.int64), np.array([facts.rows], np.int64))
    if known.counts is None:
        return None
    numbers: list[int] = [0] if known.nulls else []
    for value in known.counts:
        number = column.number_of.get(value)
        if number is None:
            number = column.number_of[value] = len(column.values)
            column.values.append(value)
        numbers.append(number)
    counts = [*([known.nulls] if known.nulls else []), *known.counts.values()]
    return Values(np.array(numbers, np.int64), np.array(counts, np.int64))
