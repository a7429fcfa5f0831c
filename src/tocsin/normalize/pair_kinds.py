"""``key=value`` pairs of texts with the same keys at the same places, a column at a time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.pair_places import Flags, Numbers, is_mark, slices_of

_END, _QUOTE, _SLASH = 0xFF, ord('"'), ord("\\")
_OPENS, _CLOSES, _ODD = b"oc?"
"""Stand for quotes among the marks: around a value, and any other."""
_FIRST_BEYOND_ASCII, _BLANK = 0x80, 32
_FEWEST, _MOST_KINDS, _MOST_MARKS = 64, 200, 400
_AT_ONCE = 8_000
"""As many as a processor keeps at hand."""
_WORD, _LONGEST, _OTHERS = 8, 2, 2
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

    Of texts without control characters and letters beyond ASCII, but in quotes; and without
    escaped quotes.
    """
    if len(text) < _FEWEST or not _are_marks(assign, between):
        return
    for start in range(0, len(text), _AT_ONCE):
        for alike in _read_some(text.slice(start, _AT_ONCE), assign, between):
            yield Alike(alike.rows + start, alike.values)


def _are_marks(assign: str, between: str) -> bool:
    """Whether both are told from names, quotes and each other; ``between`` may be of two letters."""
    marks = {assign, *between, '"'}
    told = len(between) == 1 or (len(between) == _LONGEST and between[0] != between[1])
    return told and len(marks) == len(between) + _OTHERS and all(map(is_mark, marks))


def _read_some(text: pa.StringArray, assign: str, between: str) -> Iterator[Alike]:
    marks = _marks(text, ord(assign), between.encode())
    if len(marks.firsts) != len(text):
        return
    offsets = np.append(marks.firsts, len(marks.kinds)).astype(np.int32)
    kinds = pa.BinaryArray.from_buffers(
        pa.binary(), len(text), [None, pa.py_buffer(offsets), pa.py_buffer(marks.kinds)]
    ).dictionary_encode()
    codes = kinds.indices.to_numpy()
    for code in np.flatnonzero(np.bincount(codes) >= _FEWEST)[:_MOST_KINDS].tolist():
        kind = kinds.dictionary[code].as_py()
        pairs = _pairs_in(kind, ord(assign), ord(between[0]))
        if pairs is not None:
            yield from _of_kind(marks, np.flatnonzero(codes == code), pairs, len(kind))


def _marks(text: pa.StringArray, assign: int, between: bytes) -> _Marks:
    ended = pc.binary_join_element_wise(text.cast(pa.binary()), b"", bytes([_END]))
    bounds = np.frombuffer(ended.buffers()[1], np.int32)[ended.offset :][: len(text) + 1]
    whole = np.frombuffer(ended.buffers()[2], np.uint8)[bounds[0] : bounds[-1]]
    data = np.concatenate((whole, _PADDING))
    found: Flags = whole == assign
    found |= _cuts(whole, between)
    found |= whole < _BLANK
    found |= whole >= _FIRST_BEYOND_ASCII
    places = np.flatnonzero(found)
    quotes = np.flatnonzero(whole == _QUOTE)
    kinds = whole.take(places)
    if len(quotes) and (whole.take(quotes - 1, mode="wrap") == assign).any():
        places, kinds = _with_quotes(whole, places, quotes, assign)
    lasts = np.flatnonzero(kinds == _END)
    firsts = np.concatenate((np.zeros(1, np.int64), lasts[:-1] + 1))
    words = np.ndarray((len(whole) + 1,), "<u8", data, 0, (1,))
    return _Marks(data, words, places, kinds, firsts, lasts - firsts + 1)


def _cuts(whole: np.ndarray, between: bytes) -> Flags:
    cuts: Flags = whole == between[0]
    if len(between) > 1:
        cuts[:-1] &= whole[1:] == between[1]  # what is last is the end
    return cuts


def _with_quotes(
    whole: np.ndarray, places: Numbers, quotes: Numbers, assign: int
) -> tuple[Numbers, np.ndarray]:
    """The marks and their kinds in texts of which some have values in quotes.

    What stands between quotes is no mark. Quotes elsewhere in a text without such values are
    letters like others.
    """
    ends = places[whole.take(places) == _END]
    rows = np.searchsorted(ends, quotes)
    counts = np.bincount(rows, minlength=len(ends))
    number = np.arange(len(quotes)) - (np.cumsum(counts) - counts)[rows]
    before = whole.take(quotes - 1, mode="wrap")
    is_open = number % 2 == 0
    is_asked = np.zeros(len(ends), np.bool_)
    is_asked[rows[before == assign]] = True
    is_odd = counts % 2 == 1
    is_odd[rows[(is_open & (before != assign)) | (before == _SLASH)]] = True
    kept = is_asked[rows]
    quotes, rows, is_open = quotes[kept], rows[kept], is_open[kept]
    is_sound = ~is_odd[rows]
    within = np.searchsorted(quotes[is_sound], places) % 2 == 1
    codes = np.where(is_sound, np.where(is_open, _OPENS, _CLOSES), _ODD).astype(np.uint8)
    both = np.concatenate((places[~within], quotes))
    order = np.argsort(both, kind="stable")
    kinds = np.concatenate((whole.take(places[~within]), codes))
    return both[order], kinds[order]


@dataclass(frozen=True, slots=True)
class _Pair:
    """The numbers of the marks around a pair: ``=`` and where its value begins and ends."""

    assign: int
    begin: int
    end: int


def _pairs_in(kind: bytes, assign: int, between: int) -> list[_Pair] | None:
    """The pairs in a sequence of marks; None where it doesn't tell them."""
    pairs: list[_Pair] = []
    if len(kind) > _MOST_MARKS:
        return None
    at = 0
    while at < len(kind):
        if kind[at] in (between, _END):
            at += 1
        elif kind[at] != assign:
            return None
        elif kind[at + 1] == _OPENS:
            pairs.append(_Pair(at, at + 1, at + 2))
            at += 3
        else:
            end = next(end for end in range(at, len(kind)) if kind[end] != assign)
            if kind[end] not in (between, _END):
                return None
            pairs.append(_Pair(at, at, end))
            at = end
    return pairs


def _of_kind(marks: _Marks, rows: Numbers, pairs: list[_Pair], count: int) -> Iterator[Alike]:
    """The texts of one sequence of ``count`` marks, by their keys."""
    for _ in range(3):
        if len(rows) < _FEWEST:
            return
        places = marks.places[marks.firsts[rows] + np.arange(count)[:, None]]
        starts = np.where(rows > 0, marks.places.take(marks.firsts[rows] - 1, mode="wrap"), -1)
        names: list[str] = []
        is_like = np.ones(len(rows), np.bool_)
        for pair in pairs:
            at = pair.assign
            begins = (places[at - 1] if at else starts) + 1
            first, last = int(begins[0]), int(places[at][0])
            is_like &= _same(marks, begins, places[at], first, last)
            named = _NAME.search(marks.data[first:last].tobytes())
            if named is None:
                return
            names.append(named.group().decode())
        chosen = places if is_like.all() else places[:, is_like]
        yield Alike(rows[is_like], _values(marks, chosen, names, pairs))
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
    marks: _Marks, places: Numbers, names: list[str], pairs: list[_Pair]
) -> dict[str, pa.StringArray]:
    values: dict[str, pa.StringArray] = {}
    buffer = pa.py_buffer(marks.data)
    for name, pair in zip(names, pairs, strict=True):
        begins, ends = places[pair.begin] + 1, places[pair.end]
        own = slices_of(buffer, begins, ends, null_if_empty=True)
        edges = np.concatenate((marks.data[begins], marks.data[ends - 1]))
        if ((edges <= _BLANK) | (edges >= _FIRST_BEYOND_ASCII)).any():
            own = pc.utf8_trim_whitespace(own)
        values[name] = pc.coalesce(values[name], own) if name in values else own
    return values
