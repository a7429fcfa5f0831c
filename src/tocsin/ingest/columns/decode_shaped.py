"""A payload of JSON lines as cells: columns are made of them without a dict a record."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.ingest.columns.decode_lazy import LazyLines
from tocsin.ingest.columns.decode_lines import Flags, Numbers, Strings, find_strings
from tocsin.ingest.columns.decode_rejoined import LineTable, rejoined
from tocsin.ingest.columns.decode_scalars import (
    NOTHING,
    Scalars,
    interleaved,
    slices_of,
    unsound_lines,
)
from tocsin.ingest.columns.decode_shapes import Group, Templates
from tocsin.ingest.columns.decode_split import SplitLines, split_lines
from tocsin.ingest.columns.decode_templates import Reader
from tocsin.model.record import Decoded
from tocsin.model.shaped_records import CellKind, ShapedGroup, ShapedTable

FEWEST_BYTES = 48 << 10
"""Below this a payload is faster read line by line."""
FEWEST_ALIKE = 4
"""Where a shape has fewer lines than this on average, senders shuffle their keys, say."""
FEWEST_ROWS = 256
"""Of a shape with so many lines columns are made at once; smaller ones wait for others."""
_LARGEST = 1 << 30
_HEAD = 1 << 13


def worth_shaping(payload: bytes) -> bool:
    """True when columns pay: many bytes, most lines JSON objects, all of it UTF-8."""
    is_of_size = FEWEST_BYTES <= len(payload) <= _LARGEST
    return is_of_size and are_mostly_objects(payload) and is_utf8(payload)


def are_mostly_objects(payload: bytes) -> bool:
    """By what its first lines begin with."""
    head = b"\n" + payload[:_HEAD]
    return head.count(b"\n{") * 2 >= head.count(b"\n")


def is_utf8(payload: bytes) -> bool:
    """Twenty times as quick as decoding."""
    if payload.isascii():
        return True
    whole = interleaved(payload, np.zeros(1, np.int64), np.array([len(payload)], np.int64))
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


@dataclass(frozen=True, slots=True, eq=False)
class ShapedLines:
    """The lines of a payload that were read by shape, and which were not."""

    strings: Strings
    groups: tuple[Group, ...]
    is_left: Flags
    carried: tuple[LineTable, ...] = ()

    def carriers(self) -> list[LineTable]:
        """The lines that carry a text which has to be read before they are records."""
        return list(self._tables(group for group in self.groups if group.template.carries))

    def with_carried(self, carried: Sequence[LineTable]) -> "ShapedLines":
        """With what was read of ``carriers``; the others of them are left."""
        is_left = self.is_left.copy()
        for group in self.groups:
            if group.template.carries:
                is_left[self.strings.lines[group.lines]] = True
        for table in carried:
            is_left[table.lines] = False
        groups = tuple(group for group in self.groups if not group.template.carries)
        return ShapedLines(self.strings, groups, is_left, tuple(carried))

    def left(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are in no group, with their number in the payload."""
        strings = self.strings
        for line in np.flatnonzero(self.is_left).tolist():
            yield line, strings.data[int(strings.starts[line]) : int(strings.ends[line])]

    def with_left(self, left: Decoded, read: Reader) -> Decoded:
        """All records in order of their lines; ``left`` are those read one by one."""
        strings, placed = self.strings, rejoined(self.is_left, left)
        all_texts = interleaved(strings.data, strings.quotes[0::2] + 1, strings.quotes[1::2])
        few = [group for group in self.groups if len(group.lines) < FEWEST_ROWS]
        scalars, first_scalars = self._scalars(few)
        groups = [
            ShapedGroup(
                group.template,
                placed.row_of[strings.lines[group.lines]],
                strings.firsts[group.lines],
                first_scalars[group.lines],
            )
            for group in few
        ]
        tables = [
            ShapedTable(
                group.template,
                placed.row_of[strings.lines[group.lines]],
                self._columns(group, all_texts),
                is_escaped=True,
            )
            for group in self.groups
            if len(group.lines) >= FEWEST_ROWS
        ]
        tables += [one.placed(placed.row_of) for one in self.carried]
        starts, ends = strings.starts[placed.ordinals], strings.ends[placed.ordinals]
        return placed.decoded(
            LazyLines(strings.data, starts, ends),
            read,
            tables=tables,
            groups=groups,
            texts=all_texts if few else NOTHING,
            scalars=scalars,
        )

    def tables(self) -> Iterator[LineTable]:
        """All that was read by shape as columns, however few the lines of a shape are."""
        yield from self._tables(group for group in self.groups if not group.template.carries)

    def _tables(self, groups: Iterable[Group]) -> Iterator[LineTable]:
        strings = self.strings
        texts = interleaved(strings.data, strings.quotes[0::2] + 1, strings.quotes[1::2])
        for group in groups:
            lines, columns = strings.lines[group.lines], self._columns(group, texts)
            yield LineTable(group.template, lines, columns, is_escaped=True)

    def _columns(self, group: Group, all_texts: pa.StringArray) -> tuple[pa.StringArray, ...]:
        """A column for each slot: cheaper now, while the payload is in the processor's cache."""
        template, rows = group.template, len(group.lines)
        firsts = self.strings.firsts[group.lines]
        kinds = zip(template.kinds, template.offsets, strict=True)
        cells = [firsts + offset for kind, offset in kinds if kind is CellKind.TEXT]
        texts = all_texts.take(pa.array(np.concatenate(cells) * 2)) if cells else NOTHING
        columns: list[pa.StringArray] = []
        taken = 0
        for kind, offset in zip(template.kinds, template.offsets, strict=True):
            if kind is CellKind.TEXT:
                columns.append(texts.slice(taken, rows))
                taken += rows
            else:
                spans = group.begins[offset], group.ends[offset]
                columns.append(slices_of(self.strings.data, *spans))
        return tuple(columns)

    def _scalars(self, groups: Sequence[Group]) -> tuple[pa.StringArray, Numbers]:
        """The scalars of some groups in order of the lines, and the number of each line's first."""
        counts = np.zeros(len(self.strings.lines), np.int64)
        for group in groups:
            counts[group.lines] = len(group.begins)
        firsts = np.cumsum(counts) - counts
        begins = np.empty(int(counts.sum()), np.int64)
        ends = np.empty_like(begins)
        for group in groups:
            for number, (begin, end) in enumerate(zip(group.begins, group.ends, strict=True)):
                at = firsts[group.lines] + number
                begins[at], ends[at] = begin, end
        return interleaved(self.strings.data, begins, ends), firsts


def shape_lines(payload: bytes, templates: Templates) -> ShapedLines | SplitLines:
    """Group the lines of ``payload``, which is UTF-8, by shape."""
    split = split_lines(payload, templates)
    if split is not None:
        return split
    strings = find_strings(payload)
    is_left = np.ones(len(strings.starts), np.bool_)
    groups = list(templates.groups(strings, FEWEST_ALIKE))
    scalars = [
        Scalars(kind, begins, ends, group.lines)
        for group in groups
        for kind, begins, ends in zip(group.kinds, group.begins, group.ends, strict=True)
    ]
    unsound = unsound_lines(strings.data, scalars)
    if len(unsound):
        groups = [group.without(unsound) for group in groups]
    for group in groups:
        is_left[strings.lines[group.lines]] = False
    return ShapedLines(strings, tuple(group for group in groups if len(group.lines)), is_left)
