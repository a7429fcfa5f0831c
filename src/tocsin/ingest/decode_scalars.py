"""Values beside strings in JSON lines: which of them mean what their template says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.decode_lines import Bytes, Flags, Numbers, table_of
from tocsin.model.shaped_records import CellKind

# Exponents of three digits may overflow; minus nothing is 0 to one reader and -0.0 to another.
_NUMBER = r"(?:-?[1-9][0-9]*(?:\.[0-9]+)?|-?0\.[0-9]+|0)(?:[eE][+-]?[0-9]{1,2})?"
_SOUND_NUMBER = f"^{_NUMBER}$"
_PLAIN = f"(?:{_NUMBER}|true|false|null)"
_SOUND_LIST = rf"^\[{_PLAIN}(?:, ?{_PLAIN})*\]$"
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


def unsound_lines(data: bytes, buffer: Bytes, scalars: Sequence[Scalars]) -> Numbers:
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
            bad.append(lines[order[~_SOUND[kind](data, buffer, begins, ends)]])
    return np.concatenate(bad) if bad else np.zeros(0, np.int64)


def _sound_numbers(data: bytes, buffer: Bytes, begins: Numbers, ends: Numbers) -> Flags:
    """Whole numbers that begin with 1 to 9 and have no sign need no second look."""
    texts = slices_of(data, begins, ends)
    sound: Flags = pc.ascii_is_decimal(texts).to_numpy(zero_copy_only=False)
    sizes = ends - begins
    sound &= (buffer.take(begins) != ord("0")) | (sizes == 1)
    rest = np.flatnonzero(~sound)
    if len(rest):
        others = texts.take(pa.array(rest))
        matches = pc.match_substring_regex(others, _SOUND_NUMBER)
        sound[rest] = matches.to_numpy(zero_copy_only=False)
    sound &= sizes <= _LONGEST_NUMBER
    return sound


def _sound_truths(data: bytes, buffer: Bytes, begins: Numbers, ends: Numbers) -> Flags:
    texts = slices_of(data, begins, ends)
    sound: Flags = pc.is_in(texts, pa.array(["true", "false"])).to_numpy(zero_copy_only=False)
    return sound


def _sound_lists(data: bytes, buffer: Bytes, begins: Numbers, ends: Numbers) -> Flags:
    texts = slices_of(data, begins, ends)
    sound: Flags = pc.match_substring_regex(texts, _SOUND_LIST).to_numpy(zero_copy_only=False)
    return sound & (ends - begins <= _LONGEST_LIST)


_SOUND = {
    CellKind.NUMBER: _sound_numbers,
    CellKind.TRUTH: _sound_truths,
    CellKind.JSON: _sound_lists,
}


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
