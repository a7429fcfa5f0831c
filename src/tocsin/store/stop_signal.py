"""Ends a running query from another thread: a person cancels, a browser closes, time is up."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tocsin.store.errors import QueryStopped

_INSIST_S = 0.05


class StopSignal:
    """One search's way to be stopped, for all the queries it takes.

    After ``limit_s`` (None: never) it is stopped with ``late``. What runs puts ``interrupting``
    around itself and ``check`` before; both raise ``QueryStopped`` with the reason.
    """

    def __init__(self, limit_s: float | None = None, late: str = "") -> None:
        self._deadline: float | None = None
        self._late = ""
        self._guard = threading.Lock()
        self._reason = ""
        self._interrupts: dict[int, Callable[[], None]] = {}
        if limit_s is not None:
            self.limit(limit_s, late)

    def limit(self, limit_s: float, late: str = "") -> None:
        """Give it so long from now on."""
        self._deadline = time.monotonic() + limit_s
        self._late = late or f"it took longer than {limit_s:g} s and was stopped"

    @property
    def reason(self) -> str:
        """Why it was stopped; empty while it may go on."""
        if not self._reason and self._deadline is not None and time.monotonic() > self._deadline:
            return self._late
        return self._reason

    def check(self) -> None:
        if reason := self.reason:
            raise QueryStopped(reason)

    def stop(self, reason: str = "it was cancelled") -> None:
        """End what runs; the first reason counts."""
        with self._guard:
            is_first, self._reason = not self._reason, self._reason or reason
            is_running = bool(self._interrupts)
        if is_first and is_running:
            threading.Thread(target=self._insist, name="stop-query", daemon=True).start()

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """``interrupt`` is called, from another thread, when what is within must end."""
        key = object()
        with self._guard:
            self.check()
            self._interrupts[id(key)] = interrupt
        timer = self._timer()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
            with self._guard:
                del self._interrupts[id(key)]

    def _timer(self) -> threading.Timer | None:
        if self._deadline is None:
            return None
        timer = threading.Timer(
            max(0.0, self._deadline - time.monotonic()), self.stop, args=(self._late,)
        )
        timer.daemon = True
        timer.start()
        return timer

    def _insist(self) -> None:
        """Interrupt until nothing runs: an engine forgets what it is told before it begins."""
        while True:
            with self._guard:
                if not self._interrupts:
                    return
                for interrupt in self._interrupts.values():
                    interrupt()
            time.sleep(_INSIST_S)
