"""Backtests that people start and watch while the house runs: one at a time, with progress and cancel."""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import structlog

from tocsin.app.backtest import Backtest, BacktestPlan
from tocsin.app.backtest_report import backtest_report
from tocsin.app.backtest_rules import named_rules
from tocsin.app.history import lanes_by_id
from tocsin.app.identity import entities_with
from tocsin.app.wiring import Tocsin
from tocsin.detect.errors import DetectError
from tocsin.detect.overlaid import apply_overlays
from tocsin.detect.overlay import LifeState
from tocsin.detect.ruleset import RuleSet
from tocsin.triage.earlier_dispositions import earlier_dispositions

_log = structlog.get_logger()
KEPT = 50
"""Results that are remembered, of as many rules."""


class BacktestState(StrEnum):
    """How far a backtest is."""

    RUNNING = "running"
    DONE = "done"
    CANCELED = "canceled"
    FAILED = "failed"


class BacktestBusy(DetectError):
    """Another backtest runs; there is one at a time, so that the flow keeps its share."""


@dataclass(frozen=True, slots=True)
class BacktestRun:
    """One backtest of one rule. ``report`` (as ``backtest_report``) once it has ended.

    A canceled one reports on what it had gone through. ``trouble`` says why it failed.
    """

    id: str
    rule_id: str
    title: str
    days: int
    by: str
    started: datetime
    state: BacktestState = BacktestState.RUNNING
    passed: int = 0
    total: int = 0
    report: Mapping[str, Any] | None = None
    trouble: str = ""

    @property
    def percent(self) -> float:
        return 100 * self.passed / self.total if self.total else 0.0


class BacktestDesk:
    """Starts backtests and knows the latest of each rule; for any thread. Forgets at exit."""

    def __init__(self, house: Tocsin) -> None:
        self._house = house
        self._guard = threading.Lock()
        self._latest: dict[str, BacktestRun] = {}
        self._running: BacktestRun | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def latest(self, rule_id: str) -> BacktestRun | None:
        with self._guard:
            return self._latest.get(rule_id)

    def running(self) -> BacktestRun | None:
        """The one that runs now, of whatever rule."""
        with self._guard:
            return self._running

    def start(self, rule_id: str, days: int, *, by: str, now: datetime) -> BacktestRun:
        """Try the rule on the last ``days`` of history. Raises BacktestBusy, NoSuchRule."""
        ruleset = self._rules(rule_id)
        rule = ruleset.rule(rule_id)
        title = rule.title if rule else rule_id
        run = BacktestRun(uuid.uuid4().hex, rule_id, title, days, by, now)
        with self._guard:
            if self._running is not None:
                raise BacktestBusy(
                    f"“{self._running.title}” is being tried by {self._running.by}: "
                    "wait for it, or cancel it"
                )
            self._running = self._latest[rule_id] = run
            while len(self._latest) > KEPT:
                del self._latest[next(iter(self._latest))]
            self._stop = threading.Event()
            work = (run, ruleset, now, self._stop)
            self._thread = threading.Thread(target=self._work, args=work, name="backtest")
            self._thread.start()
        return run

    def cancel(self, rule_id: str) -> bool:
        """Stop the backtest of that rule; False when none runs."""
        with self._guard:
            if self._running is None or self._running.rule_id != rule_id:
                return False
            self._stop.set()
            return True

    def close(self) -> None:
        """Stop what runs and wait until it has."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _rules(self, rule_id: str) -> RuleSet:
        alone = named_rules(self._house.rule_keeper.written, [rule_id])
        overlays = {
            one: replace(overlay, state=LifeState.ACTIVE)
            for one, overlay in self._house.rule_book.overlays().items()
            if alone.rule(one) is not None
        }
        return apply_overlays(replace(alone, health=()), overlays)

    def _work(
        self, run: BacktestRun, ruleset: RuleSet, now: datetime, stop: threading.Event
    ) -> None:
        house = self._house
        end: dict[str, Any] = {"state": BacktestState.FAILED, "trouble": "it ended without a word"}
        try:
            plan = BacktestPlan(ruleset, now - timedelta(days=run.days), now, now)
            lanes = lanes_by_id(house.normalizer.lanes)
            work = Backtest(plan, house.events, lanes, entities_with(house.assets))
            is_done = work.run(self._moved, stop.is_set)
            with house.state.read() as tx:
                earlier = earlier_dispositions(tx, [rule.id for rule in ruleset.all_rules()])
            state = BacktestState.DONE if is_done else BacktestState.CANCELED
            report = backtest_report(plan, work.counts, earlier)
            end = {"state": state, "report": report, "trouble": ""}
        except Exception as error:
            _log.warning("backtest_failed", rule=run.rule_id, error=repr(error))
            end["trouble"] = f"{type(error).__name__}: {error}"
        finally:
            self._change(end)
            with self._guard:
                self._running = None

    def _moved(self, passed: int, total: int) -> None:
        self._change({"passed": passed, "total": total})

    def _change(self, changes: Mapping[str, Any]) -> None:
        with self._guard:
            if self._running is not None:
                self._running = replace(self._running, **changes)
                if self._running.rule_id in self._latest:
                    self._latest[self._running.rule_id] = self._running
