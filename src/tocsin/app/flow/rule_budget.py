"""The budget of processor time each rule has; one that is over it pauses, aloud, while others go on."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from tocsin.app.flow.flow import Flow
from tocsin.detect.explaining.reach import Obstacle, Reach
from tocsin.detect.matching.engine import Engine

_log = structlog.get_logger()
_DEEPEST = 5.0
"""Bursts of debt a rule pays off at most, so that one dear batch does not silence it for days."""
_BACK = 0.5
"""Of the burst that must have been earned again before it is looked at anew."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a rule has used of its budget.

    ``share`` is of one core since the last look, ``left_s`` what it may still use at once (less
    than nothing: it is over). ``over_since`` is set while it pauses.
    """

    cpu_s: float
    share: float
    left_s: float
    over_since: datetime | None = None


class RuleBudget:
    """A bucket of processor seconds a rule, filled by ``share`` of the time, ``burst_s`` large.

    Only what a rule alone costs is counted: what rules share is nobody's.
    """

    def __init__(
        self,
        engine: Engine,
        flow: Flow,
        *,
        share: float,
        burst_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._flow = flow
        self.share = share
        self.burst_s = burst_s
        self._clock = clock
        self._looked_at = clock()
        self._spent: dict[str, Spent] = {}
        self._one = threading.Lock()

    def spent(self) -> Mapping[str, Spent]:
        """By rule id, of every rule that has cost anything."""
        return dict(self._spent)

    def over(self) -> Mapping[str, Spent]:
        """The rules that pause because they are over their budget."""
        return {one: spent for one, spent in self.spent().items() if spent.over_since is not None}

    def look(self, now: datetime) -> None:
        """Charge what was used since the last look; pause who is over, let back who has earned."""
        with self._one:
            moment = self._clock()
            elapsed_s = max(moment - self._looked_at, 1e-3)
            self._looked_at = moment
            before = self.over().keys()
            loaded = self._engine.ruleset
            found = {}
            for rule_id, cpu_s in self._engine.cpu_s.items():
                if loaded.by_id(rule_id) is None:
                    continue
                known = self._spent.get(rule_id, Spent(0.0, 0.0, self.burst_s))
                found[rule_id] = self._charged(known, cpu_s, elapsed_s, now)
            self._spent = found
            after = self.over()
            held = self._engine.paused.union(after)
            if held != self._flow.held:
                self._flow.hold(held)
        for rule_id in after.keys() - before:
            _log.warning("rule_over_budget", rule=rule_id, share=round(after[rule_id].share, 3))
        for rule_id in before - after.keys():
            _log.info("rule_within_budget_again", rule=rule_id)

    def _charged(self, known: Spent, cpu_s: float, elapsed_s: float, now: datetime) -> Spent:
        used_s = max(0.0, cpu_s - known.cpu_s)
        left_s = min(self.burst_s, known.left_s + self.share * elapsed_s) - used_s
        left_s = max(left_s, -_DEEPEST * self.burst_s)
        after = Spent(cpu_s, used_s / elapsed_s, left_s, known.over_since)
        if known.over_since is None:
            return replace(after, over_since=now) if left_s <= 0 else after
        if left_s >= _BACK * self.burst_s:
            return replace(after, over_since=None)
        return replace(after, share=known.share)

    def reach(self, verdicts: Mapping[str, Reach]) -> Mapping[str, Reach]:
        """The verdicts with those of rules that pause, and of rules that build on them."""
        over, paused, held = self.over(), self._engine.paused, self._flow.held
        if not held:
            return verdicts
        found = dict(verdicts)
        for rule_id in self._flow.unlooking():
            spent = over.get(rule_id)
            told = "a rule it builds on is over its budget and pauses"
            if rule_id in held:
                told = "it paused and looks again within seconds; what it missed is filled"
            if rule_id in paused:
                told = (
                    "an expression of it used up its time and is paused for a while; what it "
                    "misses is filled afterwards; write it without lookaround or backreference"
                )
            if spent is not None and spent.over_since is not None:
                back_s = max(0.0, _BACK * self.burst_s - spent.left_s) / self.share
                told = (
                    f"over its budget since {spent.over_since:%Y-%m-%d %H:%M:%S} UTC: it used "
                    f"{spent.share:.0%} of a core, {self.share:.0%} is allowed; it pauses for "
                    f"about {back_s:,.0f} s more, what it misses is filled afterwards"
                )
            at = found.get(rule_id, Reach(rule_id))
            found[rule_id] = replace(at, obstacle=Obstacle.OVER_BUDGET, reason=told)
        return found
