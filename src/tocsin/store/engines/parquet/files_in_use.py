"""Files that are read now: who takes one away leaves it to its last reader, who merges waits."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_QUIET_S = 0.1
"""Nobody searches when nothing was read for so long: between two looks of a search is less."""


class FilesInUse:
    """The segment files that threads of this process read, each as often as it is read."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._unread = threading.Condition(self._guard)
        self._read_last = -_QUIET_S
        self._readers: Counter[Path] = Counter()
        self._leaving: set[Path] = set()

    @contextmanager
    def reading(self, paths: Iterable[Path]) -> Iterator[None]:
        """Nobody of this process takes these files away as long as this lasts."""
        mine = list(paths)
        with self._guard:
            self._readers.update(mine)
        try:
            yield
        finally:
            with self._guard:
                self._readers.subtract(mine)
                done = [path for path in mine if self._readers[path] <= 0]
                for path in done:
                    del self._readers[path]
                gone = self._leaving.intersection(done)
                self._leaving -= gone
                self._read_last = time.monotonic()
                if not self._readers:
                    self._unread.notify_all()
            for path in gone:
                remove(path)

    def known(self) -> int:
        """How many files are read now."""
        with self._guard:
            return len(self._readers)

    def wait_for_quiet(self, most_s: float) -> None:
        """Wait until nobody reads, nor has a moment ago; ``most_s`` at most."""
        until = time.monotonic() + most_s
        with self._unread:
            while (now := time.monotonic()) < until:
                quiet_in = most_s if self._readers else self._read_last + _QUIET_S - now
                if quiet_in <= 0:
                    return
                self._unread.wait(min(quiet_in, until - now))

    def remove(self, path: Path) -> None:
        """Remove a file: now, or when its last reader is done."""
        with self._guard:
            if path in self._readers:
                self._leaving.add(path)
                return
        remove(path)


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)
