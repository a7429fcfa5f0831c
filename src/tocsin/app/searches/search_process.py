"""Answers what could take the house down with it, in processes of their own that can be ended."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from tocsin.app.searches.search_turns import SearchesBusy
from tocsin.app.searches.search_worker import Asked
from tocsin.store.ports import QueryError, StoreError
from tocsin.store.stop_signal import StopSignal

_POLL_S = 0.1
_IDLE_S = 60.0


class SearchProcesses:
    """At most ``most`` processes at once, each with ``memory_mb`` for its queries.

    One that has answered waits a minute for more to do; one that is told to stop is killed, as
    there are functions that no database interrupts.
    """

    def __init__(self, home: Path, *, most: int, memory_mb: int, wait_s: float) -> None:
        self._home = home
        self._memory_mb = memory_mb
        self._most = most
        self._wait_s = wait_s
        self._places = threading.BoundedSemaphore(most)
        self._guard = threading.Lock()
        self._idle: list[_Process] = []
        self._working: set[_Process] = set()
        self._is_closed = False
        self._timer = threading.Timer(_IDLE_S, self._end_idle)

    def parts(self, asked: Asked, stop: StopSignal) -> Iterator[Any]:
        """What ``asked`` sends, as it comes.

        Raises ``QueryStopped``, ``SearchesBusy``, and what its run raises of the store.
        """
        self._take_place(stop)
        try:
            process = self._taken()
            try:
                yield from process.answer(asked, stop)
            finally:
                self._give_back(process)
        finally:
            self._places.release()

    def warm(self) -> None:
        """Have a process ready for somebody who is about to ask."""
        with self._guard:
            is_there = self._is_closed or self._idle or self._working
        if not is_there and self._places.acquire(blocking=False):
            try:
                self._give_back(self._taken())
            finally:
                self._places.release()

    def close(self) -> None:
        """End every process."""
        with self._guard:
            self._is_closed = True
            ended = [*self._idle, *self._working]
            self._idle = []
            self._timer.cancel()
        for one in ended:
            one.kill()
        if self._timer.is_alive():
            self._timer.join()

    def _take_place(self, stop: StopSignal) -> None:
        until = time.monotonic() + self._wait_s
        while not self._places.acquire(timeout=_POLL_S):
            stop.check()
            if time.monotonic() > until:
                raise SearchesBusy(
                    f"{self._most} of this kind run already and none was over within "
                    f"{self._wait_s:g} s: ask again later"
                )

    def _taken(self) -> "_Process":
        with self._guard:
            if self._is_closed:
                raise StoreError("the server stops; ask again when it is back")
            while self._idle:
                process = self._idle.pop()
                if process.is_alive:
                    self._working.add(process)
                    return process
        process = _Process(self._home, self._memory_mb)
        with self._guard:
            self._working.add(process)
        return process

    def _give_back(self, process: "_Process") -> None:
        with self._guard:
            self._working.discard(process)
            is_kept = process.is_free and process.is_alive and not self._is_closed
            if is_kept:
                process.idle_since = time.monotonic()
                self._idle.append(process)
        if not is_kept:
            process.kill()
            return
        timer = threading.Timer(_IDLE_S, self._end_idle)
        timer.daemon = True
        with self._guard:
            self._timer.cancel()
            self._timer = timer
            if not self._is_closed:
                timer.start()

    def _end_idle(self) -> None:
        with self._guard:
            now = time.monotonic()
            old = [one for one in self._idle if now - one.idle_since >= _IDLE_S]
            self._idle = [one for one in self._idle if one not in old]
        for one in old:
            one.kill()


class _Process:
    """One process and the pipe to it."""

    def __init__(self, home: Path, memory_mb: int) -> None:
        self._pipe, theirs = Pipe()
        self._memory_mb = memory_mb
        told = (str(theirs.fileno()), str(home), str(memory_mb))
        self._process = subprocess.Popen(  # noqa: S603 -- a fixed argument list, no shell
            [sys.executable, "-m", "tocsin.app.searches.search_worker", *told],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self.is_free = True
        self.idle_since = 0.0

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def answer(self, asked: Asked, stop: StopSignal) -> Iterator[Any]:
        self.is_free = False
        try:
            self._pipe.send(asked)
            while True:
                while not self._pipe.poll(_POLL_S):
                    stop.check()
                kind, value = self._pipe.recv()
                if kind == "part":
                    yield value
                    continue
                self.is_free = True
                if kind == "error":
                    raise value
                return
        except (EOFError, OSError):
            stop.check()
            raise QueryError(
                f"it needed more memory than it may have ({self._memory_mb} MB) or broke its "
                "process; ask for less at once: fewer groups, shorter texts, a narrower range"
            ) from None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._pipe.close()
