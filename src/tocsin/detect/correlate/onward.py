"""Where what a rule finds goes on to: the correlations that take it, and those that take these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tocsin.detect.correlate.rule_plan import RulePlan, measured_by
from tocsin.model.identifier import repeatable_id

_LAYOUT = 1
"""Counts changes to how memory is laid out."""


@dataclass(frozen=True, slots=True)
class Onward:
    """A correlation a rule's findings end up in; ``via`` is the way there, from that rule on."""

    target: RulePlan
    via: tuple[RulePlan, ...]

    def group_fields(self, taken_rule: str) -> tuple[str, ...]:
        """The fields the target groups by, as events of that match rule name them."""
        return self._resolved(self.target.group_names, taken_rule)

    def value_fields(self, taken_rule: str) -> tuple[str, ...]:
        """The fields the target measures, as events of that match rule name them."""
        return self._resolved(self.target.value_names, taken_rule)

    def _resolved(self, names: Sequence[str], taken_rule: str) -> tuple[str, ...]:
        takers = (self.target, *reversed(self.via))
        taken = (*(plan.id for plan in reversed(self.via)), taken_rule)
        found = list(names)
        for plan, rule_id in zip(takers, taken, strict=True):
            found = [plan.resolved(name, rule_id) for name in found]
        return tuple(found)


def onward_of(plans: Mapping[str, RulePlan]) -> dict[str, tuple[Onward, ...]]:
    """Of each rule: the correlations that take it first, then those behind them, each once.

    ``plans`` come after those they take.
    """
    found: dict[str, tuple[Onward, ...]] = {}
    for plan in reversed(list(plans.values())):
        direct = [one for one in plans.values() if plan.id in one.slots and one is not plan]
        ways = [Onward(one, (plan,)) for one in direct]
        ways += [Onward(far.target, (plan, *far.via)) for one in direct for far in found[one.id]]
        first: dict[str, Onward] = {}
        for way in ways:
            first.setdefault(way.target.id, way)
        found[plan.id] = tuple(first.values())
    return found


def fingerprints(
    plans: Mapping[str, RulePlan], onward: Mapping[str, Sequence[Onward]]
) -> dict[str, str]:
    """By rule id what its memory depends on, digested: memory of another make is of no use."""
    found = {}
    for plan in plans.values():
        further = [
            (way.target.id, way.target.term, measured_by(way.target.source), way.via[-1].id)
            for way in onward[plan.id]
        ]
        facts = (_LAYOUT, measured_by(plan.source), plan.chained, further)
        found[plan.id] = repeatable_id("plan", repr(facts))
    return found
