"""What stands between the strings of JSON lines: brackets, commas and the scalar values."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.decode_lines import Bytes, Flags, Numbers, Strings, table_of

Words = npt.NDArray[np.uint64]
NUMBER, TRUTH, NULL, LIST = 1, 2, 3, 4
"""Kinds of scalars in gaps; 0 where a gap has none."""
_STRUCTURE = table_of(b"{}[],: ")
_LITERAL = table_of(b"+-.0123456789abcdefghijklmnopqrstuvwxyzE")
_DIGIT = table_of(b"0123456789")
_IN_LIST = table_of(b"+-.0123456789abcdefghijklmnopqrstuvwxyzE, ")
_LONGEST_LITERAL = 40
_LONGEST_LIST = 2_000
_LONGEST_EDGE = 8
_COLON, _COMMA, _SPACE = b":, "
# Exponents of three digits may overflow; minus nothing is 0 to one reader and -0.0 to another.
_NUMBER = r"(?:-?[1-9][0-9]*(?:\.[0-9]+)?|-?0\.[0-9]+|0)(?:[eE][+-]?[0-9]{1,2})?"
_SOUND_NUMBER = f"^{_NUMBER}$"
_PLAIN = f"(?:{_NUMBER}|true|false|null)"
_SOUND_LIST = rf"^\[{_PLAIN}(?:, ?{_PLAIN})*\]$"
_MASKS = np.array([(1 << (8 * size)) - 1 for size in range(8)] + [2**64 - 1], np.uint64)
_TRUE, _FALSE, _NULL = (int.from_bytes(word, "little") for word in (b"true", b"false", b"null"))


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """The gap after each string.

    ``codes[n]`` tells a gap of a colon or comma (and a blank) whole; for any other it is the kind
    of its scalar, and more is in the arrays of the ``odd`` gaps, in order: the text before the
    scalar and after it (``before``, ``after``, up to 8 bytes), and where the scalar begins and
    ends. ``is_key[n]``: the string is the name of a field. ``doubtful`` are numbers of strings
    whose lines are better read by others.
    """

    codes: npt.NDArray[np.int32]
    is_key: Flags
    odd: Numbers
    kinds: Bytes
    before: Words
    after: Words
    begins: Numbers
    ends: Numbers
    doubtful: Numbers


def words_of(data: bytes) -> Words:
    """The eight bytes from each byte of ``data`` on, as little-endian numbers."""
    return np.ndarray((len(data) - 7,), "<u8", data, 0, (1,))


def low_bytes(words: Words, sizes: Numbers) -> Words:
    """Of each word the first ``sizes`` bytes (0 to 8)."""
    return words & _MASKS.take(sizes)


def find_gaps(strings: Strings, words: Words) -> Gaps:
    """Look at every gap."""
    buffer, closes = strings.buffer, strings.closes
    gap_ends = np.empty_like(closes)
    gap_ends[:-1] = strings.opens[1:]
    gap_ends[strings.firsts + strings.counts - 1] = strings.ends[strings.lines]
    sizes = gap_ends - closes - 1
    first = buffer.take(closes + 1)
    second = buffer.take(closes + 2)
    is_key = first == _COLON
    plain = (is_key | (first == _COMMA)) & ((sizes == 1) | ((sizes == 2) & (second == _SPACE)))
    codes = first.astype(np.int32) + (sizes.astype(np.int32) << 8)
    odd = np.flatnonzero(~plain)
    start, stop = closes.take(odd) + 1, gap_ends.take(odd)
    begins, too_long = _skip(buffer, start, stop, _STRUCTURE, _LONGEST_EDGE + 1)
    has_scalar = begins < stop
    ends, without_end = _skip(buffer, begins, stop, _LITERAL, _LONGEST_LITERAL)
    kinds = np.where(has_scalar, _kinds(buffer, words, begins, ends), 0).astype(np.uint8)
    doubt = too_long | without_end | (kinds == 255)
    listed = np.flatnonzero(has_scalar & (buffer.take(begins - 1) == ord("[")))
    if len(listed):
        _take_lists(strings, listed, begins, ends, stop, kinds, doubt)
    _check_numbers(strings.data, np.flatnonzero(kinds == NUMBER), begins, ends, doubt, buffer)
    before, after = begins - start, stop - ends
    doubt |= (before > _LONGEST_EDGE) | (after > _LONGEST_EDGE)
    codes[odd] = kinds
    return Gaps(
        codes=codes,
        is_key=is_key,
        odd=odd,
        kinds=kinds,
        before=low_bytes(words[start], np.minimum(before, 8)),
        after=low_bytes(words[ends], np.minimum(after, 8)),
        begins=begins,
        ends=ends,
        doubtful=odd[doubt],
    )


def _skip(
    buffer: Bytes, start: Numbers, stop: Numbers, wanted: Flags, most: int
) -> tuple[Numbers, Flags]:
    """From ``start`` on over bytes that are ``wanted``; and where that took more than ``most``."""
    at = start.copy()
    active = np.flatnonzero(at < stop)
    for _ in range(most):
        here = at.take(active)
        goes_on = wanted.take(buffer.take(here))
        active, here = active[goes_on], here[goes_on] + 1
        at[active] = here
        active = active[here < stop.take(active)]
        if not len(active):
            break
    left = np.zeros(len(start), np.bool_)
    left[active] = True
    return at, left


def _kinds(buffer: Bytes, words: Words, begins: Numbers, ends: Numbers) -> Bytes:
    first = buffer.take(begins)
    kinds = np.full(len(begins), 255, np.uint8)
    kinds[_DIGIT.take(first) | (first == ord("-"))] = NUMBER
    letters = np.flatnonzero(kinds == 255)
    text = low_bytes(words[begins[letters]], np.minimum((ends - begins)[letters], 8))
    kinds[letters[(text == _TRUE) | (text == _FALSE)]] = TRUTH
    kinds[letters[text == _NULL]] = NULL
    return kinds


def _take_lists(
    strings: Strings,
    listed: Numbers,
    begins: Numbers,
    ends: Numbers,
    stop: Numbers,
    kinds: Bytes,
    doubt: Flags,
) -> None:
    """A list of scalars is taken whole, as one text with its brackets."""
    buffer = strings.buffer
    closing, too_long = _skip(buffer, begins[listed], stop[listed], _IN_LIST, _LONGEST_LIST)
    whole = (closing < stop[listed]) & (buffer.take(closing) == ord("]")) & ~too_long
    begins[listed] -= 1
    ends[listed] = np.where(whole, closing + 1, begins[listed] + 1)
    kinds[listed] = LIST
    texts = slices_of(strings.data, begins[listed], ends[listed])
    sound = pc.match_substring_regex(texts, _SOUND_LIST).to_numpy(zero_copy_only=False)
    doubt[listed] = ~(whole & sound)


def _check_numbers(
    data: bytes, at: Numbers, begins: Numbers, ends: Numbers, doubt: Flags, buffer: Bytes
) -> None:
    """Whole numbers that begin with 1 to 9 and have no sign need no second look."""
    if not len(at):
        return
    texts = slices_of(data, begins[at], ends[at])
    plain = pc.ascii_is_decimal(texts).to_numpy(zero_copy_only=False)
    plain &= (buffer.take(begins[at]) != ord("0")) | (ends[at] - begins[at] == 1)
    rest = np.flatnonzero(~plain)
    if not len(rest):
        return
    others = texts.take(pa.array(rest))
    sound = pc.match_substring_regex(others, _SOUND_NUMBER).to_numpy(zero_copy_only=False)
    doubt[at[rest[~sound]]] = True


def interleaved(data: bytes, begins: Numbers, ends: Numbers) -> pa.StringArray:
    """An array over ``data`` whose elements 0, 2, 4 … are the given slices (ascending)."""
    offsets = np.empty(2 * len(begins), np.int32)
    offsets[0::2] = begins
    offsets[1::2] = ends
    length = max(len(offsets) - 1, 0)
    if not length:
        return pa.array([], pa.string())
    return pa.StringArray.from_buffers(length, pa.py_buffer(offsets), pa.py_buffer(data))


def slices_of(data: bytes, begins: Numbers, ends: Numbers) -> pa.StringArray:
    """The given slices (ascending) of ``data``."""
    return interleaved(data, begins, ends).take(pa.array(np.arange(len(begins)) * 2))
