"""Lets people's searches in a few at a time, each person some, so that what comes in never waits."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager

from tocsin.store.ports import StoreError
from tocsin.store.stop_signal import StopSignal

_MOST_WAITING_EACH = 40
_LOOK_S = 0.5

IsGone = Callable[[], Awaitable[bool]]
"""Tells whether who asked has closed the connection."""


class SearchesBusy(StoreError):
    """So much is searched for at once that this search was not begun; ask again later."""


class SearchTurns:
    """``at_once`` searches run, ``each`` of one person; the next is of whom the fewest run.

    Searches wait here, on the event loop, and not in the pool of threads, where the doors would
    have to wait behind them.
    """

    def __init__(self, at_once: int, each: int, wait_s: float, limit_s: float) -> None:
        """It waits up to ``wait_s`` for its turn and then runs up to ``limit_s``."""
        self._at_once = at_once
        self._each = each
        self._wait_s = wait_s
        self._limit_s = limit_s
        self._guard = threading.Lock()
        self._running: Counter[str] = Counter()
        self._waiting: list[tuple[str, Future[None]]] = []

    @asynccontextmanager
    async def turn(self, person: str, is_gone: IsGone) -> AsyncIterator[StopSignal]:
        """A turn to search, and what stops the search when its time is up or its asker gone.

        Raises ``SearchesBusy``.
        """
        gone = asyncio.create_task(_until_gone(is_gone))
        try:
            place = self._ask(person)
            try:
                await self._wait(place, gone)
                stop = StopSignal(
                    self._limit_s,
                    f"it took longer than {self._limit_s:g} s and was stopped; narrow the time "
                    "range or the filter, or run it as a job",
                )
                gone.add_done_callback(lambda _: stop.stop("nobody waits for it any more"))
                yield stop
            finally:
                self._leave(person, place)
        finally:
            gone.cancel()

    async def _wait(self, place: "Future[None]", gone: "asyncio.Task[None]") -> None:
        """Until it is the turn of ``place``."""
        turn = asyncio.wrap_future(place)
        await asyncio.wait({turn, gone}, timeout=self._wait_s, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise SearchesBusy("nobody waits for this search any more")
        if not turn.done():
            raise SearchesBusy(
                f"{self._at_once} searches run already ({self._each} of one person), and none "
                f"was over within {self._wait_s:g} s: ask again later, or run it as a job"
            )

    def _ask(self, person: str) -> "Future[None]":
        place: Future[None] = Future()
        with self._guard:
            if sum(name == person for name, _ in self._waiting) >= _MOST_WAITING_EACH:
                raise SearchesBusy(
                    f"{_MOST_WAITING_EACH} searches of yours wait already: let some be over first"
                )
            self._waiting.append((person, place))
            self._let_in()
        return place

    def _leave(self, person: str, place: "Future[None]") -> None:
        with self._guard:
            if place.done():
                self._running[person] -= 1
            else:
                self._waiting.remove((person, place))
            self._let_in()

    def _let_in(self) -> None:
        while self._running.total() < self._at_once:
            able = [one for one in self._waiting if self._running[one[0]] < self._each]
            if not able:
                return
            chosen = min(able, key=lambda one: self._running[one[0]])
            self._waiting.remove(chosen)
            self._running[chosen[0]] += 1
            chosen[1].set_result(None)


async def _until_gone(is_gone: IsGone) -> None:
    while not await is_gone():
        await asyncio.sleep(_LOOK_S)
