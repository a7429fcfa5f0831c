"""Lets those who search go first, where work can wait."""

import time

from tocsin.store.engines.parquet.files_in_use import FilesInUse

_TIMES = 3
"""How many times longer than it worked one waits: so a quarter of a core is taken meanwhile."""
MOST_WAITED_S = 20.0
"""Waited in all: who searches without end finds ever more small segments to open."""


class Courtesy:
    """The pauses of one long work: it goes on at a quarter of its speed while somebody searches."""

    def __init__(self, in_use: FilesInUse, most_s: float = MOST_WAITED_S) -> None:
        """``most_s`` is waited in all, at most."""
        self._in_use = in_use
        self._left_s = most_s
        self._began = time.monotonic()

    def pause(self) -> None:
        """Wait for those who search, by what was worked since the last pause."""
        now = time.monotonic()
        self._in_use.wait_for_quiet(min(self._left_s, _TIMES * (now - self._began)))
        self._began = time.monotonic()
        self._left_s = max(0.0, self._left_s - (self._began - now))
