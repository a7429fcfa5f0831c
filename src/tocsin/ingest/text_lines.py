"""Where the lines of a payload of text are, and which of them are plain enough for columns."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.ingest.decode_lines import Bytes, Flags, Numbers
from tocsin.ingest.decode_scalars import slices_of
from tocsin.ingest.limits import RECORD_BYTES

_NEWLINE, _CARRIAGE, _SLASH, _OPEN, _BLANK = b"\n\r\\{ "
_FIRST_PLAIN, _PLAIN = np.uint8(ord(" ")), np.uint8(ord("~") - ord(" "))


@dataclass(frozen=True, slots=True, eq=False)
class TextLines:
    """The lines of a payload: ``ends`` without carriage return, ``newlines`` with it.

    ``plain`` are the numbers of those that are not empty, hold nothing but ASCII that can be
    printed, and do not begin with a blank or as a JSON object does.
    """

    payload: bytes
    starts: Numbers
    ends: Numbers
    newlines: Numbers
    plain: Numbers

    def texts(self, lines: Numbers, begins: Numbers) -> pa.StringArray:
        """What stands in the given lines from ``begins`` on."""
        return slices_of(self.payload, begins, self.ends[lines])


def find_lines(payload: bytes, *, is_escaped: bool) -> TextLines:
    """The lines of ``payload``; with ``is_escaped`` none that holds a backslash is plain."""
    buffer = np.frombuffer(payload, np.uint8)
    odd = np.flatnonzero(buffer - _FIRST_PLAIN > _PLAIN)
    is_newline = buffer.take(odd) == _NEWLINE
    newlines = np.append(odd[is_newline], len(buffer))
    starts = np.concatenate((np.zeros(1, np.int64), newlines[:-1] + 1))
    carriage = (buffer.take(newlines - 1, mode="clip") == _CARRIAGE) & (newlines > starts)
    ends = newlines - carriage
    is_plain = _begins_plainly(buffer, starts) & (ends > starts) & (ends - starts <= RECORD_BYTES)
    doubtful = odd[~is_newline]
    if len(doubtful) > np.count_nonzero(carriage):
        inside = np.setdiff1d(doubtful, ends[carriage], assume_unique=True)
        is_plain[np.searchsorted(newlines, inside)] = False
    if is_escaped and b"\\" in payload:
        is_plain[np.searchsorted(newlines, np.flatnonzero(buffer == _SLASH))] = False
    return TextLines(payload, starts, ends, newlines, np.flatnonzero(is_plain))


def _begins_plainly(buffer: Bytes, starts: Numbers) -> Flags:
    first = buffer.take(starts, mode="clip")
    plainly: Flags = (first != _BLANK) & (first != _OPEN)
    return plainly
