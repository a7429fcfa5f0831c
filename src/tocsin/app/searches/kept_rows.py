"""Rows of an answer kept packed in memory, up to a number of bytes, to be read by pages."""

import threading
import zlib
from collections.abc import Sequence
from typing import Any

import orjson

_CHUNK_ROWS = 100


class KeptRows:
    """JSON-able rows in the order they came; one thread adds, others read."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._guard = threading.Lock()
        self._chunks: list[tuple[int, bytes]] = []
        self.count = 0
        self.size_bytes = 0

    def add(self, rows: Sequence[Any]) -> bool:
        """Keep rows as long as there is room; False when one or more are left out."""
        for at in range(0, len(rows), _CHUNK_ROWS):
            chunk = list(rows[at : at + _CHUNK_ROWS])
            packed = zlib.compress(orjson.dumps(chunk), 1)
            if self.size_bytes + len(packed) > self._limit_bytes:
                return False
            with self._guard:
                self._chunks.append((self.count, packed))
                self.count += len(chunk)
                self.size_bytes += len(packed)
        return True

    def page(self, offset: int, size: int) -> list[Any]:
        """``size`` rows from ``offset`` (0-based) on; fewer at the end."""
        with self._guard:
            chunks = [
                one
                for one in self._chunks
                if one[0] < offset + size and one[0] + _CHUNK_ROWS > offset
            ]
        rows: list[Any] = []
        for first, packed in chunks:
            chunk = orjson.loads(zlib.decompress(packed))
            rows += chunk[max(0, offset - first) : max(0, offset + size - first)]
        return rows
