"""The engine: which rules recognize which events of a batch, by columns."""

import gc
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from tocsin.detect.matching.compiled_store import CompiledStore
from tocsin.detect.matching.evaluator import StepBuilder
from tocsin.detect.matching.hit_rate import unseen_rate
from tocsin.detect.matching.lane_plan import LanePlan, Tools
from tocsin.detect.matching.witness import Witness, choose_witness
from tocsin.detect.matching.witness_book import fingerprint
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import Node, Operator, matchers_in
from tocsin.detect.rules.patience import Patience
from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane, LogSource
from tocsin.model.rule import Rule


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule and the rows of the batch it matches, ascending, at least one."""

    rule: Rule
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Plans:
    """The lanes' plans for one rule set; ``earlier`` are of the set before, to be taken over."""

    ruleset: RuleSet
    by_lane: dict[Lane, LanePlan] = field(default_factory=dict)
    earlier: dict[Lane, LanePlan] = field(default_factory=dict)
    by_logsource: dict[LogSource, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for at, rule in enumerate(self.ruleset.rules):
            self.by_logsource.setdefault(rule.rule.logsource, []).append(at)

    def asking(self, lane: Lane) -> list[SigmaMatchRule]:
        """The rules that ask for the lane's log source, in the order of the set."""
        at = [
            a for source, found in self.by_logsource.items() if lane.accepts(source) for a in found
        ]
        return [self.ruleset.rules[one] for one in sorted(at)]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keeps the cycle collector from going through every rule while a plan's parts are made."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Engine:
    """Runs a rule set over batches; verdicts equal the oracle's.

    ``cache`` is a folder for what was compiled and learned: with it, the next start finds every
    lane ready. For one thread at a time, but ``replace`` may be called by another. Two threads
    with an engine each are hardly faster than one (Python's lock); use two processes.
    """

    def __init__(self, ruleset: RuleSet, cache: Path | None = None) -> None:
        self._patience = Patience()
        self._first_choices: dict[str, tuple[Node, Witness | None]] = {}
        self._fingerprints: dict[str, tuple[Node, str]] = {}
        store = CompiledStore(cache) if cache else None
        steps = StepBuilder(self._patience)
        self._tools = Tools(steps, self._first_choice, self._fingerprint, store)
        self._plans = _Plans(ruleset)
        self._lock = Lock()

    @property
    def ruleset(self) -> RuleSet:
        """The rules in force."""
        return self._plans.ruleset

    @property
    def limits(self) -> Mapping[str, int]:
        """How many values each rule has not looked at to the end, as its expression took too long.

        Such a value counts as not matching. By rule id, rules without any left out.
        """
        return self._counted(self._patience.given_up)

    @property
    def paused(self) -> frozenset[str]:
        """Ids of the rules of which an expression is not run at present: it used up its time."""
        return frozenset(self._counted(dict.fromkeys(self._patience.paused, 1)))

    @property
    def cpu_s(self) -> Mapping[str, float]:
        """CPU seconds spent on each rule's conditions so far, by rule id.

        What rules share (reading columns, looking for all rules' literals at once) is not in it,
        and of rules that ask the same of the same values, the first one bears the cost.
        """
        return dict(self._tools.cpu_s)

    def hold(self, rule_ids: Collection[str]) -> None:
        """Let these rules pause, and no others, from the next batch on. Not during a batch."""
        self._tools.held.clear()
        self._tools.held.update(rule_ids)

    def replace(self, ruleset: RuleSet) -> None:
        """Put other rules in force from the next batch on; a batch in work keeps its rules.

        What the change leaves as it was stays compiled, and what is known of values stays known.
        """
        plans = _Plans(ruleset)
        with self._lock:
            plans.earlier.update(self._plans.earlier)
            plans.earlier.update(self._plans.by_lane)
            self._plans = plans

    def evaluate(self, batch: EventBatch, *, without_keywords: bool = False) -> list[Hit]:
        """The rules that match events of the batch, in the order of the rule set.

        ``without_keywords``: for who knows that no value has a keyword of the lane's rules.
        """
        if not len(batch):
            return []
        plan = self.plan_of(batch.lane)
        found = plan.matches(batch.native, without_keywords=without_keywords)
        return [Hit(one.rule, tuple(rows.tolist())) for one, rows in found]

    def plan_of(self, lane: Lane) -> LanePlan:
        """How the lane's events are looked at."""
        plans = self._plans
        plan = plans.by_lane.get(lane)
        if plan is None:
            asking = plans.asking(lane)
            with self._lock, _uncollected():
                before = plans.earlier.pop(lane, None)
                plan = plans.by_lane[lane] = LanePlan(lane.id, asking, self._tools, before)
        return plan

    def _first_choice(self, rule: SigmaMatchRule) -> Witness | None:
        """The rule's witness as long as no events are known, the same in every lane."""
        known = self._first_choices.get(rule.rule.id)
        if known is not None and known[0] is rule.condition:
            return known[1]
        witness = choose_witness(rule.condition, unseen_rate)
        self._first_choices[rule.rule.id] = rule.condition, witness
        return witness

    def _fingerprint(self, rule: SigmaMatchRule) -> str:
        known = self._fingerprints.get(rule.rule.id)
        if known is not None and known[0] is rule.condition:
            return known[1]
        made = fingerprint(rule.condition)
        self._fingerprints[rule.rule.id] = rule.condition, made
        return made

    def _counted(self, by_expression: Mapping[str, int]) -> dict[str, int]:
        if not by_expression:
            return {}
        counts = {
            rule.rule.id: sum(
                by_expression.get(value, 0)
                for matcher in matchers_in(rule.condition)
                if matcher.operator is Operator.REGEX
                for value in matcher.values
            )
            for rule in self.ruleset.rules
        }
        return {rule_id: count for rule_id, count in counts.items() if count}
