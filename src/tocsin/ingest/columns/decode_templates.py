"""The template of a shape: one of its lines, taken apart in what repeats and what differs."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from tocsin.ingest.columns.decode_lines import Bytes, Flags, Numbers
from tocsin.ingest.columns.decode_scalars import FIRST_BYTES
from tocsin.ingest.records.json_line import read_object
from tocsin.model.shaped_records import CellKind, Template

Finish = Callable[[dict[str, Any]], dict[str, Any]]
Reader = Callable[[bytes], tuple[dict[str, Any], bool]]
Opener = Callable[[dict[str, Any], Reader], tuple[dict[str, Any], bool]]
"""What becomes of an object of which a text may have to be read as a line, by the reader given."""
Words = npt.NDArray[np.void]
_WORD = 8
_AT_ONCE = 512
"""Lines compared together: what is worked on stays in the processor's cache."""
_STRUCTURE = b"{}[],: "
_GAP = re.compile(rb"([{}\[\],: ]*+)([^{}\[\],: ]*)")
_LIST = re.compile(rb"\[[^\[\]{}]*\]")


def words_of(data: bytes) -> Words:
    """The eight bytes from each byte of ``data`` on."""
    return np.ndarray((len(data) - 7,), "V8", data, 0, (1,))


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Of some lines, those of a shape; where each of their scalars begins and ends, by column."""

    is_like: Flags
    begins: Numbers
    ends: Numbers


class Shape:
    """What all lines of a shape share, byte by byte: keys, brackets, nulls, and their order.

    Places of a line are its start, its quotes in order, and its end. Values are slots: texts
    between two quotes, scalars between what stands beside them.
    """

    def __init__(self, line: bytes, quotes: list[int]) -> None:
        """``quotes`` are the places of the strings' quotes. Raises ValueError for what is no shape."""
        self.kinds: list[CellKind] = []
        self.offsets: list[int] = []
        self.values: dict[int, Any] = {}
        self._line = line
        self._pieces: list[tuple[int, int]] = []
        self._begins: list[tuple[int, int]] = []
        self._ends: list[tuple[int, int]] = [(0, 0)]
        self._done = 0
        text = self._slotted(quotes)
        self.slotted: Any = orjson.loads(text)
        self._begins.append((len(quotes) + 1, 0))
        self._pieces.append((self._done, len(line)))
        self._compile()

    def _slotted(self, quotes: list[int]) -> bytes:
        """The line's JSON with slot numbers as values."""
        line, out = self._line, [self._line[: quotes[0]]]
        scalars = 0
        for at in range(0, len(quotes), 2):
            begin, end = quotes[at], quotes[at + 1] + 1
            if line[end : end + 1] == b":":
                out.append(line[begin:end])
            else:
                places = (at + 1, 1), (at + 2, 0)
                out.append(self._slot(CellKind.TEXT, at // 2, (begin + 1, end - 1), *places))
            stop = quotes[at + 2] if at + 2 < len(quotes) else len(line)
            value_at, value_end = scalar_in(line, end, stop)
            out.append(line[end:value_at])
            if value_end > value_at:
                kind = kind_of(line[value_at:value_end])
                if kind is None:
                    out.append(b"null")
                else:
                    places = (at + 2, value_at - end + 1), (at + 3, value_end - stop)
                    out.append(self._slot(kind, scalars, (value_at, value_end), *places))
                    scalars += 1
            out.append(line[value_end:stop])
        return b"".join(out)

    def _slot(
        self,
        kind: CellKind,
        offset: int,
        value: tuple[int, int],
        begin: tuple[int, int],
        end: tuple[int, int],
    ) -> bytes:
        self.kinds.append(kind)
        self.offsets.append(offset)
        text = self._line[value[0] : value[1]]
        number = len(self.kinds)
        self.values[number] = orjson.loads(b'"%b"' % text if kind is CellKind.TEXT else text)
        self._pieces.append((self._done, value[0]))
        self._done = value[1]
        self._begins.append(begin)
        self._ends.append(end)
        return b"%d" % number

    def _compile(self) -> None:
        """What repeats as words, at most eight bytes each, with their distance from a value's end."""
        self._begin_columns, self._begin_steps = _columns(self._begins)
        self._end_columns, self._end_steps = _columns(self._ends)
        self._sizes = np.array([end - begin for begin, end in self._pieces], np.int64)[:, None]
        after, steps, words, masks = [], [], [], []
        for number, (begin, end) in enumerate(self._pieces):
            for step in range(0, end - begin, _WORD):
                size = min(_WORD, end - begin - step)
                after.append(number)
                steps.append(step)
                words.append(int.from_bytes(self._line[begin + step :][:size], "little"))
                masks.append((1 << (8 * size)) - 1)
        self._after = np.array(after, np.int64)
        self._steps = np.array(steps, np.int64)[:, None]
        self._words = np.array(words, np.uint64)[:, None]
        self._masks = np.array(masks, np.uint64)[:, None]
        self._scalars = np.array(
            [at for at, kind in enumerate(self.kinds) if kind is not CellKind.TEXT], np.int64
        )

    def match(self, places: Numbers, buffer: Bytes, words: Words) -> Matched:
        """``places`` has a row for each place and a column for each line."""
        begins = places.take(self._begin_columns, axis=0) + self._begin_steps
        ends = places.take(self._end_columns, axis=0) + self._end_steps
        is_like = (begins - ends == self._sizes).all(axis=0)
        scalars_at = begins.take(self._scalars, axis=0)
        scalars_end = ends.take(self._scalars + 1, axis=0)
        for at, end, slot in zip(scalars_at, scalars_end, self._scalars.tolist(), strict=True):
            is_like &= FIRST_BYTES[self.kinds[slot]].take(buffer.take(at, mode="clip"))
            is_like &= at < end
        alike = np.flatnonzero(is_like)
        if len(alike) < len(is_like):  # the others may point anywhere
            ends = ends.take(alike, axis=1)
        for start in range(0, len(alike), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            is_like[alike[some]] = self._same_bytes(ends[:, some], words)
        return Matched(is_like, scalars_at, scalars_end)

    def _same_bytes(self, ends: Numbers, words: Words) -> Flags:
        here = ends.take(self._after, axis=0)
        here += self._steps
        found = words[here].view("<u8")
        found &= self._masks
        same: Flags = (found == self._words).all(axis=0)
        return same

    @property
    def scalar_kinds(self) -> list[CellKind]:
        """The kinds of the scalars, in order."""
        return [kind for kind in self.kinds if kind is not CellKind.TEXT]


class TextSlot(str):
    """Stands for a text that is not known: who looks whether there is one finds it."""

    __slots__ = ()

    def __int__(self) -> int:
        return int(self[1:])

    @staticmethod
    def marked(node: Any, kinds: Sequence[CellKind], before: int = 0) -> Any:
        """The record of a template with one in place of each slot of a text, ``before`` added."""
        if isinstance(node, dict):
            return {name: TextSlot.marked(value, kinds, before) for name, value in node.items()}
        if isinstance(node, list):
            return [TextSlot.marked(value, kinds, before) for value in node]
        if node is None:
            return None
        slot: int = node
        is_text = kinds[slot - 1] is CellKind.TEXT
        return TextSlot(f"\0{slot + before}") if is_text else slot + before


def carried_by(shape: Shape, line: bytes, opener: Opener) -> Template | None:
    """The template of objects that carry a text, with which slot it is; None where they do not."""
    read: list[bytes] = []

    def note(text: bytes) -> tuple[dict[str, Any], bool]:
        read.append(text)
        return {}, False

    try:
        told, keeps = read_object(line)
        opener(TextSlot.marked(shape.slotted, shape.kinds), note)
    except (ValueError, RecursionError, TypeError, AttributeError):
        return None
    if len(read) != 1 or keeps or _filled(shape.slotted, shape.values) != told:
        return None
    slot = int(TextSlot(read[0].decode()))
    return Template(shape.slotted, tuple(shape.kinds), tuple(shape.offsets), slot)


def template_of(line: bytes, shape: Shape, read: Reader, finish: Finish) -> Template | None:
    """What ``finish`` makes of an object of that shape; None where lines must be read one by one.

    ``read`` reads single lines: the template is held to what it makes of this one.
    """
    try:
        record, keeps = read(line)
        slotted = finish(shape.slotted)
    except (ValueError, RecursionError, TypeError, AttributeError):
        return None
    if keeps or _filled(slotted, shape.values) != record:
        return None
    return Template(slotted, tuple(shape.kinds), tuple(shape.offsets))


def scalar_in(line: bytes, begin: int, stop: int) -> tuple[int, int]:
    """Where the value in what stands between two strings is (empty: there is none)."""
    found = _GAP.match(line, begin, stop)
    if found is None:
        raise ValueError("nothing between two strings")
    at, end = found.span(2)
    if end > at and line[at - 1 : at] == b"[":
        listed = _LIST.match(line, at - 1, stop)
        if listed is None:
            raise ValueError("a list that ends elsewhere")
        at, end = listed.span()
    if line[end:stop].strip(_STRUCTURE):
        raise ValueError("several values between two strings")
    return at, end


def kind_of(value: bytes) -> CellKind | None:
    """None for null, which is part of the shape."""
    if value == b"null":
        return None
    for kind, first in FIRST_BYTES.items():
        if first[value[0]]:
            return kind
    raise ValueError("a value no JSON has")


def _columns(places: list[tuple[int, int]]) -> tuple[Numbers, Numbers]:
    columns = np.array([column for column, _ in places], np.int64)
    return columns, np.array([step for _, step in places], np.int64)[:, None]


def _filled(node: Any, values: dict[int, Any]) -> Any:
    if isinstance(node, dict):
        return {name: _filled(inner, values) for name, inner in node.items()}
    if isinstance(node, list):
        return [_filled(inner, values) for inner in node]
    return values[node] if type(node) is int else node
