"""The engine: which rules recognize which events of a batch, by columns."""

from dataclasses import dataclass

from tocsin.detect.lane_plan import LanePlan
from tocsin.detect.ruleset import RuleSet
from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.model.rule import Rule


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule and the rows of the batch it matches, ascending, at least one."""

    rule: Rule
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Plans:
    ruleset: RuleSet
    by_lane: dict[Lane, LanePlan]


class Engine:
    """Runs a rule set over batches; verdicts equal the oracle's.

    For one thread at a time; another thread makes its own engine of the same rule set. A lane's
    rules are compiled when its first batch comes.
    """

    def __init__(self, ruleset: RuleSet) -> None:
        self._plans = _Plans(ruleset, {})

    @property
    def ruleset(self) -> RuleSet:
        """The rules in force."""
        return self._plans.ruleset

    def replace(self, ruleset: RuleSet) -> None:
        """Put other rules in force from the next batch on."""
        self._plans = _Plans(ruleset, {})

    def evaluate(self, batch: EventBatch) -> list[Hit]:
        """The rules that match events of the batch, in the order of the rule set."""
        if not len(batch):
            return []
        plans = self._plans
        plan = plans.by_lane.get(batch.lane)
        if plan is None:
            asking = [r for r in plans.ruleset.rules if batch.lane.accepts(r.rule.logsource)]
            plan = plans.by_lane[batch.lane] = LanePlan(batch.lane.id, asking)
        return [Hit(found.rule, tuple(rows.tolist())) for found, rows in plan.matches(batch.native)]
