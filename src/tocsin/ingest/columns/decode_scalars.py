"""Values beside strings in JSON lines: which of them mean what their template says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Flags, Numbers, table_of
from tocsin.model.shaped_records import CellKind

Offsets = npt.NDArray[np.int32]
# Exponents of three digits and hundreds of digits may overflow; minus nothing is 0 to one reader
# and -0.0 to another.
_NUMBER = r"(?:-?[1-9][0-9]{0,39}(?:\.[0-9]{1,40})?|-?0\.[0-9]{1,40}|0)(?:[eE][+-]?[0-9]{1,2})?"
_SOUND_NUMBER = f"^{_NUMBER}$"
_PLAIN = f"(?:{_NUMBER}|true|false|null)"
_SOUND_LIST = rf"^\[{_PLAIN}(?:, ?{_PLAIN})*\]$"
NOTHING = pa.array([], pa.string())
_ZERO = np.uint8(ord("0"))
_DIGITS = 10
_LONGEST_NUMBER = 40
_LONGEST_LIST = 2_000
FIRST_BYTES = {
    CellKind.NUMBER: table_of(b"-0123456789"),
    CellKind.TRUTH: table_of(b"tf"),
    CellKind.JSON: table_of(b"["),
}
"""By kind the bytes a value begins with."""


@dataclass(frozen=True, slots=True, eq=False)
class Scalars:
    """Where values of one kind begin and end (ascending), and the line each is in."""

    kind: CellKind
    begins: Numbers
    ends: Numbers
    lines: Numbers


def unsound_lines(data: bytes, scalars: Sequence[Scalars]) -> Numbers:
    """The lines with a value that is not certainly what it seems to be."""
    bad: list[Numbers] = []
    for kind in FIRST_BYTES:
        same = [one for one in scalars if one.kind is kind and len(one.begins)]
        if same:
            begins, ends, lines = (
                np.concatenate([getattr(one, name) for one in same])
                for name in ("begins", "ends", "lines")
            )
            order = np.argsort(begins)
            begins, ends = begins[order], ends[order]
            bad.append(lines[order[~are_sound(kind, slices_of(data, begins, ends))]])
    return np.concatenate(bad) if bad else np.zeros(0, np.int64)


def are_sound(kind: CellKind, texts: pa.StringArray) -> Flags:
    """Of each text whether it is certainly a value of that kind; ``texts`` is no slice."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[: len(texts) + 1]
    return _SOUND[kind](texts, offsets)


def _sound_numbers(texts: pa.StringArray, offsets: Offsets) -> Flags:
    """Whole numbers that begin with 1 to 9 and have no sign need no second look."""
    sizes = np.diff(offsets)
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)[: offsets[-1]]
    if sizes.min(initial=1) and (data - _ZERO < _DIGITS).all():
        sound = np.ones(len(texts), np.bool_)
    else:
        sound = pc.ascii_is_decimal(texts).to_numpy(zero_copy_only=False)
    if len(data):
        sound &= (data.take(offsets[:-1], mode="clip") != _ZERO) | (sizes == 1)
    rest = np.flatnonzero(~sound)
    if len(rest):
        others = texts.take(pa.array(rest))
        matches = pc.match_substring_regex(others, _SOUND_NUMBER)
        sound[rest] = matches.to_numpy(zero_copy_only=False)
    sound &= sizes <= _LONGEST_NUMBER
    return sound


def _sound_truths(texts: pa.StringArray, offsets: Offsets) -> Flags:
    sound: Flags = pc.is_in(texts, pa.array(["true", "false"])).to_numpy(zero_copy_only=False)
    return sound


def _sound_lists(texts: pa.StringArray, offsets: Offsets) -> Flags:
    sound: Flags = pc.match_substring_regex(texts, _SOUND_LIST).to_numpy(zero_copy_only=False)
    return sound & (np.diff(offsets) <= _LONGEST_LIST)


_SOUND = {
    CellKind.NUMBER: _sound_numbers,
    CellKind.TRUTH: _sound_truths,
    CellKind.JSON: _sound_lists,
}


def interleaved(
    data: bytes | pa.Buffer, begins: Numbers | Offsets, ends: Numbers | Offsets
) -> pa.StringArray:
    """An array over ``data`` whose elements 0, 2, 4 … are the given slices (ascending)."""
    offsets = np.empty(2 * len(begins), np.int32)
    offsets[0::2] = begins
    offsets[1::2] = ends
    length = max(len(offsets) - 1, 0)
    if not length:
        return pa.array([], pa.string())
    return pa.StringArray.from_buffers(length, pa.py_buffer(offsets), pa.py_buffer(data))


def inner_texts(texts: pa.StringArray, before: bytes, after: bytes) -> pa.StringArray | None:
    """What stands between ``before`` and ``after`` in each text; None where these are missing."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[: len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)[: offsets[-1]]
    begins, ends = offsets[:-1] + np.int32(len(before)), offsets[1:] - np.int32(len(after))
    if (begins >= ends).any():
        return None
    for at, text in ((offsets[:-1], before), (ends, after)):
        for step, byte in enumerate(text):
            if (data.take(at + step) != byte).any():
                return None
    is_digit = data - _ZERO < _DIGITS
    around = len(before) + len(after)
    if np.count_nonzero(is_digit) != len(data) - len(texts) * around:
        return slices_of(texts.buffers()[2], begins, ends)
    shorter = offsets - np.arange(len(offsets), dtype=np.int32) * np.int32(around)
    buffers = pa.py_buffer(shorter), pa.py_buffer(data[is_digit])
    return pa.StringArray.from_buffers(len(texts), *buffers)


def slices_of(
    data: bytes | pa.Buffer, begins: Numbers | Offsets, ends: Numbers | Offsets
) -> pa.StringArray:
    """The given slices (ascending) of ``data``."""
    return interleaved(data, begins, ends).take(pa.array(np.arange(len(begins)) * 2))
