"""Where the lines of a payload of text are, and which of them are plain enough for columns."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tocsin.ingest.columns.decode_lines import Flags, Numbers
from tocsin.ingest.columns.decode_scalars import slices_of
from tocsin.ingest.limits import RECORD_BYTES

_NEWLINE, _CARRIAGE, _OPEN, _BLANK, _TAB, _DELETE = b"\n\r{ \t\x7f"
_FIRST_PLAIN, _PLAIN = np.uint8(ord(" ")), np.uint8(ord("~") - ord(" "))
_BEYOND_ASCII = 0x80


@dataclass(frozen=True, slots=True, eq=False)
class TextLines:
    """The lines of a payload: ``ends`` without carriage return, ``newlines`` with it.

    ``plain`` are the numbers of those that are not empty, begin with a letter or sign of ASCII
    and hold no control character but tabs; ``is_mixed`` flags, by number, lines with a tab or
    with letters beyond ASCII. ``objects`` are the others that begin as JSON objects do.
    """

    payload: bytes
    starts: Numbers
    ends: Numbers
    newlines: Numbers
    plain: Numbers
    objects: Numbers
    is_mixed: Flags

    def texts(self, lines: Numbers, begins: Numbers) -> pa.StringArray:
        """What stands in the given lines from ``begins`` on."""
        return slices_of(self.payload, begins, self.ends[lines])


def find_lines(payload: bytes, apart: Collection[int] = ()) -> TextLines:
    """The lines of ``payload``; none of those whose numbers are ``apart`` is plain."""
    buffer = np.frombuffer(payload, np.uint8)
    odd = np.flatnonzero(buffer - _FIRST_PLAIN > _PLAIN)
    is_newline = buffer.take(odd) == _NEWLINE
    newlines = np.append(odd[is_newline], len(buffer))
    starts = np.concatenate((np.zeros(1, np.int64), newlines[:-1] + 1))
    carriage = (buffer.take(newlines - 1, mode="clip") == _CARRIAGE) & (newlines > starts)
    ends = newlines - carriage
    first = buffer.take(starts, mode="clip")
    is_plain = (ends > starts) & (ends - starts <= RECORD_BYTES)
    is_plain &= first - _FIRST_PLAIN - 1 < _PLAIN
    is_mixed = np.zeros(len(starts), np.bool_)
    doubtful = odd[~is_newline]
    if len(doubtful) > np.count_nonzero(carriage):
        inside = np.setdiff1d(doubtful, ends[carriage], assume_unique=True)
        kinds = buffer.take(inside)
        is_hard = ((kinds < _FIRST_PLAIN) & (kinds != _TAB)) | (kinds == _DELETE)
        is_far = kinds >= _BEYOND_ASCII
        if is_far.any() and not _is_utf8(payload):
            is_hard |= is_far
        of = np.searchsorted(newlines, inside)
        is_mixed[of] = True
        is_plain[of[is_hard]] = False
    is_plain[list(apart)] = False
    is_object = first == _OPEN
    return TextLines(
        *(payload, starts, ends, newlines),
        np.flatnonzero(is_plain & ~is_object),
        np.flatnonzero(is_plain & is_object),
        is_mixed,
    )


def _is_utf8(payload: bytes) -> bool:
    whole = slices_of(payload, np.zeros(1, np.int64), np.array([len(payload)], np.int64))
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
