"""Where lines and strings are in a payload of JSON lines, for all lines at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tocsin.ingest.limits import RECORD_BYTES

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
_PADDING = 64
_WORD = 8
_AT_ONCE = 1 << 18
"""Bytes looked through together: what is worked on stays in the processor's cache."""
_NEWLINE, _CARRIAGE, _QUOTE, _SLASH, _OPEN, _CLOSE = b'\n\r"\\{}'
_SPACE = 32


def table_of(characters: bytes) -> Flags:
    """A table by byte: whether it is one of ``characters``."""
    table = np.zeros(256, np.bool_)
    table[list(characters)] = True
    return table


_ESCAPES = table_of(b'"\\/bfnrtu')
_HEX = table_of(b"0123456789abcdefABCDEF")
_SURROGATE = table_of(b"89abcdefABCDEF")


@dataclass(frozen=True, slots=True, eq=False)
class Strings:
    """The strings of the lines that may be JSON objects.

    ``buffer`` is the payload, a newline and blanks. ``starts`` and ``ends`` bound every line
    (without newline and carriage return); ``lines`` are the numbers of those that may be objects,
    ``counts`` how many strings each has and ``firsts`` the number of its first one. String ``n``
    has its quotes at ``quotes[2 * n]`` and ``quotes[2 * n + 1]``.
    """

    data: bytes
    buffer: Bytes
    starts: Numbers
    ends: Numbers
    lines: Numbers
    counts: Numbers
    firsts: Numbers
    quotes: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class LineBounds:
    """Where the lines of a payload begin and end, without newline and carriage return."""

    starts: Numbers
    ends: Numbers


def bounds_of(payload: bytes) -> LineBounds | None:
    """The lines; None where one holds a control character or is longer than a record may be."""
    buffer = np.frombuffer(payload, np.uint8)
    found: list[Numbers] = []
    scratch = np.empty(_AT_ONCE, np.bool_)
    for start in range(0, len(buffer), _AT_ONCE):
        part = buffer[start : start + _AT_ONCE]
        flags = np.less(part, _SPACE, out=scratch[: len(part)])
        found.append((np.flatnonzero(flags) if len(part) % _WORD else _rare(flags)) + start)
    controls = np.concatenate(found)
    is_newline = buffer.take(controls) == _NEWLINE
    newlines = np.append(controls[is_newline], len(buffer))
    starts = np.concatenate((np.zeros(1, np.int64), newlines[:-1] + 1))
    ends = newlines
    if not is_newline.all():
        carriage = (buffer.take(newlines - 1, mode="clip") == _CARRIAGE) & (newlines > starts)
        if len(controls) - np.count_nonzero(is_newline) != np.count_nonzero(carriage):
            return None
        ends = newlines - carriage
    if len(payload) > RECORD_BYTES and (ends - starts).max() > RECORD_BYTES:
        return None
    return LineBounds(starts, ends)


def count_of(byte: int, payload: bytes | Bytes) -> int:
    """How often a byte occurs."""
    buffer = np.frombuffer(payload, np.uint8) if isinstance(payload, bytes) else payload
    scratch = np.empty(_AT_ONCE, np.bool_)
    count = 0
    for start in range(0, len(buffer), _AT_ONCE):
        part = buffer[start : start + _AT_ONCE]
        count += int(np.count_nonzero(np.equal(part, byte, out=scratch[: len(part)])))
    return count


def find_strings(payload: bytes) -> Strings:
    """Find the strings; lines with doubtful bytes are left to a slower and wiser reader."""
    blanks = _PADDING - (len(payload) + 1) % _WORD
    data = b"".join((payload, b"\n", b" " * blanks))
    buffer = np.frombuffer(data, np.uint8)
    controls = _rare(buffer < _SPACE)
    is_newline = buffer.take(controls) == _NEWLINE
    newlines = controls[is_newline]
    starts = np.concatenate((np.zeros(1, np.int64), newlines[:-1] + 1))
    carriage = (buffer.take(newlines - 1, mode="clip") == _CARRIAGE) & (newlines > starts)
    ends = newlines - carriage
    usable = (
        (ends - starts >= 2)
        & (ends - starts <= RECORD_BYTES)
        & (buffer.take(starts) == _OPEN)
        & (buffer.take(ends - 1, mode="clip") == _CLOSE)
    )
    if len(controls) > len(newlines) + np.count_nonzero(carriage):
        inside = np.setdiff1d(controls[~is_newline], ends[carriage], assume_unique=True)
        usable[np.searchsorted(newlines, inside)] = False
    quotes = _quotes(buffer, newlines, usable)
    counts = np.diff(np.searchsorted(quotes, newlines), prepend=0)
    usable &= (counts > 0) & (counts & 1 == 0)
    if not usable.all():
        quotes = quotes[np.repeat(usable, counts)]
    lines = np.flatnonzero(usable)
    strings = counts[lines] >> 1
    return Strings(
        data=data,
        buffer=buffer,
        starts=starts,
        ends=ends,
        lines=lines,
        counts=strings,
        firsts=np.cumsum(strings) - strings,
        quotes=quotes,
    )


def _rare(flags: Flags) -> Numbers:
    """Where ``flags`` (a multiple of eight of them) are set, when few are."""
    words = np.flatnonzero(flags.view(np.uint64) != 0)
    inside = np.flatnonzero(flags.reshape(-1, _WORD)[words])
    found: Numbers = words.take(inside >> 3) * _WORD + (inside & 7)
    return found


def _quotes(buffer: Bytes, newlines: Numbers, usable: Flags) -> Numbers:
    """The quotes that no backslash escapes; lines with unsound escapes are not ``usable``."""
    is_quote = buffer == _QUOTE
    slashes = np.flatnonzero(buffer == _SLASH)
    if len(slashes):
        places = _escaping(slashes)
        escaped = buffer.take(places + 1)
        is_quote[places[escaped == _QUOTE] + 1] = False
        unsound = ~_ESCAPES.take(escaped)
        units = np.flatnonzero(escaped == ord("u"))
        if len(units):
            unsound[units] = _unsound_units(buffer, places[units])
        if unsound.any():
            usable[np.searchsorted(newlines, places[unsound])] = False
    return np.flatnonzero(is_quote)


def _escaping(slashes: Numbers) -> Numbers:
    """The backslashes that begin an escape: not those that are escaped themselves."""
    follows = np.zeros(len(slashes), np.bool_)
    np.equal(slashes[1:], slashes[:-1] + 1, out=follows[1:])
    if not (follows[1:] & follows[:-1]).any():
        return slashes[~follows]
    # Three and more together: every other one escapes.
    index = np.arange(len(slashes))
    run = np.maximum.accumulate(np.where(follows, 0, index))
    every_other: Numbers = slashes[(index - run) & 1 == 0]
    return every_other


def _unsound_units(buffer: Bytes, places: Numbers) -> Flags:
    r"""Of ``\u`` escapes those that are no four digits, or half of a surrogate pair."""
    digits = [buffer.take(places + step, mode="clip") for step in (2, 3, 4, 5)]
    sound = np.logical_and.reduce([_HEX.take(digit) for digit in digits])
    half = ((digits[0] | 32) == ord("d")) & _SURROGATE.take(digits[1])
    unsound: Flags = ~sound | half
    return unsound
