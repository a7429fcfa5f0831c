"""Payloads nearly all of whose lines are of one shape, split at their quotes by Arrow's CSV reader."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from pyarrow import csv

from tocsin.ingest.columns.decode_layouts import Layout
from tocsin.ingest.columns.decode_lazy import LazyLines
from tocsin.ingest.columns.decode_lines import Flags, LineBounds, bounds_of, count_of
from tocsin.ingest.columns.decode_rejoined import LineTable, rejoined
from tocsin.ingest.columns.decode_scalars import Offsets, are_sound, inner_texts
from tocsin.ingest.columns.decode_shapes import Templates
from tocsin.ingest.columns.decode_templates import Reader
from tocsin.model.record import Decoded
from tocsin.model.shaped_records import CellKind

_ODD_SHARE = 50
"""One line of so many may be odd; where more are, lines are grouped by shape instead."""
_PAUSE = 16
"""Payloads that are not tried after one that was tried in vain."""
_LONGEST_FIRST = 1 << 16
_QUOTE, _SLASH = b'"\\'


@dataclass(frozen=True, slots=True, eq=False)
class SplitLines:
    """The lines of a payload that are of one shape, as columns of its values, and the others."""

    data: bytes
    bounds: LineBounds
    layout: Layout
    columns: tuple[pa.StringArray, ...]
    is_left: Flags
    carried: tuple[LineTable, ...] = ()

    def carriers(self) -> list[LineTable]:
        """The lines that carry a text which has to be read before they are records."""
        return list(self._whole()) if self.layout.template.carries else []

    def with_carried(self, carried: Sequence[LineTable]) -> "SplitLines":
        """With what was read of ``carriers``; the others of them are left."""
        is_left = self.is_left | bool(self.layout.template.carries)
        for table in carried:
            is_left[table.lines] = False
        return replace(self, is_left=is_left, carried=tuple(carried))

    def left(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are not in the columns, with their number in the payload."""
        for line in np.flatnonzero(self.is_left).tolist():
            yield line, self.data[int(self.bounds.starts[line]) : int(self.bounds.ends[line])]

    def with_left(self, left: Decoded, read: Reader) -> Decoded:
        """All records in order of their lines; ``left`` are those read one by one."""
        placed = rejoined(self.is_left, left)
        tables = [one.placed(placed.row_of) for one in (*self.tables(), *self.carried)]
        starts, ends = self.bounds.starts[placed.ordinals], self.bounds.ends[placed.ordinals]
        return placed.decoded(LazyLines(self.data, starts, ends), read, tables=tables)

    def tables(self) -> Iterator[LineTable]:
        """The lines that are records in the columns."""
        if not self.layout.template.carries:
            yield from self._whole()

    def _whole(self) -> Iterator[LineTable]:
        lines = np.flatnonzero(~self.is_left)
        yield LineTable(self.layout.template, lines, self.columns, is_escaped=False)


def split_lines(payload: bytes, templates: Templates) -> SplitLines | None:
    """The lines as columns, when nearly all are like the first; None when they are not.

    ``payload`` is UTF-8. The reader splits lines at quotes and drops the backslash of each escape;
    what it made of them is then held to the payload, so that nothing depends on its kindness.
    """
    end = payload.find(b"\n", 0, _LONGEST_FIRST)
    layout = templates.layout_of(payload[:end].removesuffix(b"\r")) if end > 0 else None
    if layout is None:
        return None
    if layout.pause:
        layout.pause -= 1
        return None
    bounds = bounds_of(payload)
    found = None if bounds is None else _split(payload, bounds, layout)
    if found is None:
        layout.pause = _PAUSE
    return found


def _split(payload: bytes, bounds: LineBounds, layout: Layout) -> SplitLines | None:
    """None where the lines are not what they seem to be."""
    lines = len(bounds.starts) - bool(bounds.starts[-1] == len(payload))
    odd: list[int] = []
    table = _table(payload, layout, odd, lines // _ODD_SHARE)
    if table is None or not len(table) or len(table) + len(odd) != lines:
        return None
    is_left = np.zeros(len(bounds.starts), np.bool_)
    is_left[lines:] = True
    is_left[odd] = True
    if not _repeats(table, layout.repeating):
        return None
    values = table.columns[len(layout.tokens.repeating) :]
    others = [(int(bounds.starts[line]), int(bounds.ends[line])) for line in odd]
    if not _escapes_are_plain(payload, bounds, others, values, layout):
        return None
    is_sound = np.ones(len(table), np.bool_)
    columns: list[pa.StringArray] = []
    for value, array in zip(layout.tokens.values, values, strict=True):
        if value.kind is CellKind.TEXT:
            columns.append(array)
            continue
        inner = inner_texts(array, value.before, value.after)
        if inner is None:
            return None
        is_sound &= are_sound(value.kind, inner)
        columns.append(inner)
    if not is_sound.all():
        is_left[np.flatnonzero(~is_left)[~is_sound]] = True
        columns = [column.filter(pa.array(is_sound)) for column in columns]
    return SplitLines(payload, bounds, layout, tuple(columns), is_left) if len(columns[0]) else None


def _table(payload: bytes, layout: Layout, odd: list[int], most_odd: int) -> pa.RecordBatch | None:
    """The tokens of the lines that have as many as the layout; ``odd`` are the others.

    First those that repeat, then the values.
    """

    def skip(row: csv.InvalidRow) -> str:
        odd.append(row.number - 1)
        return "skip" if len(odd) <= most_odd else "error"

    parsing = csv.ParseOptions(
        delimiter='"',
        quote_char=False,
        double_quote=False,
        escape_char="\\",
        newlines_in_values=False,
        ignore_empty_lines=False,
        invalid_row_handler=skip,
    )
    try:
        table = csv.read_csv(
            pa.BufferReader(payload),
            read_options=layout.reading,
            parse_options=parsing,
            convert_options=layout.conversion,
        )
    except pa.ArrowInvalid:  # too many are odd, or what should repeat has another length
        return None
    batches = table.to_batches()
    return batches[0] if len(batches) == 1 else None


def _repeats(table: pa.RecordBatch, expected: pa.RecordBatch) -> bool:
    """Whether the first columns of each row are the one row of ``expected``.

    The first row is, and each is like the one before: a few long looks, as Python's lock changes
    hands with each.
    """
    columns = table.select(range(expected.num_columns))
    is_first = bool(columns.slice(0, 1).equals(expected))
    return is_first and bool(columns.slice(1).equals(columns.slice(0, len(table) - 1)))


def _escapes_are_plain(
    payload: bytes,
    bounds: LineBounds,
    others: Sequence[tuple[int, int]],
    values: Sequence[pa.StringArray],
    layout: Layout,
) -> bool:
    """True when every escape stands for a backslash or a quote: then the values are exact.

    The reader has dropped the backslash of each escape and the quotes between tokens, so the
    escapes can be counted. Of the backslashes in the payload those that are not dropped, and of
    the quotes those that are not between tokens, are what escapes stand for. ``others`` are the
    lines the reader has not taken.
    """
    buffer = np.frombuffer(payload, np.uint8)
    spans = [buffer[begin:end] for begin, end in others]
    rows = len(values[0])
    between = rows * (layout.tokens.count - 1)
    dropped = int((bounds.ends - bounds.starts).sum()) - sum(map(len, spans)) - between
    dropped -= rows * layout.repeating_bytes
    dropped -= sum(int(_offsets(array)[-1]) for array in values)
    backslashes, quotes = (
        count_of(mark, buffer) - sum(count_of(mark, span) for span in spans)
        for mark in (_SLASH, _QUOTE)
    )
    return (backslashes - dropped) + (quotes - between) == dropped


def _offsets(array: pa.StringArray) -> Offsets:
    return np.frombuffer(array.buffers()[1], np.int32)[: len(array) + 1]
