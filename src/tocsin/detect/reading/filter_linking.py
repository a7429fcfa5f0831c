"""Putting Sigma filters on the match rules they name."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.reading_on_demand import Pipelines, reading
from tocsin.detect.rules.match_rule import AppliedFilter, SigmaMatchRule
from tocsin.detect.rules.matcher import All, Node
from tocsin.detect.rules.rule_draft import FilterDraft, RuleRead
from tocsin.detect.rules.simplify import simplify
from tocsin.model.lane import LogSource
from tocsin.model.rule import RuleProblem


def apply_filters(
    matches: Sequence[SigmaMatchRule],
    filters: Sequence[FilterDraft],
    read: Iterable[RuleRead],
    problems: list[RuleProblem],
    pipelines: Pipelines = (),
) -> list[SigmaMatchRule]:
    """``matches`` with the condition of each filter and-ed to the rules it is meant for.

    A filter, or one name in it, that applies to nothing is told in ``problems``: what it should
    keep quiet is not kept quiet.
    """
    if not filters:
        return list(matches)
    known = {key: one for one in read for key in (one.rule.id, one.name) if key}
    by_id = {one.rule.id for one in matches}
    on: dict[str, list[FilterDraft]] = defaultdict(list)
    for one in filters:
        if not one.rules:
            meant = [rule.rule.id for rule in matches if within(rule.rule.logsource, one.logsource)]
            if not meant:
                reason = "the filter applies to no rule: none has a log source within its own"
                problems.append(_problem(one, reason, one.line))
        else:
            meant = _named(one, known, by_id, problems)
        for rule_id in meant:
            on[rule_id].append(one)
    return [
        _filtered(rule, on[rule.rule.id], problems, pipelines) if rule.rule.id in on else rule
        for rule in matches
    ]


def within(logsource: LogSource, wider: LogSource) -> bool:
    """True when ``logsource`` asks for everything that ``wider`` asks for."""
    return all(
        asked is None or asked == part
        for part, asked in (
            (logsource.product, wider.product),
            (logsource.category, wider.category),
            (logsource.service, wider.service),
        )
    )


def _named(
    one: FilterDraft, known: dict[str, RuleRead], by_id: set[str], problems: list[RuleProblem]
) -> list[str]:
    meant = []
    for at, name in enumerate(one.rules):
        line = one.lines.get(f"rules/{at}", one.line)
        rule = known.get(name) or known.get(name.lower())
        if rule is None:
            reason = f"the filter names {name}, and no loaded rule has that id or name"
        elif rule.rule.id not in by_id:
            reason = (
                f"the filter names {name}, which looks at no single events: name the rules it takes"
            )
        elif not within(rule.rule.logsource, one.logsource):
            reason = f"the filter names {name}, whose log source is not within the filter's"
        else:
            meant.append(rule.rule.id)
            continue
        problems.append(_problem(one, reason, line))
    return list(dict.fromkeys(meant))


def _filtered(
    rule: SigmaMatchRule,
    filters: list[FilterDraft],
    problems: list[RuleProblem],
    pipelines: Pipelines,
) -> SigmaMatchRule:
    parts = [rule.condition]
    applied = []
    for one in filters:
        try:
            parts.append(_condition(one, rule.rule.logsource, pipelines))
        except (Unsupported, ValueError) as error:  # ValueError: pySigma's root
            problems.append(_problem(one, f"not on {rule.rule.title}: {error}", one.line))
        else:
            applied.append(AppliedFilter(one.id, one.title, one.path, one.line))
    return replace(rule, condition=simplify(All(tuple(parts))), filters=tuple(applied))


def _condition(one: FilterDraft, logsource: LogSource, pipelines: Pipelines) -> Node:
    """Pipelines see the filter as part of the rule it is put on."""
    if not pipelines or logsource == one.logsource:
        return one.condition
    return reading().filter_condition(one, logsource, pipelines)


def _problem(one: FilterDraft, reason: str, line: int) -> RuleProblem:
    return RuleProblem(one.path, reason, line, one.id, one.title)
