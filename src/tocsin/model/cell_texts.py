"""The texts of cells as the values they stand for, many at once."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.model.shaped_records import CellKind

_SLASH = ord("\\")


def unescaped(texts: pa.StringArray) -> pa.StringArray:
    """JSON strings without quotes as the text they stand for."""
    if not _has_slash(texts):
        return texts
    coded = texts.dictionary_encode()
    values = pa.array(loaded(coded.dictionary, CellKind.TEXT), pa.string())
    return values.take(coded.indices)


def loaded(texts: pa.StringArray, kind: CellKind) -> list[Any]:
    """The JSON values of a column without nulls, read in one go."""
    if not len(texts):
        return []
    between, around = (b'","', b'"') if kind is CellKind.TEXT else (b",", b"")
    as_bytes = texts.cast(pa.binary())
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], as_bytes), between)[0].as_py()
    return list(orjson.loads(b"".join((b"[", around, whole, around, b"]"))))


def _has_slash(texts: pa.StringArray) -> bool:
    data = texts.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) == _SLASH).any())
