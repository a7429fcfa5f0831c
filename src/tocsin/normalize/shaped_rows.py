"""Records of one template among those of a turn: which rows they are, and where their values are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tocsin.model.cell_texts import unescaped
from tocsin.model.shaped_records import CellKind, Template
from tocsin.normalize.cells import Cells, Coded, Numbers, coded_texts


@dataclass(frozen=True, slots=True, eq=False)
class CellRows:
    """Values are cells: the first text and scalar of each record."""

    template: Template
    rows: Numbers
    texts: Numbers
    scalars: Numbers

    def cells(self, slot: int) -> tuple[CellKind, Numbers]:
        """The kind of a slot and its cell in each record."""
        kind, offset = self.template.kinds[slot - 1], self.template.offsets[slot - 1]
        return kind, (self.texts if kind is CellKind.TEXT else self.scalars) + 2 * offset

    def of(self, chosen: Numbers) -> "CellRows":
        """The records at the given places among these."""
        return CellRows(self.template, self.rows[chosen], self.texts[chosen], self.scalars[chosen])

    def placed(self, rows: Numbers) -> "CellRows":
        """The records with other numbers as their rows."""
        return CellRows(self.template, rows, self.texts, self.scalars)

    def column(self, cells: Cells, slot: int) -> pa.StringArray:
        """``Cells.texts`` of a slot."""
        return cells.texts(*self.cells(slot))

    def coded(self, cells: Cells, slot: int) -> Coded:
        """``Cells.coded`` of a slot."""
        return cells.coded(*self.cells(slot))


@dataclass(frozen=True, slots=True, eq=False)
class ColumnRows:
    """Values are columns already, in parts one after the other; ``chosen`` rows of them, or all."""

    template: Template
    rows: Numbers
    parts: Sequence[Sequence[pa.StringArray]]
    is_escaped: bool
    chosen: Numbers | None = None

    def of(self, chosen: Numbers) -> "ColumnRows":
        """The records at the given places among these."""
        inner = chosen if self.chosen is None else self.chosen[chosen]
        return ColumnRows(self.template, self.rows[chosen], self.parts, self.is_escaped, inner)

    def placed(self, rows: Numbers) -> "ColumnRows":
        """The records with other numbers as their rows."""
        return ColumnRows(self.template, rows, self.parts, self.is_escaped, self.chosen)

    def column(self, cells: Cells, slot: int) -> pa.StringArray:
        """``Cells.texts`` of a slot."""
        parts = [columns[slot - 1] for columns in self.parts]
        texts = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        if self.chosen is not None:
            texts = texts.take(pa.array(self.chosen))
        is_text = self.template.kinds[slot - 1] is CellKind.TEXT
        return unescaped(texts) if is_text and self.is_escaped else texts

    def coded(self, cells: Cells, slot: int) -> Coded:
        """``Cells.coded`` of a slot."""
        return coded_texts(self.template.kinds[slot - 1], self.column(cells, slot))


Rows = CellRows | ColumnRows


def values_of(cells: Cells, node: Any, rows: Rows) -> list[Any]:
    """What the records have where their template has ``node``."""
    if isinstance(node, int):
        codes, distinct = rows.coded(cells, node)
        return [distinct[code] for code in codes.tolist()]
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


def together(same: Sequence[Rows]) -> Rows:
    """Records of one template, all cells or all columns, one after the other."""
    if len(same) == 1:
        return same[0]
    rows = np.concatenate([group.rows for group in same])
    cells = [group for group in same if isinstance(group, CellRows)]
    if cells:
        texts = np.concatenate([group.texts for group in cells])
        return CellRows(
            same[0].template, rows, texts, np.concatenate([group.scalars for group in cells])
        )
    columns = [group for group in same if isinstance(group, ColumnRows)]
    parts = [part for group in columns for part in group.parts]
    return ColumnRows(same[0].template, rows, parts, columns[0].is_escaped)
