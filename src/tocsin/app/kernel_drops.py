"""Adds what the kernel drops of a listener to its ledger: nobody else would ever know of it."""

import threading
from datetime import datetime

from tocsin.ingest.ledger import SourceBook
from tocsin.store.ports import StateStore


class KernelDrops:
    """Follows one socket's counter, which begins at 0 with the socket; safe between threads."""

    def __init__(self, state: StateStore, sources: SourceBook, source: str) -> None:
        """``source`` is the ledger of the listener: the kernel does not tell whose they were."""
        self._state = state
        self._sources = sources
        self._source = source
        self._counted = 0
        self._looking = threading.Lock()

    def look(self, dropped: int | None, now: datetime) -> int:
        """Add what was dropped since the last look; ``dropped`` None: no kernel tells."""
        with self._looking:
            fresh = (dropped or 0) - self._counted
            if fresh > 0:
                with self._state.begin() as tx:
                    self._sources.add_dropped(tx, self._source, fresh, now)
                self._counted += fresh
            return max(0, fresh)
