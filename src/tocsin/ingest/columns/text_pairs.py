"""Messages that are nothing but ``key=value`` pairs, as columns: ``key_value`` for many at once."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Bytes, Flags, Numbers
from tocsin.ingest.columns.decode_scalars import interleaved
from tocsin.ingest.columns.text_columns import Column, parts_of
from tocsin.ingest.records.key_value import FEWEST_PAIRS

_NAME = re.compile(r"[A-Za-z_@][\w.\-/@]*", re.ASCII)
_NEWLINE, _BLANK, _QUOTE, _ASSIGN, _COMMA, _SLASH = b'\n "=,\\'
_WORD = 8
PADDING = np.zeros(_WORD, np.uint8)
_MOST_PAIRS = 500
_WEIGHTS = np.random.default_rng(7).integers(1, 1 << 62, _MOST_PAIRS, np.int64) | 1
"""By place in a line: what makes one number of the sizes of its names."""


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """Texts with the same names in the same order: which they are, and the values by name."""

    texts: Numbers
    values: dict[str, Column]
    data: Bytes
    assigns: dict[str, Numbers]

    def is_quoted(self, name: str) -> Flags:
        """Which of the values of a name stand in quotes."""
        quoted: Flags = self.data.take(self.assigns[name]) == _QUOTE
        return quoted


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Where each pair begins, is assigned and ends, text after text; the first pair of each text."""

    data: Bytes
    begins: Numbers
    assigns: Numbers
    ends: Numbers
    is_empty: Flags
    firsts: Numbers
    counts: Numbers


def read_pairs_of(texts: Column, fewest: int, fewest_pairs: int = FEWEST_PAIRS) -> Iterator[Paired]:
    """The texts that are pairs throughout, by their names; at least ``fewest`` of a kind.

    Texts in ASCII without control characters. Left out are those with escapes, with two blanks
    together, and with a name that comes twice, which only the reader of single lines can judge.
    """
    found, is_sound = _found(texts)
    yield from alike(found, is_sound & (found.counts >= fewest_pairs), fewest)


def alike(
    found: Pairs,
    is_sound: Flags,
    fewest: int,
    is_name: Callable[[str], object] = _NAME.fullmatch,
) -> Iterator[Paired]:
    """The sound texts by the names of their pairs; at least ``fewest`` of a kind.

    None has a name twice. Each sound text has pairs, and none begins in the last seven bytes.
    """
    rows = np.flatnonzero(is_sound & (found.counts <= _MOST_PAIRS))
    marks = _marks(found)[rows]
    order = np.argsort(marks, kind="stable")
    for same in np.split(rows[order], np.flatnonzero(np.diff(marks[order])) + 1):
        if len(same) >= max(fewest, 1):
            yield from _alike(found, same, is_name)


def _found(texts: Column) -> tuple[Pairs, Flags]:
    """The pairs, and which of the texts are sound in all but the names."""
    ended = pc.binary_join_element_wise(texts, "\n", "")
    data = np.append(parts_of(ended)[1], PADDING)
    is_mark = data == _BLANK
    for mark in (_QUOTE, _ASSIGN, _NEWLINE):
        is_mark |= data == mark
    marks = np.flatnonzero(is_mark)
    kinds = data.take(marks)
    is_end = kinds == _NEWLINE
    is_quote = kinds == _QUOTE
    quotes = np.cumsum(is_quote, dtype=np.int32)
    at_ends = quotes[is_end]
    is_sound = np.diff(at_ends, prepend=0) % 2 == 0
    is_sound &= ~np.isin(np.arange(len(texts)), _rows_with(_SLASH, data, marks[is_end]))
    if not is_sound.all():
        sizes = np.diff(np.flatnonzero(is_end), prepend=-1)
        is_quote &= np.repeat(is_sound, sizes)
        quotes = np.cumsum(is_quote, dtype=np.int32)
    cuts = np.flatnonzero(is_end | ((kinds == _BLANK) & (quotes & 1 == 0)))
    ends = marks[cuts]
    begins = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    after = np.concatenate((np.zeros(1, np.int64), cuts[:-1] + 1))
    assigns = marks[after]
    within = np.diff(quotes[cuts], prepend=0)
    is_quoted = (data.take(assigns + 1) == _QUOTE) & (within == 2)
    last = data.take(ends - 1, mode="clip")
    is_pair = (kinds[after] == _ASSIGN) & (assigns > begins)
    is_pair &= np.where(is_quoted, last == _QUOTE, (within == 0) & (last != _COMMA))
    lasts = np.flatnonzero(is_end[cuts])
    firsts = np.concatenate((np.zeros(1, np.int64), lasts[:-1] + 1))
    is_sound &= np.logical_and.reduceat(is_pair, firsts)
    assigns = assigns + is_quoted
    ends = ends - is_quoted
    is_empty = ends <= assigns + 1
    return Pairs(data, begins, assigns, ends, is_empty, firsts, lasts - firsts + 1), is_sound


def _rows_with(byte: int, data: Bytes, ends: Numbers) -> Numbers:
    return np.searchsorted(ends, np.flatnonzero(data == byte))


def _marks(found: Pairs) -> Numbers:
    """A number a text: the same where names have the same sizes and the same values are empty."""
    place = np.arange(len(found.begins)) - np.repeat(found.firsts, found.counts)
    sizes = (found.assigns - found.begins) * 2 + found.is_empty
    marks = np.zeros(len(found.firsts), np.int64)
    has_pairs = found.counts > 0  # of a text without, reduceat would want a pair all the same
    weighed = sizes * _WEIGHTS.take(place, mode="clip")
    marks[has_pairs] = np.add.reduceat(weighed, found.firsts[has_pairs])
    return marks


def _alike(found: Pairs, rows: Numbers, is_name: Callable[[str], object]) -> Iterator[Paired]:
    """The texts among ``rows`` with the names of the first; the others are left."""
    count = int(found.counts[rows[0]])
    rows = rows[found.counts[rows] == count]
    pairs = found.firsts[rows] + np.arange(count)[:, None]
    begins, assigns, ends = (one.take(pairs) for one in (found.begins, found.assigns, found.ends))
    is_empty = found.is_empty.take(pairs)
    sizes = assigns - begins
    is_like = ((sizes == sizes[:, :1]) & (is_empty == is_empty[:, :1])).all(axis=0)
    names: list[str] = []
    words = np.ndarray((len(found.data) - _WORD + 1,), "<u8", found.data, 0, (1,))
    for place, size in enumerate(sizes[:, 0].tolist()):
        begin = int(begins[place, 0])
        for step in range(0, size, _WORD):
            of_word = np.uint64((1 << 8 * min(_WORD, size - step)) - 1)
            is_like &= ((words[begins[place] + step] ^ words[begin + step]) & of_word) == 0
        names.append(found.data[begin : begin + size].tobytes().removesuffix(b"=").decode())
    if len(set(names)) < count or not all(map(is_name, names)):
        return
    if not is_like.all():
        rows, assigns, ends = rows[is_like], assigns[:, is_like], ends[:, is_like]
    every_other = pa.array(np.arange(0, 2 * len(rows), 2))
    told = [(place, name) for place, name in enumerate(names) if not is_empty[place, 0]]
    values = {
        name: interleaved(found.data, assigns[place] + 1, ends[place]).take(every_other)
        for place, name in told
    }
    yield Paired(rows, values, found.data, {name: assigns[place] for place, name in told})
