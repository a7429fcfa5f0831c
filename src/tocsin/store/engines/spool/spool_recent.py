"""The entries of a spool that were appended last, for whoever reads them soon."""

import threading
from collections import OrderedDict

from tocsin.model.record import RawBatch
from tocsin.store.ports import SpoolEntry

RECENT_BYTES = 128 << 20


class RecentEntries:
    """What was written is kept until it is committed, so that it need not be read back.

    Safe between threads. When more than ``limit_bytes`` of payload wait the oldest are forgotten:
    they are on the disk.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[int, SpoolEntry] = OrderedDict()
        self._bytes = 0

    def add(self, start: int, end: int, batch: RawBatch) -> None:
        """Keep the entry written from ``start`` to ``end``, behind all others."""
        with self._lock:
            self._entries[start] = SpoolEntry(end, batch)
            self._bytes += len(batch.payload)
            while self._bytes > self._limit_bytes:
                self._forget(next(iter(self._entries)))

    def get(self, start: int) -> SpoolEntry | None:
        """The entry that begins at ``start``."""
        with self._lock:
            return self._entries.get(start)

    def forget_before(self, position: int) -> None:
        """Forget what ends at ``position`` or before it."""
        with self._lock:
            while self._entries:
                start, entry = next(iter(self._entries.items()))
                if entry.position > position:
                    return
                self._forget(start)

    def forget_behind(self, position: int) -> None:
        """Forget what begins at ``position`` or behind it: it was not kept."""
        with self._lock:
            while self._entries and (start := next(reversed(self._entries))) >= position:
                self._forget(start)

    def _forget(self, start: int) -> None:
        self._bytes -= len(self._entries.pop(start).batch.payload)
