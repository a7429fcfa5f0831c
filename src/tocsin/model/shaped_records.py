"""Records as cells of their payload: what many records have in common is said once."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[np.int64]


class CellKind(Enum):
    """What the text of a cell stands for."""

    TEXT = "text"
    """A JSON string without its quotes, escapes (all of them sound) still in it."""
    NUMBER = "number"
    """A JSON number."""
    TRUTH = "truth"
    """``true`` or ``false``."""
    JSON = "json"
    """A JSON list of plain values other than strings."""


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A record with a slot number, counted from 1, in place of every value but null.

    Slot ``n`` is of ``kinds[n - 1]`` and is found ``offsets[n - 1]`` cells after the first of its
    record, among the texts for ``TEXT``, else among the scalars. One shape, one template: it is
    the same object wherever the shape comes again, as long as it is remembered.

    ``carries`` is the slot of a text that is a line to be read before there is a record (0: none);
    what was decoded has no such templates any more.
    """

    record: Mapping[str, object]
    kinds: tuple[CellKind, ...]
    offsets: tuple[int, ...]
    carries: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ShapedGroup:
    """Records of one template: their rows (ascending) and where the cells of each begin."""

    template: Template
    rows: Numbers
    texts: Numbers
    scalars: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class ShapedTable:
    """Records of one template, by slot: their rows (ascending) and a column for each slot.

    Columns have no nulls; they are what cells are, but where not ``is_escaped`` texts are as they
    mean, without escapes.
    """

    template: Template
    rows: Numbers
    columns: tuple[pa.StringArray, ...]
    is_escaped: bool


@dataclass(frozen=True, slots=True, eq=False)
class ShapedRecords:
    """The records of a payload that were read columnwise, and the others.

    Cell ``n`` is element ``2 n`` of ``texts`` or ``scalars`` (the elements between are what
    stands between the cells). ``loose`` are the records in no group or table, by their row.
    """

    texts: pa.StringArray
    scalars: pa.StringArray
    groups: tuple[ShapedGroup, ...]
    loose: Mapping[int, dict[str, object]]
    tables: tuple[ShapedTable, ...] = ()
