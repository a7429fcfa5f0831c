"""The effect of a pack's update: its changed rules, old and new, on the user's own stored events."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tocsin.app.assets import load_assets
from tocsin.app.backtest import Backtest, BacktestPlan, OnProgress
from tocsin.app.backtest_report import backtest_report
from tocsin.app.history import lanes_by_id, open_history, overlays_kept
from tocsin.app.hunt_selection import selected, with_takers
from tocsin.app.identity import EntitiesOf, entities_with
from tocsin.app.pack_desk import PackPlan
from tocsin.app.plain import as_json
from tocsin.app.shipped import open_normalizer
from tocsin.detect.match_rule import SigmaMatchRule
from tocsin.detect.overlaid import apply_overlays
from tocsin.detect.overlay import Overlay
from tocsin.detect.rule_update import UpdateKind
from tocsin.detect.ruleset import RuleSet
from tocsin.detect.stateful_rule import CorrelationRule, StatefulRule
from tocsin.model.lane import Lane
from tocsin.model.rule import Rule
from tocsin.store.ports import EventStore

_OLD = "before the update: "


@dataclass(frozen=True, slots=True)
class PackReplay:
    """What a plan's changed rules, and those that build on them, find before and after it.

    Both versions go through history together, so they see the same events whenever it ends.
    """

    plan: PackPlan
    overlays: Mapping[str, Overlay]

    def run(
        self,
        events: EventStore,
        lane_of: Callable[[str], Lane],
        entities_of: EntitiesOf,
        *,
        days: float,
        now: datetime,
        seconds: float,
        on_progress: OnProgress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """The effect on the last ``days``, or on as much of them as goes in ``seconds``.

        ``rules``: those whose findings differ first, with ``before`` and ``after`` (findings, None
        where there is no such rule) and the same a day. ``reached`` is up to when it went.
        """
        both = _together(*self._sets())
        plan = BacktestPlan(both, now - timedelta(days=days), now, now, 0, stretch_rows=100_000)
        work = Backtest(plan, events, lane_of, entities_of)
        deadline = time.monotonic() + seconds

        def is_late() -> bool:
            return should_stop() or time.monotonic() > deadline

        if both.rules:
            work.run(on_progress, is_late)
        report = backtest_report(plan, work.counts, {})
        told = {one["id"]: one for one in report["rules"]}
        rules = [self._of(one, told) for one in self._shown(told)]
        rules.sort(key=lambda one: (-abs((one["after"] or 0) - (one["before"] or 0)), one["title"]))
        facts = ("from", "to", "began", "reached", "events", "seconds", "damage")
        return {
            **{name: report[name] for name in facts},
            "is_complete": report["is_complete"] or not both.rules,
            "before": sum(one["before"] or 0 for one in rules),
            "after": sum(one["after"] or 0 for one in rules),
            "rules": as_json(rules),
        }

    def _sets(self) -> tuple[RuleSet, RuleSet]:
        """The rules that the update makes a difference to: as they are, and as they would be."""
        old, new = self.plan.before or RuleSet(), self.plan.after or RuleSet()
        gone = {one.rule_id for one in self.plan.updates if one.kind is not UpdateKind.ADDED}
        come = {
            one.new_id or one.rule_id
            for one in self.plan.updates
            if one.kind is not UpdateKind.REMOVED
        }
        carried = {
            after: replace(self.overlays[before], rule_id=after)
            for before, after in self.plan.followed
            if before in self.overlays
        }
        return _changed(old, gone, self.overlays), _changed(new, come, {**self.overlays, **carried})

    def _shown(self, told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Pairs of a rule's id before and after, the same unless it changes."""
        renamed = {one.rule_id: one.new_id for one in self.plan.updates if one.new_id}
        for rule_id in told:
            if rule_id.startswith(_OLD):
                before = rule_id.removeprefix(_OLD)
                yield before, renamed.get(before, before)
            elif f"{_OLD}{rule_id}" not in told and rule_id not in renamed.values():
                yield rule_id, rule_id

    def _of(self, ids: tuple[str, str], told: Mapping[str, Any]) -> dict[str, Any]:
        before, after = told.get(f"{_OLD}{ids[0]}"), told.get(ids[1])
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
    with open_history(home) as (events, state):
        return PackReplay(plan, overlays_kept(home, state)).run(
            events,
            lanes_by_id(open_normalizer().lanes),
            entities_with(load_assets(home / "assets.yml")),
            days=days,
            now=datetime.now(UTC),
            seconds=seconds,
            on_progress=on_progress,
        )


def _changed(ruleset: RuleSet, ids: set[str], overlays: Mapping[str, Overlay]) -> RuleSet:
    """The rules of these ids, and what builds on them, with what people decided; none without."""
    here = {one.id for one in ruleset.all_rules()}
    wanted = with_takers(ruleset, ids & here)
    laid = apply_overlays(ruleset, {one: each for one, each in overlays.items() if one in here})
    return selected(laid, rules=wanted) if wanted else RuleSet()


def _together(old: RuleSet, new: RuleSet) -> RuleSet:
    """Both in one set, the old ones under ids of their own."""
    rules = [replace(one, rule=_marked(one), name="") for one in old.rules]
    return RuleSet(
        rules=(*rules, *new.rules),
        stateful=(*map(_marked_stateful, old.stateful), *new.stateful),
        silent=new.silent | {f"{_OLD}{one}" for one in old.silent},
        exceptions={
            **new.exceptions,
            **{f"{_OLD}{one}": each for one, each in old.exceptions.items()},
        },
    )


def _marked(one: SigmaMatchRule | StatefulRule) -> Rule:
    return replace(one.rule, id=f"{_OLD}{one.rule.id}")


def _marked_stateful(one: StatefulRule) -> StatefulRule:
    if not isinstance(one, CorrelationRule):
        return replace(one, rule=_marked(one))
    aliases = {
        name: {f"{_OLD}{rule_id}": field for rule_id, field in of.items()}
        for name, of in one.aliases.items()
    }
    taken = tuple(f"{_OLD}{rule_id}" for rule_id in one.rules)
    return replace(one, rule=_marked(one), rules=taken, aliases=aliases)
