"""Opens a backtest on a data folder: the rules that are asked for, the store, what was said before."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tocsin.app.backtests.backtest import Backtest, BacktestPlan, OnProgress
from tocsin.app.backtests.backtest_report import backtest_report
from tocsin.app.backtests.backtest_rules import rules_to_try
from tocsin.app.flow.assets import load_assets
from tocsin.app.flow.identity import entities_with
from tocsin.app.home.history import STRETCH_ROWS, lanes_by_id, overlays_kept
from tocsin.app.home.history_opening import open_history
from tocsin.app.home.shipped import cache_folder, open_normalizer
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.store.ports import StateStore
from tocsin.triage.earlier_dispositions import earlier_dispositions


@dataclass(frozen=True, slots=True)
class AskedBacktest:
    """What somebody wants to try: names of rules in force and paths, or the text of rules.

    ``home`` is the data folder, ``in_force`` the folders of the rules that run on it.
    ``start <= event time < end``; ``now`` is when it was asked for. ``kept`` is a file for how far
    it is: with it, the same backtest goes on where it was cut off. That is kept each
    ``stretch_rows`` events.
    """

    home: Path
    in_force: tuple[Path, ...]
    rules: tuple[str, ...]
    start: datetime
    end: datetime
    now: datetime
    samples: int = 5
    text: str = ""
    kept: Path | None = None
    stretch_rows: int = STRETCH_ROWS

    def open(self) -> AbstractContextManager["OpenBacktest"]:
        """Open the store for reading, beside a running server or not.

        Raises ``NoSuchRule`` for a rule that is not there and ``StoreError`` for a folder without
        events.
        """
        return _open_backtest(self)


@dataclass(frozen=True, slots=True)
class OpenBacktest:
    """A backtest ready to run; ``report`` tells what it has come to so far."""

    plan: BacktestPlan
    work: Backtest
    _state: StateStore

    @property
    def ruleset(self) -> RuleSet:
        return self.plan.ruleset

    def run(
        self,
        on_progress: OnProgress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        on_stretch: Callable[[], None] | None = None,
    ) -> bool:
        """As ``Backtest.run``."""
        return self.work.run(on_progress, should_stop, on_stretch)

    def report(self) -> dict[str, Any]:
        with self._state.read() as tx:
            ids = [rule.id for rule in self.plan.ruleset.all_rules()]
            earlier = earlier_dispositions(tx, ids)
        return backtest_report(self.plan, self.work.counts, earlier)


@contextmanager
def _open_backtest(asked: AskedBacktest) -> Iterator[OpenBacktest]:
    with open_history(asked.home) as (events, state), _files(asked) as names:
        overlays = overlays_kept(asked.home, state)
        ruleset = rules_to_try(names, asked.in_force, overlays, cache_folder() / "rules")
        plan = BacktestPlan(
            ruleset,
            asked.start,
            asked.end,
            asked.now,
            samples=asked.samples,
            stretch_rows=asked.stretch_rows,
            cache=cache_folder() / "engine",
        )
        lane_of = lanes_by_id(open_normalizer(asked.home).lanes)
        entities_of = entities_with(load_assets(asked.home / "assets.yml"))
        yield OpenBacktest(plan, Backtest(plan, events, lane_of, entities_of), state)


@contextmanager
def _files(asked: AskedBacktest) -> Iterator[Sequence[str]]:
    """The names asked for; a text becomes a file for as long as it is read."""
    if not asked.text:
        yield asked.rules
        return
    with TemporaryDirectory(prefix="tocsin-backtest-") as folder:
        file = Path(folder) / "rule.yml"
        file.write_text(asked.text, encoding="utf-8")
        yield (str(file),)
