"""Where ``key=value`` pairs are in a text column, for all rows at once."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_WORD = np.zeros(256, np.bool_)
_WORD[list(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")] = True
_BEGINS = np.zeros(256, np.bool_)
_BEGINS[list(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")] = True
_QUOTE, _FIRST_BEYOND_ASCII = ord('"'), 0x80


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs in the order of their rows and, within one, as they were written."""

    rows: Numbers
    names: pa.StringArray
    values: pa.StringArray


def find_pairs(text: pa.StringArray, assign: str, between: str) -> Pairs:
    """The pairs of each row, a value up to ``between`` or, in quotes, with them as written.

    Rows with quoted values or letters beyond ASCII are read one by one.
    """
    text = pc.fill_null(text, "") if text.null_count else text
    if assign == between or not (is_mark(assign) and is_mark(between)):
        return _one_by_one(text, np.arange(len(text)), assign, between)
    found, doubtful = _at_once(text, ord(assign), ord(between))
    if not doubtful.any():
        return found
    rows = np.flatnonzero(doubtful)
    others = _one_by_one(text.take(pa.array(rows)), rows, assign, between)
    both = np.concatenate((found.rows, others.rows))
    order = np.argsort(both, kind="stable")
    taken = pa.array(order)
    return Pairs(
        both[order],
        pa.concat_arrays([found.names, others.names]).take(taken),
        pa.concat_arrays([found.values, others.values]).take(taken),
    )


def is_mark(separator: str) -> bool:
    """One letter of ASCII that is in no name."""
    return len(separator) == 1 and separator.isascii() and not _WORD[ord(separator)]


def _at_once(text: pa.StringArray, assign: int, between: int) -> tuple[Pairs, Flags]:
    """The pairs of the rows that are plain, and which rows are not."""
    places = np.frombuffer(text.buffers()[1], np.int32)[text.offset :][: len(text) + 1]
    first, last = int(places[0]), int(places[-1])
    data = np.frombuffer(text.buffers()[2] or b"", np.uint8)[first:last]
    offsets = places.astype(np.int64) - first
    doubtful = np.zeros(len(text), np.bool_)
    assigns = np.flatnonzero(data == assign)
    cuts = np.flatnonzero(data == between)
    quotes = np.flatnonzero(data == _QUOTE)
    quotes = quotes[data.take(quotes - 1, mode="clip") == assign]
    beyond = np.flatnonzero(data >= _FIRST_BEYOND_ASCII)
    for found_at in (quotes, beyond):
        doubtful[np.searchsorted(offsets, found_at, "right") - 1] = True
    rows = np.searchsorted(offsets, assigns, "right") - 1
    cut = np.searchsorted(cuts, assigns)
    bounded = np.concatenate(([-1], cuts, [len(data)]))
    begins = np.maximum(bounded[cut] + 1, offsets[rows])
    ends = np.minimum(bounded[cut + 1], offsets[rows + 1])
    is_first = np.ones(len(assigns), np.bool_)
    is_first[1:] = begins[1:] > assigns[:-1]
    names = _names(data, begins, assigns, is_first)
    is_pair = is_first & (names < assigns) & _BEGINS[data.take(names, mode="clip")]
    # Where the first of several is none, a later one may be.
    vain = np.flatnonzero(is_first[:-1] & ~is_pair[:-1] & ~is_first[1:])
    doubtful[rows[vain]] = True
    is_pair &= ~doubtful[rows] & (ends > assigns + 1)
    buffer = text.buffers()[2]
    found = Pairs(
        rows[is_pair],
        slices_of(buffer, names[is_pair] + first, assigns[is_pair] + first),
        slices_of(buffer, assigns[is_pair] + first + 1, ends[is_pair] + first),
    )
    return found, doubtful


def _names(data: np.ndarray, begins: Numbers, assigns: Numbers, is_asked: Flags) -> Numbers:
    """Where the letters before each sign that is asked for begin; most begin what is cut off."""
    names = begins.copy()
    asked = np.flatnonzero(is_asked)
    sizes = assigns[asked] - begins[asked]
    owners = np.repeat(asked, sizes)
    places = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + begins[owners]
    odd = ~_WORD[data[places]]
    names[owners[odd]] = places[odd] + 1
    return names


def slices_of(
    data: pa.Buffer | None, begins: Numbers, ends: Numbers, *, null_if_empty: bool = False
) -> pa.StringArray:
    """The given slices, ascending, of ``data``."""
    if not len(begins):
        return pa.array([], pa.string())
    offsets = np.empty(2 * len(begins), np.int32)
    offsets[0::2], offsets[1::2] = begins, ends
    both = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), data)
    mask = begins >= ends if null_if_empty else None
    return both.take(pa.array(np.arange(0, len(offsets), 2), mask=mask))


def _one_by_one(text: pa.StringArray, rows: Numbers, assign: str, between: str) -> Pairs:
    pair = re.compile(
        rf'(?<![\w.\-])([A-Za-z_][\w.\-]*){re.escape(assign)}("(?:[^"\\]|\\.)*"'
        rf"|(?:(?!{re.escape(between)}).)*)",
        re.DOTALL,
    )
    found = [
        (row, name, written)
        for row, value in zip(rows.tolist(), text.to_pylist(), strict=True)
        for name, written in pair.findall(value)
        if written and written != '""'
    ]
    numbers, names, values = zip(*found, strict=True) if found else ((), (), ())
    return Pairs(
        np.array(numbers, np.int64), pa.array(names, pa.string()), pa.array(values, pa.string())
    )
