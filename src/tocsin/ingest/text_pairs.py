"""Messages that are nothing but ``key=value`` pairs, as columns: ``key_value`` for many at once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tocsin.ingest.decode_lines import Flags, Numbers
from tocsin.ingest.decode_scalars import slices_of
from tocsin.ingest.key_value import FEWEST_PAIRS
from tocsin.ingest.text_headers import Column, parts_of

_NAME = re.compile(r"[A-Za-z_@][\w.\-/@]*", re.ASCII)
_BLANK, _QUOTE, _ASSIGN, _COMMA, _SLASH = b' "=,\\'
_MOST_PAIRS = 500
_WEIGHTS = np.random.default_rng(7).integers(1, 1 << 62, _MOST_PAIRS, np.int64) | 1
"""By place in a line: what makes one number of the sizes of its names."""


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """Texts with the same names in the same order: which they are, and the values by name."""

    texts: Numbers
    values: dict[str, Column]


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Where each pair begins, is assigned and ends, text after text; the first pair of each text."""

    data: np.ndarray
    begins: Numbers
    assigns: Numbers
    ends: Numbers
    is_empty: Flags
    firsts: Numbers
    counts: Numbers


def read_pairs_of(texts: Column, fewest: int) -> Iterator[Paired]:
    """The texts that are pairs throughout, by their names; at least ``fewest`` of a kind.

    Texts in ASCII without control characters. Left out are those with escapes, with two blanks
    together, and with a name that comes twice, which only the reader of single lines can judge.
    """
    offsets, data = parts_of(texts)
    found, is_sound = _found(offsets, data)
    is_sound &= (found.counts >= FEWEST_PAIRS) & (found.counts <= _MOST_PAIRS)
    rows = np.flatnonzero(is_sound)
    marks = _marks(found)[rows]
    order = np.argsort(marks, kind="stable")
    for same in np.split(rows[order], np.flatnonzero(np.diff(marks[order])) + 1):
        if len(same) >= max(fewest, 1):
            yield from _alike(texts, found, same)


def _found(offsets: Numbers, data: np.ndarray) -> tuple[_Pairs, Flags]:
    """The pairs, and which of the texts are sound in all but the names."""
    data = data[: offsets[-1]]
    quotes = np.flatnonzero(data == _QUOTE)
    quotes_before = np.searchsorted(quotes, offsets)
    is_sound = np.diff(quotes_before) % 2 == 0
    if not is_sound.all():
        quotes = quotes[np.repeat(is_sound, np.diff(quotes_before))]
    blanks = np.flatnonzero(data == _BLANK)
    blanks = blanks[np.searchsorted(quotes, blanks) % 2 == 0]
    before = np.searchsorted(blanks, offsets)
    counts = np.diff(before) + 1
    ends = np.insert(blanks, before[1:], offsets[1:])
    firsts = np.cumsum(counts) - counts
    begins = np.empty_like(ends)
    begins[1:] = ends[:-1] + 1
    begins[firsts] = offsets[:-1]
    assigned = np.append(np.flatnonzero(data == _ASSIGN), len(data))
    assigns = assigned[np.searchsorted(assigned, begins)]
    is_pair = (assigns < ends) & (assigns > begins)
    last = data.take(ends - 1, mode="clip")
    is_quoted = is_pair & (data.take(assigns + 1, mode="clip") == _QUOTE) & (assigns + 1 < ends)
    within = np.searchsorted(quotes, ends) - np.searchsorted(quotes, begins)
    is_pair &= np.where(is_quoted, (within == 2) & (last == _QUOTE), within == 0)
    is_pair &= is_quoted | (last != _COMMA)
    assigns = assigns + is_quoted
    is_empty = ends - is_quoted <= assigns + 1
    is_sound &= np.logical_and.reduceat(is_pair, firsts)
    if _SLASH in data:
        slashes = np.flatnonzero(data == _SLASH)
        is_sound[np.searchsorted(offsets, slashes, "right") - 1] = False
    pairs = _Pairs(data, begins, assigns, ends - is_quoted, is_empty, firsts, counts)
    return pairs, is_sound


def _marks(found: _Pairs) -> Numbers:
    """A number a text: the same where names have the same sizes and the same values are empty."""
    place = np.arange(len(found.begins)) - np.repeat(found.firsts, found.counts)
    sizes = (found.assigns - found.begins) * 2 + found.is_empty
    marks: Numbers = np.add.reduceat(sizes * _WEIGHTS.take(place, mode="clip"), found.firsts)
    return marks


def _alike(texts: Column, found: _Pairs, rows: Numbers) -> Iterator[Paired]:
    """The texts among ``rows`` with the names of the first; the others are left."""
    count = int(found.counts[rows[0]])
    rows = rows[found.counts[rows] == count]
    rows.sort()
    firsts = found.firsts[rows]
    names: list[str] = []
    is_like = np.ones(len(rows), np.bool_)
    for place in range(count):
        begins, assigns = found.begins[firsts + place], found.assigns[firsts + place]
        name = found.data[begins[0] : assigns[0]].tobytes()
        is_like &= assigns - begins == len(name)
        for step, byte in enumerate(name):
            is_like &= found.data.take(begins + step, mode="clip") == byte
        is_like &= found.is_empty[firsts + place] == found.is_empty[firsts[0] + place]
        names.append(name.removesuffix(b"=").decode())
    if len(set(names)) < count or not all(map(_NAME.fullmatch, names)):
        return
    rows, firsts = rows[is_like], firsts[is_like]
    buffer = texts.buffers()[2]
    yield Paired(
        rows,
        {
            name: slices_of(buffer, found.assigns[firsts + place] + 1, found.ends[firsts + place])
            for place, name in enumerate(names)
            if not found.is_empty[firsts[0] + place]
        },
    )
