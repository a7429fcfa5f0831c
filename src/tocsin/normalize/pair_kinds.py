"""``key=value`` pairs of texts with the same keys at the same places, a column at a time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.pair_places import Flags, Numbers, is_mark, slices_of

_END, _QUOTE = 0xFF, ord('"')
_FIRST_BEYOND_ASCII, _BLANK = 0x80, 32
_FEWEST, _MOST_KINDS, _MOST_MARKS = 64, 200, 400
_AT_ONCE = 8_000
"""As many as a processor keeps at hand."""
_WORD = 8
_PADDING = np.full(_WORD, _END, np.uint8)
_NAME = re.compile(rb"(?<![\w.\-])[A-Za-z_][\w.\-]*\Z")


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Texts with the same keys: which, and by key, in order, the value; null where it is empty."""

    rows: Numbers
    values: dict[str, pa.StringArray]


@dataclass(frozen=True, slots=True, eq=False)
class _Marks:
    """The places that matter in texts laid out one after the other."""

    data: np.ndarray
    words: np.ndarray
    places: Numbers
    kinds: np.ndarray
    firsts: Numbers
    """The number of each text's first mark; its last one is its end."""
    counts: Numbers


def read_alike(text: pa.StringArray, assign: str, between: str) -> Iterator[Alike]:
    """The texts, none null, that are like many others in this; what is left is for ``find_pairs``.

    Of texts without control characters, letters beyond ASCII and values in quotes.
    """
    if len(text) < _FEWEST or assign == between or not (is_mark(assign) and is_mark(between)):
        return
    for start in range(0, len(text), _AT_ONCE):
        for alike in _read_some(text.slice(start, _AT_ONCE), assign, between):
            yield Alike(alike.rows + start, alike.values)


def _read_some(text: pa.StringArray, assign: str, between: str) -> Iterator[Alike]:
    marks = _marks(text, ord(assign), ord(between))
    if len(marks.firsts) != len(text):
        return
    offsets = np.append(marks.firsts, len(marks.kinds)).astype(np.int32)
    kinds = pa.BinaryArray.from_buffers(
        pa.binary(), len(text), [None, pa.py_buffer(offsets), pa.py_buffer(marks.kinds)]
    ).dictionary_encode()
    codes = kinds.indices.to_numpy()
    for code in np.flatnonzero(np.bincount(codes) >= _FEWEST)[:_MOST_KINDS].tolist():
        kind = kinds.dictionary[code].as_py()
        if len(kind) <= _MOST_MARKS and not kind.strip(f"{assign}{between}".encode() + b"\xff"):
            yield from _of_kind(marks, np.flatnonzero(codes == code), kind, ord(assign))


def _marks(text: pa.StringArray, assign: int, between: int) -> _Marks:
    ended = pc.binary_join_element_wise(text.cast(pa.binary()), b"", bytes([_END]))
    bounds = np.frombuffer(ended.buffers()[1], np.int32)[ended.offset :][: len(text) + 1]
    whole = np.frombuffer(ended.buffers()[2], np.uint8)[bounds[0] : bounds[-1]]
    data = np.concatenate((whole, _PADDING))
    found: Flags = whole == assign
    found |= whole == between
    found |= whole < _BLANK
    found |= whole >= _FIRST_BEYOND_ASCII
    is_quote = whole == _QUOTE
    if is_quote.any():
        found[1:] |= is_quote[1:] & (whole[:-1] == assign)
    places = np.flatnonzero(found)
    kinds = whole.take(places)
    lasts = np.flatnonzero(kinds == _END)
    firsts = np.concatenate((np.zeros(1, np.int64), lasts[:-1] + 1))
    words = np.ndarray((len(whole) + 1,), "<u8", data, 0, (1,))
    return _Marks(data, words, places, kinds, firsts, lasts - firsts + 1)


def _of_kind(marks: _Marks, rows: Numbers, kind: bytes, assign: int) -> Iterator[Alike]:
    """The texts of one sequence of marks, by their keys."""
    assigned = [
        at for at, mark in enumerate(kind) if mark == assign and (at == 0 or kind[at - 1] != assign)
    ]
    ends = [next(end for end in range(at, len(kind)) if kind[end] != assign) for at in assigned]
    for _ in range(3):
        if len(rows) < _FEWEST:
            return
        places = marks.places[marks.firsts[rows] + np.arange(len(kind))[:, None]]
        starts = np.where(rows > 0, marks.places.take(marks.firsts[rows] - 1, mode="wrap"), -1)
        names: list[str] = []
        is_like = np.ones(len(rows), np.bool_)
        for at in assigned:
            begins = (places[at - 1] if at else starts) + 1
            first, last = int(begins[0]), int(places[at][0])
            is_like &= _same(marks, begins, places[at], first, last)
            named = _NAME.search(marks.data[first:last].tobytes())
            if named is None:
                return
            names.append(named.group().decode())
        chosen = places if is_like.all() else places[:, is_like]
        yield Alike(rows[is_like], _values(marks, chosen, names, assigned, ends))
        rows = rows[~is_like]


def _same(marks: _Marks, begins: Numbers, ends: Numbers, first: int, last: int) -> Flags:
    """Which of the slices hold what the slice from ``first`` to ``last`` does."""
    size = last - first
    same: Flags = ends - begins == size
    for step in range(0, size, _WORD):
        of_word = np.uint64((1 << 8 * min(_WORD, size - step)) - 1)
        here = np.minimum(begins + step, len(marks.words) - 1) if step else begins
        same &= ((marks.words[here] ^ marks.words[first + step]) & of_word) == 0
    return same


def _values(
    marks: _Marks, places: Numbers, names: list[str], assigned: list[int], ends: list[int]
) -> dict[str, pa.StringArray]:
    values: dict[str, pa.StringArray] = {}
    buffer = pa.py_buffer(marks.data)
    for name, at, end in zip(names, assigned, ends, strict=True):
        own = slices_of(buffer, places[at] + 1, places[end], null_if_empty=True)
        values[name] = pc.coalesce(values[name], own) if name in values else own
    return values
