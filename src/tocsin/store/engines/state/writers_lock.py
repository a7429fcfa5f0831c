"""Says whether any other process may be writing in a folder."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WritersLock:
    """Writers hold it together; who cleans up must be the only one. Released when they die."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._handle: int | None = None

    def join(self) -> None:
        """Be known as a writer until ``close``; who is known does not wait for who cleans up."""
        if self._handle is not None:
            return
        with self._guard:
            if self._handle is None:
                self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
                fcntl.flock(self._handle, fcntl.LOCK_SH)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """True while no other process writes; others that want to begin wait."""
        self.join()
        with self._guard:
            handle = self._handle
            if handle is None:
                yield False
                return
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_alone = True
            except OSError:
                is_alone = False
            try:
                yield is_alone
            finally:
                fcntl.flock(handle, fcntl.LOCK_SH)

    def close(self) -> None:
        with self._guard:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
