"""Records read as columns and those read one by one, put together in order of their lines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from tocsin.ingest.columns.decode_lazy import LazyRecords
from tocsin.ingest.columns.decode_lines import Flags, Numbers
from tocsin.ingest.columns.decode_scalars import NOTHING
from tocsin.ingest.columns.decode_templates import Reader
from tocsin.model.record import Decoded
from tocsin.model.shaped_records import ShapedGroup, ShapedRecords, ShapedTable, Template


@dataclass(frozen=True, slots=True, eq=False)
class LineTable:
    """Lines with the same fields by their numbers, and a column for each slot of the template.

    Where it is ``is_escaped`` texts still hold the escapes that JSON has.
    """

    template: Template
    lines: Numbers
    columns: tuple[pa.StringArray, ...]
    is_escaped: bool

    def placed(self, row_of: Numbers) -> ShapedTable:
        """The same as records; ``row_of`` has each line's row."""
        return ShapedTable(self.template, row_of[self.lines], self.columns, self.is_escaped)


@dataclass(frozen=True, slots=True, eq=False)
class Rejoined:
    """Where the lines of a payload come to stand among its records.

    ``ordinals`` are the lines that are records, ``row_of`` has the row of each of these by line,
    ``loose`` are the rows of those that were left, which may have tables of their own.
    """

    left: Decoded
    ordinals: Numbers
    row_of: Numbers
    loose: list[int]

    def decoded(
        self,
        lines: Sequence[bytes],
        read: Reader,
        *,
        tables: Sequence[ShapedTable],
        groups: Sequence[ShapedGroup] = (),
        texts: pa.StringArray = NOTHING,
        scalars: pa.StringArray = NOTHING,
    ) -> Decoded:
        """All records; ``lines`` are theirs, read (as far as asked for) by ``read``."""
        shaped = self.left.shaped
        if shaped is None:
            loose = dict(zip(self.loose, self.left.records, strict=True))
        else:  # what is left has columns of its own
            loose = {self.loose[row]: record for row, record in shaped.loose.items()}
            rows = np.array(self.loose, np.int64)
            tables = [*tables, *(replace(one, rows=rows[one.rows]) for one in shaped.tables)]
        return Decoded(
            records=LazyRecords(lines, lambda line: read(line)[0]),
            lines=lines,
            ordinals=self.ordinals.tolist(),
            unreadable=self.left.unreadable,
            keep_raw=frozenset(self.loose[row] for row in self.left.keep_raw),
            shaped=ShapedRecords(texts, scalars, tuple(groups), loose, tuple(tables)),
        )


def rejoined(is_left: Flags, left: Decoded) -> Rejoined:
    """``is_left`` flags the lines that are in no column; ``left`` is what was made of them."""
    is_record = ~is_left
    is_record[left.ordinals] = True
    row_of = np.cumsum(is_record) - 1
    loose = row_of[left.ordinals].tolist() if left.ordinals else []
    return Rejoined(left, np.flatnonzero(is_record), row_of, loose)
