"""What a stateful rule asks of events, ready to run."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from graphlib import CycleError, TopologicalSorter

from tocsin.detect.correlate.condition import bounds_of, judges_whole_windows
from tocsin.detect.correlate.watermark import micros
from tocsin.detect.errors import DetectError
from tocsin.detect.rules.stateful_rule import (
    Bound,
    CorrelationRule,
    CorrelationType,
    NewTermsRule,
    StatefulRule,
)
from tocsin.model.rule import Rule


class Way(Enum):
    """How a rule is judged."""

    TRAILING = auto()
    WINDOWS = auto()
    ABSENCE = auto()
    NEW_TERMS = auto()


class Term(Enum):
    """What an event brings beside its time."""

    NOTHING = auto()
    RULE = auto()
    VALUE = auto()
    NUMBER = auto()


class Keeping(Enum):
    """What is kept beside the events (``RuleState.terms``), and by which key."""

    NOTHING = auto()
    COVERED = auto()  # (group, term), with the times it covers: distinct terms at any moment
    TERMS = auto()  # group: the terms
    NUMBERS = auto()  # group: the numbers
    STEPS = auto()  # group: events with their slots
    SEEN = auto()  # (group, term): when it was seen, in which events


_TERMS = {
    CorrelationType.EVENT_COUNT: Term.NOTHING,
    CorrelationType.VALUE_COUNT: Term.VALUE,
    CorrelationType.TEMPORAL: Term.RULE,
    CorrelationType.TEMPORAL_ORDERED: Term.RULE,
    CorrelationType.ABSENCE: Term.RULE,
}


@dataclass(frozen=True, slots=True)
class RulePlan:
    """A rule and how it is run; spans in µs.

    ``slots`` are the positions in the rule's ``rules`` by rule id (a rule named twice has two).
    ``chained``: it takes other stateful rules. ``told``: its verdicts are for people, not only for the correlations that take it.
    """

    source: StatefulRule
    way: Way
    term: Term
    span: int
    bounds: tuple[Bound, ...]
    slots: Mapping[str, tuple[int, ...]]
    told: bool = True
    chained: bool = False

    @property
    def keeping(self) -> Keeping:
        if self.way is Way.NEW_TERMS:
            return Keeping.SEEN
        if self.ordered or self.way is Way.ABSENCE:
            return Keeping.STEPS
        if self.term is Term.NUMBER:
            return Keeping.NUMBERS
        if self.term is Term.NOTHING:
            return Keeping.NOTHING
        return Keeping.COVERED if self.way is Way.TRAILING else Keeping.TERMS

    @property
    def ordered(self) -> bool:
        return self._type is CorrelationType.TEMPORAL_ORDERED

    @property
    def steps(self) -> int:
        """How many rules are named."""
        return sum(len(slots) for slots in self.slots.values())

    @property
    def _type(self) -> CorrelationType | None:
        return self.source.type if isinstance(self.source, CorrelationRule) else None

    @property
    def percentile(self) -> float | None:
        """Which one is measured; None when it is a sum or a mean."""
        if self._type is CorrelationType.VALUE_MEDIAN:
            return 50.0
        if isinstance(self.source, CorrelationRule) and (
            self._type is CorrelationType.VALUE_PERCENTILE
        ):
            return self.source.percentile
        return None

    @property
    def averages(self) -> bool:
        return self._type is CorrelationType.VALUE_AVG

    @property
    def name_fields(self) -> tuple[str, ...]:
        """The fields whose texts name what is found."""
        if isinstance(self.source, NewTermsRule):
            return (*self.source.group_by, *self.source.fields)
        return self.source.group_by

    @property
    def takes_moments(self) -> bool:
        """Of a correlation it takes: every moment that holds, or each episode once."""
        return self._type in (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)

    @property
    def rule(self) -> Rule:
        return self.source.rule

    @property
    def id(self) -> str:
        return self.source.rule.id

    @property
    def group_names(self) -> tuple[str, ...]:
        return self.source.group_by

    @property
    def value_names(self) -> tuple[str, ...]:
        return self.source.fields

    def resolved(self, name: str, taken_rule: str) -> str:
        """The field an alias stands for in events of a rule; what is no alias for it, as it is."""
        if isinstance(self.source, NewTermsRule):
            return name
        return self.source.aliases.get(name, {}).get(taken_rule, name)

    def group_fields(self, taken_rule: str) -> tuple[str, ...]:
        """The fields to group by in events of that rule."""
        return tuple(self.resolved(name, taken_rule) for name in self.group_names)

    def value_fields(self, taken_rule: str) -> tuple[str, ...]:
        """The fields that are measured in events of that rule."""
        return tuple(self.resolved(name, taken_rule) for name in self.value_names)


def plans_of(rules: Sequence[StatefulRule]) -> dict[str, RulePlan]:
    """Plans by rule id, every rule after those it takes.

    Raises ``DetectError`` for rules that take each other in a circle (refused when rules are
    loaded) and for an id used twice.
    """
    by_id = {one.rule.id: one for one in rules}
    if len(by_id) != len(rules):
        raise DetectError("two stateful rules have one id: give each its own")
    needs = {
        one.rule.id: [taken for taken in one.rules if taken in by_id]
        if isinstance(one, CorrelationRule)
        else []
        for one in rules
    }
    silent = {
        taken
        for one in rules
        if isinstance(one, CorrelationRule) and not one.generate
        for taken in one.rules
    }
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " -> ".join(str(one) for one in error.args[1])
        raise DetectError(f"correlations take each other in a circle: {circle}") from None
    return {
        rule_id: _plan(by_id[rule_id], rule_id not in silent, by_id.keys()) for rule_id in order
    }


def measured_by(source: StatefulRule) -> tuple[object, ...]:
    """What of a rule its memory depends on."""
    if isinstance(source, NewTermsRule):
        return (source.fields, source.window, source.learning, source.group_by)
    aliases = sorted((name, sorted(fields.items())) for name, fields in source.aliases.items())
    parts = (source.type, source.rules, source.timespan, source.group_by, source.fields)
    bounds = [(one.comparison, one.value) for one in source.bounds]
    return (*parts, bounds, source.percentile, aliases)


def _plan(source: StatefulRule, told: bool, stateful: Collection[str]) -> RulePlan:
    if isinstance(source, NewTermsRule):
        slots = {source.rule.id: (0,)}
        return RulePlan(
            source, Way.NEW_TERMS, Term.VALUE, micros(source.window), (), slots, told=True
        )
    found: dict[str, tuple[int, ...]] = {}
    for position, taken in enumerate(source.rules):
        found[taken] = (*found.get(taken, ()), position)
    way = Way.WINDOWS if judges_whole_windows(source) else Way.TRAILING
    if source.type is CorrelationType.ABSENCE:
        way = Way.ABSENCE
    term = _TERMS.get(source.type, Term.NUMBER)
    span = micros(source.timespan)
    chained = any(one in stateful for one in source.rules)
    return RulePlan(source, way, term, span, bounds_of(source), found, told, chained)
