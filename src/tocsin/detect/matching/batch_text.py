"""All text of a batch in one buffer: the cheap question whether a keyword can be anywhere in it."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.rules.value_text import text_of

MOST_ROWS = 4096
"""Larger batches are better looked through by their distinct values."""
_LAST_ASCII = 0x7F
_MOST_ODD = 16
"""Letters beyond ASCII that are replaced one by one."""
NUMBER_CHARACTERS = frozenset(b"0123456789+-.einfatrusl:tz ")
"""What the folded text of a number, a truth value or a time is made of."""


def folded_text(native: pa.RecordBatch, *, numbers: bool) -> bytes:
    """Every value's folded text, one after the other (what stands between them is no matter).

    Without ``numbers``, those and truth values are left out.
    """
    return _folded(
        b"\n".join(part for column in native.columns for part in _parts(column, numbers))
    )


def _folded(text: bytes) -> bytes:
    """``str.casefold`` of UTF-8; folding all of a long text for a few letters takes 20 times as long."""
    if text.isascii():
        return text.lower()
    data = np.frombuffer(text, np.uint8)
    odd = {letter for letter in set(data[data > _LAST_ASCII].tobytes().decode()) if _folds(letter)}
    if len(odd) > _MOST_ODD:
        return text.decode().casefold().encode()
    folded = text.lower()
    for letter in odd:
        folded = folded.replace(letter.encode(), letter.casefold().encode())
    return folded


def _folds(letter: str) -> bool:
    return letter.casefold() != letter


def _parts(array: pa.Array, numbers: bool) -> Iterator[bytes]:
    kind = array.type
    if pa.types.is_string(kind):
        yield _characters(array)
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        if numbers:
            yield _characters(array.cast(pa.string()))
    elif pa.types.is_dictionary(kind):
        yield from _parts(array.dictionary, numbers)
    elif pa.types.is_struct(kind):
        for index in range(kind.num_fields):
            yield from _parts(pc.struct_field(array, [index]), numbers)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _parts(pc.list_flatten(array), numbers)
    else:
        for value in array.to_pylist():
            yield from _texts(value)


def _characters(array: pa.Array) -> bytes:
    """The characters of a string array, null ones included if any are kept."""
    offsets, characters = array.buffers()[1:]
    if characters is None or not len(array):
        return b""
    ends = memoryview(offsets).cast("i")
    found: bytes = characters[ends[array.offset] : ends[array.offset + len(array)]].to_pybytes()
    return found


def _texts(value: object) -> Iterator[bytes]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    else:
        text = text_of(value)
        if text is not None:
            yield text.encode()
