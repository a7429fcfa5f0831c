"""Lets one process at a time do a thing to a folder; the lock ends with the process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.store.ports import StoreError


class Busy(StoreError):
    """Another process does it at this moment."""


@contextmanager
def alone(lock: Path, busy: str) -> Iterator[None]:
    """Hold the file ``lock``; raises Busy, saying ``busy``, when another holds it."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise Busy(busy) from None
    try:
        yield
    finally:
        os.close(handle)
