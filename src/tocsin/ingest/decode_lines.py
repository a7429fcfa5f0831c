"""Where lines, strings and escapes are in a payload of JSON lines, for all lines at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tocsin.ingest.limits import RECORD_BYTES

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
PADDING = bytes(64)
_NEWLINE, _CARRIAGE, _QUOTE, _SLASH, _OPEN, _CLOSE = b'\n\r"\\{}'
_NOT_IN_TEXT = 32


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

    ``buffer`` is the payload, a newline and padding. ``starts`` and ``ends`` bound every line
    (without newline and carriage return); ``lines`` are the numbers of those that may be objects,
    ``counts`` how many strings each has and ``firsts`` the number of its first one. String ``n``
    has its quotes at ``opens[n]`` and ``closes[n]``.
    """

    data: bytes
    buffer: Bytes
    starts: Numbers
    ends: Numbers
    lines: Numbers
    counts: Numbers
    firsts: Numbers
    opens: Numbers
    closes: Numbers


def find_strings(payload: bytes) -> Strings:
    """Find the strings; lines with doubtful bytes are left to a slower and wiser reader."""
    size = len(payload) + 1
    data = b"".join((payload, b"\n", PADDING))
    buffer = np.frombuffer(data, np.uint8)
    body = buffer[:size]
    marks = np.flatnonzero((body == _QUOTE) | (body == _SLASH) | (body == _NEWLINE))
    kinds = buffer.take(marks)
    newlines = marks[kinds == _NEWLINE]
    starts = np.concatenate((np.zeros(1, np.int64), newlines[:-1] + 1))
    carriage = (buffer.take(newlines - 1, mode="clip") == _CARRIAGE) & (newlines > starts)
    ends = newlines - carriage
    usable = (
        (ends - starts >= 2)
        & (ends - starts <= RECORD_BYTES)
        & (buffer.take(starts) == _OPEN)
        & (buffer.take(ends - 1, mode="clip") == _CLOSE)
    )
    _leave_out_controls(body, newlines, ends, carriage, usable)
    _leave_out_escapes(buffer, marks, kinds, newlines, usable)
    quotes = marks[kinds == _QUOTE]
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
        opens=quotes[0::2],
        closes=quotes[1::2],
    )


def _leave_out_controls(
    body: Bytes, newlines: Numbers, ends: Numbers, carriage: Flags, usable: Flags
) -> None:
    """Lines with control characters are not JSON by the letter."""
    controls = body < _NOT_IN_TEXT
    if np.count_nonzero(controls) == len(newlines) + np.count_nonzero(carriage):
        return
    controls[newlines] = False
    controls[ends[carriage]] = False
    usable[np.searchsorted(newlines, np.flatnonzero(controls))] = False


def _leave_out_escapes(
    buffer: Bytes, marks: Numbers, kinds: Bytes, newlines: Numbers, usable: Flags
) -> None:
    """Takes escaped quotes out of ``kinds``; lines with unsound escapes are not usable."""
    slash_at = np.flatnonzero(kinds == _SLASH)
    if not len(slash_at):
        return
    slashes = marks.take(slash_at)
    follows = np.zeros(len(slashes), np.bool_)
    np.equal(np.diff(slashes), 1, out=follows[1:])
    escapes = ~follows
    if (follows[1:] & follows[:-1]).any():  # three and more together: every other one escapes
        index = np.arange(len(slashes))
        run = np.maximum.accumulate(np.where(follows, 0, index))
        escapes = (index - run) & 1 == 0
    places = slashes[escapes]
    escaped = buffer.take(places + 1)
    kinds[slash_at[escapes][escaped == _QUOTE] + 1] = 0
    unsound = ~_ESCAPES.take(escaped)
    units = np.flatnonzero(escaped == ord("u"))
    if len(units):
        at = places[units]
        digits = [buffer.take(at + step, mode="clip") for step in (2, 3, 4, 5)]
        sound = np.logical_and.reduce([_HEX.take(digit) for digit in digits])
        half = ((digits[0] | 32) == ord("d")) & _SURROGATE.take(digits[1])
        unsound[units] = ~sound | half
    if unsound.any():
        usable[np.searchsorted(newlines, places[unsound])] = False
