"""Files that are read now: who takes one away leaves it to its last reader."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class FilesInUse:
    """The segment files that threads of this process read, each as often as it is read."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
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
            for path in gone:
                remove(path)

    def known(self) -> int:
        """How many files are read now."""
        with self._guard:
            return len(self._readers)

    def remove(self, path: Path) -> None:
        """Remove a file: now, or when its last reader is done."""
        with self._guard:
            if path in self._readers:
                self._leaving.add(path)
                return
        remove(path)


def remove(path: Path) -> None:
    path.unlink(missing_ok=True)
