"""Columns as bytes: a JSON heading and the arrays as they are in memory, compressed."""

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from tocsin.detect.correlate.ordered_runs import Columns

_LENGTH = 4


def packed(columns: Columns, facts: object = None) -> bytes:
    """Little-endian columns and a JSON value in one piece."""
    arrays = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        for name, array in columns.items()
    }
    shapes = [[name, array.dtype.str, len(array)] for name, array in arrays.items()]
    heading = orjson.dumps({"columns": shapes, "facts": facts})
    body = b"".join([heading, *(array.tobytes() for array in arrays.values())])
    sizes = len(heading).to_bytes(_LENGTH, "little") + len(body).to_bytes(2 * _LENGTH, "little")
    return sizes + bytes(pa.compress(body, codec="lz4", asbytes=True))


def unpacked(content: bytes) -> tuple[dict[str, npt.NDArray[Any]], Any]:
    """What was packed. Raises ``ValueError`` when it is not such a piece."""
    heading_size = int.from_bytes(content[:_LENGTH], "little")
    body_size = int.from_bytes(content[_LENGTH : 3 * _LENGTH], "little")
    try:
        body = pa.decompress(content[3 * _LENGTH :], body_size, codec="lz4", asbytes=True)
        heading = orjson.loads(body[:heading_size])
        columns = {}
        at = heading_size
        for name, kind, count in heading["columns"]:
            columns[name] = np.frombuffer(body, np.dtype(kind), count, at)
            at += columns[name].nbytes
        return columns, heading["facts"]
    except (pa.ArrowException, OSError, KeyError, TypeError, orjson.JSONDecodeError) as error:
        raise ValueError(f"no piece of saved correlation state: {error}") from error
