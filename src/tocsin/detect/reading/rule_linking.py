"""Making one rule set of what was read: ids and names told apart, filters put on, rules found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tocsin.detect.reading.correlation_linking import LinkedCorrelations, link_correlations
from tocsin.detect.reading.filter_linking import apply_filters
from tocsin.detect.reading.indicator_linking import with_values
from tocsin.detect.reading.reading_on_demand import Pipelines
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.rule_draft import (
    CorrelationDraft,
    FilterDraft,
    HealthDraft,
    IndicatorDraft,
    NewTermsDraft,
    Read,
    RuleRead,
)
from tocsin.detect.rules.stateful_rule import StatefulRule
from tocsin.model.rule import RuleProblem

_RETIRED = frozenset({"deprecated", "unsupported"})


@dataclass(frozen=True, slots=True)
class Linked:
    """What a rule set is made of."""

    rules: tuple[SigmaMatchRule, ...]
    problems: tuple[RuleProblem, ...]
    stateful: tuple[StatefulRule, ...]
    health: tuple[HealthRule, ...]
    silent: frozenset[str]


def link(found: Sequence[Read], pipelines: Pipelines = ()) -> Linked:
    """The rules of everything read, in that order; what can't be linked is in its problems.

    Of rules with one id (or name) the first is used, one that is not retired (status deprecated
    or unsupported) before one that is. Filters come first, then correlations look for their rules.
    ``pipelines`` are those the rules were read with.
    """
    problems = [one for one in found if isinstance(one, RuleProblem)]
    read = [one for one in found if not isinstance(one, RuleProblem | FilterDraft)]
    read = _with_lists(_distinct(read, problems), problems)
    matches = [
        one.match if isinstance(one, NewTermsDraft) else one
        for one in read
        if isinstance(one, SigmaMatchRule | NewTermsDraft)
    ]
    filters = [one for one in found if isinstance(one, FilterDraft)]
    matches = apply_filters(matches, filters, read, problems, pipelines)
    correlations = [one for one in read if isinstance(one, CorrelationDraft)]
    linked = link_correlations(correlations, read, problems, pipelines)
    return Linked(
        rules=tuple(matches),
        problems=tuple(problems),
        stateful=tuple(_stateful(read, linked)),
        health=tuple(one.health for one in read if isinstance(one, HealthDraft)),
        silent=linked.silent | {one.rule.id for one in read if isinstance(one, NewTermsDraft)},
    )


def _with_lists(read: Sequence[RuleRead], problems: list[RuleProblem]) -> list[RuleRead]:
    """What was read, indicator rules with their values or told as problems."""
    done: list[RuleRead] = []
    for one in read:
        usable = with_values(one, problems) if isinstance(one, IndicatorDraft) else one
        if usable is not None:
            done.append(usable)
    return done


def _stateful(read: Iterable[RuleRead], linked: LinkedCorrelations) -> Iterable[StatefulRule]:
    for one in read:
        if isinstance(one, NewTermsDraft):
            yield one.new_terms
        elif isinstance(one, CorrelationDraft) and one.rule.id in linked.correlations:
            yield linked.correlations[one.rule.id]


def _distinct(read: Sequence[RuleRead], problems: list[RuleProblem]) -> list[RuleRead]:
    """The rules that have their id and name to themselves; the others are told as problems."""
    ids: dict[str, RuleRead] = {}
    names: dict[str, RuleRead] = {}
    for one in sorted(read, key=lambda one: one.rule.status in _RETIRED):
        first = ids.setdefault(one.rule.id, one)
        what = "id"
        if first is one and one.name:
            first, what = names.setdefault(one.name, one), "name"
        if first is not one:
            rule, line = one.rule, f":{first.line}" if first.line > 1 else ""
            reason = f"the {what} is taken by {first.rule.path}{line}: give this rule its own"
            problems.append(RuleProblem(rule.path, reason, one.line, rule.id, rule.title))
    return [
        one for one in read if ids[one.rule.id] is one and (not one.name or names[one.name] is one)
    ]
