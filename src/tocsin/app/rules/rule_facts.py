"""What there is to say of a rule beside its text: what it takes and looks for, what it remembers."""

from dataclasses import dataclass

from tocsin.app.rules.rule_words import bounds_in_words, looked_for, span_in_words
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.limits import StateCounts
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.match_rule import AppliedFilter
from tocsin.detect.rules.stateful_rule import CorrelationRule, NewTermsRule, StatefulRule


@dataclass(frozen=True, slots=True)
class RuleLink:
    """Another rule a rule takes or is taken by; ``title`` is its id when it is not loaded."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """A rule in words.

    ``looks_for`` is one sentence, ``takes`` the rules it counts and ``taken_by`` those that count
    it. ``is_silent``: its hits are no findings by themselves. ``state`` is what it remembers now.
    """

    type: str = ""
    looks_for: str = ""
    takes: tuple[RuleLink, ...] = ()
    taken_by: tuple[RuleLink, ...] = ()
    is_silent: bool = False
    window: str = ""
    group_by: tuple[str, ...] = ()
    bounds: str = ""
    filters: tuple[AppliedFilter, ...] = ()
    state: StateCounts | None = None


def rule_facts(ruleset: RuleSet, correlator: Correlator, rule_id: str) -> RuleFacts:
    """The facts of a rule; empty ones for a rule of the platform itself."""

    def link(named: str) -> RuleLink:
        rule = ruleset.rule(named)
        return RuleLink(named, rule.title if rule is not None else named)

    match_rule = ruleset.by_id(rule_id)
    taken_by = tuple(
        link(one.rule.id)
        for one in ruleset.stateful
        if isinstance(one, CorrelationRule) and rule_id in one.rules
    )
    found = _kind_of(ruleset, rule_id)
    filters = match_rule.filters if match_rule is not None else ()
    is_silent = rule_id in ruleset.silent and not isinstance(found, NewTermsRule)
    if found is None:
        return RuleFacts(taken_by=taken_by, is_silent=is_silent, filters=filters)
    state = None if isinstance(found, HealthRule) else correlator.counts().get(rule_id)
    return RuleFacts(
        type=_type(found),
        looks_for=looked_for(found, lambda named: link(named).title),
        takes=tuple(link(named) for named in found.rules)
        if isinstance(found, CorrelationRule)
        else (),
        taken_by=taken_by,
        is_silent=is_silent,
        window=_window(found),
        group_by=() if isinstance(found, HealthRule) else found.group_by,
        bounds="" if isinstance(found, NewTermsRule) else bounds_in_words(found.bounds),
        filters=filters,
        state=state,
    )


def _kind_of(ruleset: RuleSet, rule_id: str) -> StatefulRule | HealthRule | None:
    kinds = (*ruleset.stateful, *ruleset.health)
    return next((one for one in kinds if one.rule.id == rule_id), None)


def _type(rule: StatefulRule | HealthRule) -> str:
    if isinstance(rule, CorrelationRule):
        return rule.type.value
    return "new_terms" if isinstance(rule, NewTermsRule) else "health"


def _window(rule: StatefulRule | HealthRule) -> str:
    if isinstance(rule, CorrelationRule):
        return span_in_words(rule.timespan)
    if isinstance(rule, NewTermsRule):
        return span_in_words(rule.window)
    return span_in_words(rule.lasting) if rule.lasting else ""
