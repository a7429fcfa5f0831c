"""The plain form (lists, maps, texts, numbers) that compiled rules are kept in on disk.

Lists are positional; the first member of a rule's list says its kind.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any as AnyValue

import orjson

from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.match_rule import RuleTest, SigmaMatchRule
from tocsin.detect.rules.matcher import All, Any, Matcher, Node, Not, Operator
from tocsin.detect.rules.rule_draft import (
    CorrelationDraft,
    FilterDraft,
    HealthDraft,
    IndicatorDraft,
    NewTermsDraft,
    Read,
)
from tocsin.detect.rules.stateful_rule import (
    Bound,
    Comparison,
    CorrelationRule,
    CorrelationType,
    NewTermsRule,
    Sequenced,
)
from tocsin.detect.rules.value_list import ListKind
from tocsin.model.lane import LogSource
from tocsin.model.rule import Rule, RuleKind, RuleProblem
from tocsin.model.severity import Level

_OPERATORS = {str(operator): operator for operator in Operator}
_LEVELS = {str(level): level for level in Level}
_RULE_KINDS = {str(kind): kind for kind in RuleKind}


def written(found: Read, text: str) -> list[AnyValue]:
    """What ``read_back`` makes ``found`` of; ``text`` is that of its file."""
    if isinstance(found, RuleProblem):
        return ["problem", found.reason, found.line, found.rule_id, found.title]
    if isinstance(found, SigmaMatchRule):
        return ["match", *_match_written(found, text)]
    if isinstance(found, IndicatorDraft):
        listed = [found.fields, found.kind, found.file, found.values, found.file_line]
        return ["indicator", _match_written(found.match, text), *listed]
    if isinstance(found, CorrelationDraft):
        return ["correlation", *_correlation_written(found, text)]
    if isinstance(found, NewTermsDraft):
        new = found.new_terms
        terms = [new.fields, _s(new.window), _s(new.learning), new.group_by]
        tests = [_sequence_written(test) for test in new.tests]
        return ["new_terms", _match_written(found.match, text), terms, tests, new.line]
    if isinstance(found, HealthDraft):
        health = found.health
        rest = [health.metric, _bounds_written(health.bounds), _s(health.lasting)]
        about = [health.subject, health.only, health.line, found.name]
        return ["health", _rule_written(health.rule, text), *rest, *about]
    source = found.logsource
    asked = [source.product, source.category, source.service]
    condition = _node_written(found.condition)
    about = [found.id, found.title, asked, found.rules, found.text]
    return ["filter", *about, condition, found.line, dict(found.lines)]


def read_back(stored: Sequence[AnyValue], path: str, text: str) -> Read:
    """What was ``written`` of the file ``path``. Damage raises an error of a builtin kind."""
    return _READERS[stored[0]](stored, path, text)


def _match_written(found: SigmaMatchRule, text: str) -> list[AnyValue]:
    tests = [_test_written(test) for test in found.tests]
    rule = _rule_written(found.rule, text)
    return [rule, _node_written(found.condition), tests, found.line, found.name]


def _rule_written(rule: Rule, text: str) -> list[AnyValue]:
    source = rule.logsource
    return [
        [rule.id, rule.title, rule.level, [source.product, source.category, source.service]],
        [rule.kind, rule.status, rule.description, rule.author, rule.tags, rule.techniques],
        [rule.false_positives, rule.references, rule.entity_kinds, rule.questions, rule.response],
        None if rule.source_text == text else rule.source_text,
    ]


def _correlation_written(found: CorrelationDraft, text: str) -> list[AnyValue]:
    one = found.correlation
    return [
        _rule_written(one.rule, text),
        [one.type, one.rules, _s(one.timespan), one.group_by],
        {alias: dict(of_rules) for alias, of_rules in one.aliases.items()},
        [_bounds_written(one.bounds), one.fields, one.percentile, one.generate],
        [_sequence_written(test) for test in one.tests],
        one.name,
        one.line,
        dict(found.lines),
    ]


def _test_written(test: RuleTest) -> list[AnyValue]:
    return [test.name, test.must_match, _event_written(test.event), test.line]


def _sequence_written(test: Sequenced) -> list[AnyValue]:
    events = [[at, rule, _event_written(event)] for at, rule, event in test.events]
    return [test.name, test.findings, events, test.line]


def _event_written(event: dict[str, object]) -> str:
    return orjson.dumps(event, option=orjson.OPT_NON_STR_KEYS).decode()


def _node_written(node: Node) -> AnyValue:
    if isinstance(node, Matcher):
        return [node.field, node.operator, node.values, node.cased, node.part]
    if isinstance(node, Not):
        return {"not": _node_written(node.part)}
    name = "all" if isinstance(node, All) else "any"
    return {name: [_node_written(part) for part in node.parts]}


def _bounds_written(bounds: Sequence[Bound]) -> list[AnyValue]:
    return [[bound.comparison, bound.value] for bound in bounds]


def _s(span: timedelta) -> float:
    return span.total_seconds()


def _rule_read(stored: AnyValue, path: str, text: str) -> Rule:
    identity, about, guide, own_text = stored
    return Rule(
        id=identity[0],
        title=identity[1],
        level=_LEVELS[identity[2]],
        logsource=LogSource(*identity[3]),
        kind=_RULE_KINDS[about[0]],
        status=about[1],
        description=about[2],
        author=about[3],
        tags=tuple(about[4]),
        techniques=tuple(about[5]),
        false_positives=tuple(guide[0]),
        references=tuple(guide[1]),
        entity_kinds=tuple(guide[2]),
        questions=tuple(guide[3]),
        response=guide[4],
        path=path,
        source_text=text if own_text is None else own_text,
    )


def _problem_read(stored: Sequence[AnyValue], path: str, text: str) -> RuleProblem:
    _, reason, line, rule_id, title = stored
    return RuleProblem(path, reason, line, rule_id, title)


def _match_read(stored: Sequence[AnyValue], path: str, text: str) -> SigmaMatchRule:
    rule, condition, tests, line, name = stored[1:] if stored[0] == "match" else stored
    carried = tuple(_test_read(test) for test in tests)
    return SigmaMatchRule(_rule_read(rule, path, text), _node_read(condition), carried, line, name)


def _correlation_read(stored: Sequence[AnyValue], path: str, text: str) -> CorrelationDraft:
    _, rule, taken, aliases, measured, tests, name, line, lines = stored
    kind, rules, span_s, group_by = taken
    bounds, fields, percentile, generate = measured
    correlation = CorrelationRule(
        rule=_rule_read(rule, path, text),
        type=CorrelationType(kind),
        rules=tuple(rules),
        timespan=timedelta(seconds=span_s),
        group_by=tuple(group_by),
        aliases=aliases,
        bounds=_bounds_read(bounds),
        fields=tuple(fields),
        percentile=percentile,
        generate=generate,
        name=name,
        tests=tuple(_sequence_read(test) for test in tests),
        line=line,
    )
    return CorrelationDraft(correlation, lines)


def _new_terms_read(stored: Sequence[AnyValue], path: str, text: str) -> NewTermsDraft:
    _, kept, (fields, window_s, learning_s, group_by), tests, line = stored
    match = _match_read(kept, path, text)
    new_terms = NewTermsRule(
        rule=match.rule,
        fields=tuple(fields),
        window=timedelta(seconds=window_s),
        learning=timedelta(seconds=learning_s),
        group_by=tuple(group_by),
        tests=tuple(_sequence_read(test) for test in tests),
        line=line,
    )
    return NewTermsDraft(new_terms, match)


def _indicator_read(stored: Sequence[AnyValue], path: str, text: str) -> IndicatorDraft:
    _, kept, fields, kind, file, values, file_line = stored
    match = _match_read(kept, path, text)
    return IndicatorDraft(match, tuple(fields), ListKind(kind), file, tuple(values), file_line)


def _health_read(stored: Sequence[AnyValue], path: str, text: str) -> HealthDraft:
    _, rule, metric, bounds, lasting_s, subject, only, line, name = stored
    health = HealthRule(
        rule=_rule_read(rule, path, text),
        metric=metric,
        bounds=_bounds_read(bounds),
        lasting=timedelta(seconds=lasting_s),
        subject=subject,
        only=tuple(only),
        line=line,
    )
    return HealthDraft(health, name)


def _filter_read(stored: Sequence[AnyValue], path: str, text: str) -> FilterDraft:
    _, filter_id, title, asked, rules, own_text, condition, line, lines = stored
    node, source = _node_read(condition), LogSource(*asked)
    return FilterDraft(filter_id, title, source, tuple(rules), node, path, own_text, line, lines)


def _test_read(stored: Sequence[AnyValue]) -> RuleTest:
    name, must_match, event, line = stored
    return RuleTest(name, must_match, orjson.loads(event), line)


def _sequence_read(stored: Sequence[AnyValue]) -> Sequenced:
    name, findings, events, line = stored
    timed = tuple((at, rule, orjson.loads(event)) for at, rule, event in events)
    return Sequenced(name, findings, timed, line)


def _bounds_read(stored: Sequence[AnyValue]) -> tuple[Bound, ...]:
    return tuple(Bound(Comparison(comparison), value) for comparison, value in stored)


def _node_read(stored: AnyValue) -> Node:
    if type(stored) is list:
        field, operator, values, cased, part = stored
        return Matcher(field, _OPERATORS[operator], tuple(values), cased, part)
    ((name, inside),) = stored.items()
    if name == "not":
        return Not(_node_read(inside))
    parts = tuple([_node_read(part) for part in inside])
    return All(parts) if name == "all" else Any(parts)


_READERS: dict[str, Callable[[Sequence[AnyValue], str, str], Read]] = {
    "problem": _problem_read,
    "match": _match_read,
    "correlation": _correlation_read,
    "new_terms": _new_terms_read,
    "indicator": _indicator_read,
    "health": _health_read,
    "filter": _filter_read,
}
