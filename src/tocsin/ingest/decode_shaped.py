"""A payload of JSON lines as cells: columns are made of them without a dict a record."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from tocsin.ingest.decode_gaps import interleaved
from tocsin.ingest.decode_lines import Flags, Numbers
from tocsin.ingest.decode_shapes import Lines, groups_of, read_lines
from tocsin.ingest.decode_templates import Reader, Templates
from tocsin.model.record import Decoded
from tocsin.model.shaped_records import ShapedGroup, ShapedRecords, Template

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
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True, slots=True, eq=False)
class ShapedLines:
    """The lines of a payload that were read by shape, and which were not."""

    lines: Lines
    groups: tuple[tuple[Template, Numbers], ...]
    is_left: Flags

    def left(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are in no group, with their number in the payload."""
        strings = self.lines.strings
        for line in np.flatnonzero(self.is_left).tolist():
            yield line, strings.data[int(strings.starts[line]) : int(strings.ends[line])]

    def with_left(self, left: Decoded, read: Reader) -> Decoded:
        """All records in order of their lines; ``left`` are those read one by one."""
        strings = self.lines.strings
        is_record = ~self.is_left
        is_record[left.ordinals] = True
        ordinals = np.flatnonzero(is_record)
        row_of = np.cumsum(is_record) - 1
        own = strings.lines
        loose_rows = row_of[left.ordinals].tolist() if left.ordinals else []
        groups = tuple(
            ShapedGroup(
                template,
                row_of[own[lines]],
                strings.firsts[lines],
                self.lines.first_scalars[lines],
            )
            for template, lines in self.groups
        )
        gaps, scalars = self.lines.gaps, self.lines.scalars
        shaped = ShapedRecords(
            texts=interleaved(strings.data, strings.opens + 1, strings.closes),
            scalars=interleaved(strings.data, gaps.begins[scalars], gaps.ends[scalars]),
            groups=groups,
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


def shape_lines(payload: bytes, templates: Templates) -> ShapedLines:
    """Group the lines of ``payload``, which is UTF-8, by shape."""
    lines = read_lines(payload)
    is_left = np.ones(len(lines.strings.starts), np.bool_)
    alike = list(groups_of(lines))
    if len(alike) * FEWEST_ALIKE > len(lines.strings.lines):
        alike = [group for group in alike if len(group) >= FEWEST_ALIKE]
    groups: list[tuple[Template, Numbers]] = []
    for group in alike:
        template = templates.of(lines, int(group[0]))
        if template is not None:
            groups.append((template, group))
            is_left[lines.strings.lines[group]] = False
    return ShapedLines(lines, tuple(groups), is_left)


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
