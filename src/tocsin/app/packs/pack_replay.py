"""The effect of a pack's update: its changed rules, old and new, on the user's own stored events."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tocsin.app.backtests.backtest import Backtest, BacktestPlan, OnProgress
from tocsin.app.backtests.backtest_report import backtest_report
from tocsin.app.flow.assets import load_assets
from tocsin.app.flow.identity import entities_with
from tocsin.app.home.history import lanes_by_id, overlays_kept
from tocsin.app.home.history_opening import open_history
from tocsin.app.home.shipped import cache_folder, open_normalizer
from tocsin.app.packs.changed_rules import OLD, ChangedRules
from tocsin.app.packs.pack_desk import PackPlan
from tocsin.app.plain import as_json
from tocsin.detect.reading.ruleset import RuleSet

_STRETCH_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class AskedReplay:
    """An update to try on the last ``days`` before ``now``, for at most ``seconds``.

    ``changed`` is the file of its rules (``ChangedRules.keep``), ``kept`` one for how far it is.
    """

    home: Path
    changed: Path
    days: float
    seconds: float
    now: datetime
    kept: Path
    stretch_rows: int = _STRETCH_ROWS

    @contextmanager
    def open(self) -> Iterator["OpenReplay"]:
        """Open the store for reading, beside a running server or not. Raises DetectError."""
        changed = ChangedRules.take_up(self.changed)
        asked = (self.home, changed, self.days, self.seconds, self.now, self.stretch_rows)
        with _opened(*asked) as opened:
            yield opened


@dataclass(frozen=True, slots=True)
class OpenReplay:
    """What changed rules, and those that build on them, find before and after.

    Both versions go through history together, so they see the same events whenever it ends.
    """

    changed: ChangedRules
    plan: BacktestPlan
    work: Backtest
    seconds: float
    _began: float = field(default_factory=time.monotonic)

    @property
    def ruleset(self) -> RuleSet:
        return self.plan.ruleset

    def run(
        self,
        on_progress: OnProgress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        on_stretch: Callable[[], None] | None = None,
    ) -> None:
        """Go on, to the end of the range or as far as ``seconds`` allow."""
        if self.ruleset.rules:
            deadline = self._began + self.seconds
            self.work.run(
                on_progress, lambda: should_stop() or time.monotonic() > deadline, on_stretch
            )

    def report(self) -> dict[str, Any]:
        """What was found before and after the update, up to ``reached``.

        ``rules``: those whose findings differ first, with ``before`` and ``after`` (findings, None
        where there is no such rule) and the same a day.
        """
        report = backtest_report(self.plan, self.work.counts, {})
        told = {one["id"]: one for one in report["rules"]}
        rules = [self._of(one, told) for one in self._shown(told)]
        rules.sort(key=lambda one: (-abs((one["after"] or 0) - (one["before"] or 0)), one["title"]))
        facts = ("from", "to", "began", "reached", "events", "seconds", "damage")
        return {
            **{name: report[name] for name in facts},
            "is_complete": report["is_complete"] or not self.ruleset.rules,
            "before": sum(one["before"] or 0 for one in rules),
            "after": sum(one["after"] or 0 for one in rules),
            "rules": as_json(rules),
        }

    def _shown(self, told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Pairs of a rule's id before and after, the same unless it changes."""
        renamed = self.changed.renamed
        for rule_id in told:
            if rule_id.startswith(OLD):
                before = rule_id.removeprefix(OLD)
                yield before, renamed.get(before, before)
            elif f"{OLD}{rule_id}" not in told and rule_id not in renamed.values():
                yield rule_id, rule_id

    def _of(self, ids: tuple[str, str], told: Mapping[str, Any]) -> dict[str, Any]:
        before, after = told.get(f"{OLD}{ids[0]}"), told.get(ids[1])
        shown = after or before or {}
        return {
            "id": ids[0],
            "new_id": ids[1] if ids[1] != ids[0] else "",
            "title": shown["title"],
            "level": shown["level"],
            "before": before["findings"] if before else None,
            "after": after["findings"] if after else None,
            "before_per_day": before["findings_per_day"] if before else None,
            "after_per_day": after["findings_per_day"] if after else None,
            "entities": shown["entities"][:3],
        }


def replay_kept(
    home: Path,
    plan: PackPlan,
    *,
    days: float,
    seconds: float,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """The effect on the events of a data folder; raises StoreError where there are none."""
    changed = ChangedRules.of(plan)
    with _opened(home, changed, days, seconds, datetime.now(UTC), _STRETCH_ROWS) as opened:
        opened.run(on_progress)
        return opened.report()


@contextmanager
def _opened(
    home: Path,
    changed: ChangedRules,
    days: float,
    seconds: float,
    now: datetime,
    stretch_rows: int,
) -> Iterator[OpenReplay]:
    with open_history(home) as (events, state):
        plan = BacktestPlan(
            changed.together(overlays_kept(home, state)),
            now - timedelta(days=days),
            now,
            now,
            samples=0,
            stretch_rows=stretch_rows,
            cache=cache_folder() / "engine",
        )
        lane_of = lanes_by_id(open_normalizer(home).lanes)
        entities_of = entities_with(load_assets(home / "assets.yml"))
        yield OpenReplay(changed, plan, Backtest(plan, events, lane_of, entities_of), seconds)
