"""How much of the stream's time expressions without a bound of their own may take."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from tocsin.detect.rules.expression import Searcher

_BURST_S = 1.0
"""Processor time an expression may take at once."""
_SHARE = 0.02
"""Of all time, what it may take in the long run."""
_RESUME_S = 0.5

_log = structlog.get_logger()


@dataclass(slots=True)
class _Account:
    left_s: float
    counted_at: float
    paused: bool = False


class Patience:
    """Searches for such expressions as long as they stay within their share of time.

    A value that takes too long is given up: it counts as not matching. An expression that has
    used up its time is paused, aloud, until it has earned some again; values of that time are
    asked about later, when they come again. ``given_up`` counts both by expression.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._accounts: dict[str, _Account] = {}
        self._given_up: Counter[str] = Counter()

    @property
    def given_up(self) -> Mapping[str, int]:
        """Values not searched to the end, by expression."""
        return self._given_up

    @property
    def paused(self) -> frozenset[str]:
        """Expressions not searched for at present; one that has earned enough is so no more."""
        known = list(self._accounts.items())
        return frozenset(
            pattern for pattern, one in known if one.paused and self._account(pattern).paused
        )

    def found_in(self, searcher: Searcher, text: str) -> bool | None:
        """Whether the expression is found; None when it is paused: nobody knows."""
        account = self._account(searcher.pattern)
        if account.paused:
            self._given_up[searcher.pattern] += 1
            return None
        began = time.thread_time()
        try:
            return searcher.found_in(text)
        except TimeoutError:
            self._given_up[searcher.pattern] += 1
            return False
        finally:
            account.left_s -= time.thread_time() - began
            if account.left_s <= 0:
                account.paused = True
                self._tell("expression paused: it takes too long", searcher.pattern)

    def _account(self, pattern: str) -> _Account:
        now = self._now()
        account = self._accounts.get(pattern)
        if account is None:
            account = self._accounts[pattern] = _Account(_BURST_S, now)
        earned = (now - account.counted_at) * _SHARE
        account.left_s = min(_BURST_S, account.left_s + earned)
        account.counted_at = now
        if account.paused and account.left_s >= _RESUME_S:
            account.paused = False
            self._tell("expression resumed", pattern)
        return account

    def _tell(self, what: str, pattern: str) -> None:
        _log.warning(what, expression=pattern[:200], values_given_up=self._given_up[pattern])
