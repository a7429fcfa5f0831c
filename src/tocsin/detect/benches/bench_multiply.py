"""Many times the rules, for the question how time grows with them: copies with other literals."""

from dataclasses import replace

from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules import wildcard
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import TEXT_OPERATORS, All, Any, Matcher, Node, Not, Operator

_KEPT = frozenset({Operator.CIDR})


def multiplied(ruleset: RuleSet, times: int) -> RuleSet:
    """The match rules, and ``times - 1`` copies of each with its own id and changed literals."""
    rules = list(ruleset.rules)
    for number in range(1, times):
        rules.extend(
            SigmaMatchRule(
                replace(one.rule, id=f"{one.rule.id}/{number}"), _changed(one.condition, number)
            )
            for one in ruleset.rules
        )
    return RuleSet(tuple(rules), ruleset.problems)


def _changed(node: Node, number: int) -> Node:
    if isinstance(node, All):
        return All(tuple(_changed(part, number) for part in node.parts))
    if isinstance(node, Any):
        return Any(tuple(_changed(part, number) for part in node.parts))
    if isinstance(node, Not):
        return Not(_changed(node.part, number))
    if node.operator not in TEXT_OPERATORS or node.operator in _KEPT:
        return node
    return _with_other_values(node, number)


def _with_other_values(matcher: Matcher, number: int) -> Matcher:
    mark = f"q{number}z"
    if matcher.operator is Operator.REGEX:
        return replace(matcher, values=tuple(f"{value}{mark}" for value in matcher.values))
    if matcher.operator is not Operator.GLOB:
        middles = ((value, len(value) // 2) for value in matcher.values)
        values = tuple(f"{value[:at]}{mark}{value[at:]}" for value, at in middles)
        return replace(matcher, values=values)
    changed = []
    for value in matcher.values:
        pieces = wildcard.read(value)
        at = next((at for at, piece in enumerate(pieces) if isinstance(piece, str)), None)
        if at is not None:
            pieces[at] = f"{pieces[at]}{mark}"
        changed.append(wildcard.write(pieces))
    return replace(matcher, values=tuple(changed))
