"""Runs a backtest in a process of its own, politely, so that what comes in is not held up."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from tocsin.app.backtest_keeping import keep, take_up
from tocsin.app.backtest_opening import AskedBacktest, open_backtest
from tocsin.app.rule_choice import NoSuchRule
from tocsin.detect.errors import DetectError
from tocsin.store.ports import StoreError

_SPAWN = get_context("spawn")
_NICE = 10
_POLL_S = 0.2
_STOP = "stop"


class BacktestFailed(DetectError):
    """A backtest that came to no result; says why."""


def backtest_apart(
    asked: AskedBacktest,
    on_progress: Callable[[int, int], None],
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """The report, of what was gone through so far when it was stopped. Raises BacktestFailed."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_work, args=(theirs, asked), daemon=True)
    process.start()
    theirs.close()
    try:
        return _report(ours, on_progress, should_stop)
    finally:
        ours.close()
        process.join(timeout=5.0)
        if process.is_alive():
            process.terminate()
            process.join()


def _report(
    pipe: Connection, on_progress: Callable[[int, int], None], should_stop: Callable[[], bool]
) -> dict[str, Any]:
    told_to_stop = False
    while True:
        if should_stop() and not told_to_stop:
            told_to_stop = True
            with suppress(OSError):
                pipe.send(_STOP)
        if not pipe.poll(_POLL_S):
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


def _work(pipe: Connection, asked: AskedBacktest) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    with suppress(BrokenPipeError):  # nobody waits any more
        try:
            with open_backtest(asked) as opened:
                kept = asked.kept
                if kept is not None:
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    take_up(opened.work, kept)
                opened.work.run(
                    lambda done, total: pipe.send(("progress", (done, total))),
                    pipe.poll,
                    (lambda: keep(opened.work, kept)) if kept is not None else None,
                )
                report = opened.report()
        except (NoSuchRule, DetectError, StoreError) as error:
            pipe.send(("error", str(error)))
        else:
            problems = [
                {"line": one.line, "reason": one.reason} for one in opened.plan.ruleset.problems
            ]
            pipe.send(("report", {**report, "problems": problems}))
