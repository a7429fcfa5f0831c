"""Whose turn it is to write to a state store: one transaction at a time, one for each thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tocsin.store.ports import StoreError


class WritersTurn:
    """The writers of one process, one after the other."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._writing_thread: int | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn and hold it; raises StoreError in a thread that holds it already."""
        me = threading.get_ident()
        if self._writing_thread == me:
            raise StoreError(
                "this thread already holds a write transaction on the state store; "
                "pass its connection on instead of beginning another"
            )
        with self._turn:
            self._writing_thread = me
            try:
                yield
            finally:
                self._writing_thread = None
