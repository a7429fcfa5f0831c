"""Runs looks at history in a process of their own, politely: what comes in is not held up."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from tocsin.app.backtests.backtest import Backtest, OnProgress
from tocsin.app.backtests.backtest_keeping import keep, take_up
from tocsin.app.rules.rule_choice import NoSuchRule
from tocsin.detect.errors import DetectError
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.store.ports import StoreError

_SPAWN = get_context("spawn")
_NICE = 10
_POLL_S = 0.2
_STOP = "stop"


class BacktestFailed(DetectError):
    """A backtest that came to no result; says why."""


class Opened(Protocol):
    """A look at history that is ready to run; ``report`` tells what it has come to so far."""

    @property
    def ruleset(self) -> RuleSet: ...

    @property
    def work(self) -> Backtest: ...

    def run(
        self,
        on_progress: OnProgress,
        should_stop: Callable[[], bool],
        on_stretch: Callable[[], None] | None,
    ) -> object: ...

    def report(self) -> dict[str, Any]: ...


class Asked(Protocol):
    """What is asked for, sent to the process; ``kept`` is a file for how far it is."""

    @property
    def kept(self) -> Path | None: ...

    def open(self) -> AbstractContextManager[Opened]: ...


def backtest_apart(
    asked: Asked,
    on_progress: Callable[[int, int], None],
    should_stop: Callable[[], bool],
    patience_s: Callable[[], float],
) -> dict[str, Any]:
    """The report, of what was gone through so far when it was stopped.

    After ``patience_s`` it is waited for no longer. Raises BacktestFailed.
    """
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_work, args=(theirs, asked), daemon=True)
    process.start()
    theirs.close()
    try:
        return _report(ours, on_progress, should_stop, patience_s)
    finally:
        ours.close()
        process.join(timeout=patience_s())
        if process.is_alive():
            process.terminate()
            process.join()


def _report(
    pipe: Connection,
    on_progress: Callable[[int, int], None],
    should_stop: Callable[[], bool],
    patience_s: Callable[[], float],
) -> dict[str, Any]:
    told_to_stop_at: float | None = None
    while True:
        if should_stop() and told_to_stop_at is None:
            told_to_stop_at = time.monotonic()
            with suppress(OSError):
                pipe.send(_STOP)
        if not pipe.poll(_POLL_S):
            if told_to_stop_at is not None and time.monotonic() > told_to_stop_at + patience_s():
                raise BacktestFailed("it was told to stop, did not answer and was ended")
            continue
        try:
            kind, value = pipe.recv()
        except (EOFError, OSError):
            raise BacktestFailed("its process ended without a result; see the log") from None
        if kind == "progress":
            on_progress(*value)
        elif kind == "report":
            report: dict[str, Any] = value
            return report
        else:
            raise BacktestFailed(value)


def _work(pipe: Connection, asked: Asked) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    with suppress(BrokenPipeError):  # nobody waits any more
        try:
            with asked.open() as opened:
                kept = asked.kept
                if kept is not None:
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    take_up(opened.work, kept)
                opened.run(
                    lambda done, total: pipe.send(("progress", (done, total))),
                    pipe.poll,
                    (lambda: keep(opened.work, kept)) if kept is not None else None,
                )
                report = opened.report()
        except (NoSuchRule, DetectError, StoreError) as error:
            pipe.send(("error", str(error)))
        else:
            problems = [{"line": one.line, "reason": one.reason} for one in opened.ruleset.problems]
            pipe.send(("report", {**report, "problems": problems}))
