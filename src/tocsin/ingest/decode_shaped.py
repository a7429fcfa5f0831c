"""A payload of JSON lines as cells: columns are made of them without a dict a record."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pyarrow as pa

from tocsin.ingest.decode_lines import Flags, Numbers, Strings, find_strings
from tocsin.ingest.decode_scalars import Scalars, interleaved, unsound_lines
from tocsin.ingest.decode_shapes import Group, Templates
from tocsin.ingest.decode_templates import Reader
from tocsin.model.record import Decoded
from tocsin.model.shaped_records import ShapedGroup, ShapedRecords

FEWEST_BYTES = 48 << 10
"""Below this a payload is faster read line by line."""
FEWEST_ALIKE = 4
"""Where a shape has fewer lines than this on average, senders shuffle their keys, say."""
_LARGEST = 1 << 30
_HEAD = 1 << 13


def worth_shaping(payload: bytes) -> bool:
    """True when columns pay: many bytes, most lines JSON objects, all of it UTF-8."""
    if not FEWEST_BYTES <= len(payload) <= _LARGEST:
        return False
    head = payload[:_HEAD]
    if head.count(b"\n{") * 2 < head.count(b"\n"):
        return False
    whole = interleaved(payload, np.zeros(1, np.int64), np.array([len(payload)], np.int64))
    try:
        whole.validate(full=True)  # of UTF-8; twenty times as fast as decoding
    except pa.ArrowInvalid:
        return False
    return True


@dataclass(frozen=True, slots=True, eq=False)
class ShapedLines:
    """The lines of a payload that were read by shape, and which were not."""

    strings: Strings
    groups: tuple[Group, ...]
    is_left: Flags

    def left(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are in no group, with their number in the payload."""
        strings = self.strings
        for line in np.flatnonzero(self.is_left).tolist():
            yield line, strings.data[int(strings.starts[line]) : int(strings.ends[line])]

    def with_left(self, left: Decoded, read: Reader) -> Decoded:
        """All records in order of their lines; ``left`` are those read one by one."""
        strings = self.strings
        is_record = ~self.is_left
        is_record[left.ordinals] = True
        ordinals = np.flatnonzero(is_record)
        row_of = np.cumsum(is_record) - 1
        loose_rows = row_of[left.ordinals].tolist() if left.ordinals else []
        scalars, first_scalars = self._scalars()
        shaped = ShapedRecords(
            texts=interleaved(strings.data, strings.quotes[0::2] + 1, strings.quotes[1::2]),
            scalars=scalars,
            groups=tuple(
                ShapedGroup(
                    group.template,
                    row_of[strings.lines[group.lines]],
                    strings.firsts[group.lines],
                    first_scalars[group.lines],
                )
                for group in self.groups
            ),
            loose=dict(zip(loose_rows, left.records, strict=True)),
        )
        texts = LazyLines(strings.data, strings.starts[ordinals], strings.ends[ordinals])
        return Decoded(
            records=LazyRecords(texts, lambda line: read(line)[0]),
            lines=texts,
            ordinals=ordinals.tolist(),
            unreadable=left.unreadable,
            keep_raw=frozenset(loose_rows[row] for row in left.keep_raw),
            shaped=shaped,
        )

    def _scalars(self) -> tuple[pa.StringArray, Numbers]:
        """The scalars in order of the lines, and the number of each line's first."""
        counts = np.zeros(len(self.strings.lines), np.int64)
        for group in self.groups:
            counts[group.lines] = len(group.begins)
        firsts = np.cumsum(counts) - counts
        begins = np.empty(int(counts.sum()), np.int64)
        ends = np.empty_like(begins)
        for group in self.groups:
            for number, (begin, end) in enumerate(zip(group.begins, group.ends, strict=True)):
                at = firsts[group.lines] + number
                begins[at], ends[at] = begin, end
        return interleaved(self.strings.data, begins, ends), firsts


def shape_lines(payload: bytes, templates: Templates) -> ShapedLines:
    """Group the lines of ``payload``, which is UTF-8, by shape."""
    strings = find_strings(payload)
    is_left = np.ones(len(strings.starts), np.bool_)
    groups = list(templates.groups(strings, FEWEST_ALIKE))
    scalars = [
        Scalars(kind, begins, ends, group.lines)
        for group in groups
        for kind, begins, ends in zip(group.kinds, group.begins, group.ends, strict=True)
    ]
    unsound = unsound_lines(strings.data, strings.buffer, scalars)
    if len(unsound):
        groups = [group.without(unsound) for group in groups]
    for group in groups:
        is_left[strings.lines[group.lines]] = False
    return ShapedLines(strings, tuple(group for group in groups if len(group.lines)), is_left)


class LazyLines(Sequence[bytes]):
    """Slices of a payload, cut when asked for."""

    def __init__(self, data: bytes, starts: Numbers, ends: Numbers) -> None:
        self._data, self._starts, self._ends = data, starts, ends

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        if isinstance(at, slice):
            return [self[row] for row in range(*at.indices(len(self)))]
        return self._data[int(self._starts[at]) : int(self._ends[at])]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class LazyRecords(Sequence[dict[str, Any]]):
    """The records of lines, read when asked for."""

    def __init__(self, lines: LazyLines, read: Callable[[bytes], dict[str, Any]]) -> None:
        self._lines, self._read = lines, read

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(at, slice):
            return [self._read(line) for line in self._lines[at]]
        return self._read(self._lines[at])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]
