"""Columns of text: sizes, first bytes, and which of them an expression finds."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Bytes, Flags, Numbers
from tocsin.ingest.columns.decode_scalars import slices_of

Column: TypeAlias = pa.StringArray
_LONGEST_NUMBER = 18
_ZERO, _DIGITS = np.uint8(ord("0")), 10


def flags_of(array: pa.Array) -> Flags:
    """A column of truth values as an array of them."""
    return np.asarray(array.to_numpy(zero_copy_only=False))


def matches(texts: Column, expression: str) -> Flags:
    """In which texts an expression is found."""
    return flags_of(pc.match_substring_regex(texts, expression))


def are_plain_numbers(digits: Column) -> Flags:
    """Which of some columns of digits are numbers as JSON writes them, of 64 bits."""
    sizes = sizes_of(digits)
    plain: Flags = (sizes <= _LONGEST_NUMBER) & ((first_bytes(digits) != _ZERO) | (sizes == 1))
    return plain


def parts_of(texts: Column) -> tuple[Numbers, Bytes]:
    """Offsets and bytes of a column."""
    first = texts.offset
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[first : first + len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)
    return offsets.astype(np.int64), data


def sizes_of(texts: Column) -> Numbers:
    """How many bytes each text has."""
    return np.diff(parts_of(texts)[0])


def slices_from(texts: Column, begins: Numbers) -> Column:
    """What is left of each text from a place in it on."""
    offsets, _ = parts_of(texts)
    return slices_of(texts.buffers()[2] or b"", offsets[:-1] + begins, offsets[1:])


def begin_with_digit(texts: Column) -> Flags:
    """Which texts begin with one."""
    digits: Flags = first_bytes(texts) - _ZERO < _DIGITS
    return digits


def first_bytes(texts: Column) -> Bytes:
    """The first byte of each text; of an empty one some other."""
    offsets, data = parts_of(texts)
    if not len(data):
        return np.zeros(len(texts), np.uint8)
    return data.take(offsets[:-1], mode="clip")


def judged(texts: Column, judge: Callable[[str], bool]) -> Flags:
    """What ``judge`` says of each text, asked once for each distinct one."""
    coded = texts.dictionary_encode()
    verdicts = np.array([judge(text) for text in coded.dictionary.to_pylist()], np.bool_)
    judged: Flags = verdicts.take(coded.indices.to_numpy())
    return judged
