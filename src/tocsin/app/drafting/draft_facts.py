"""What drafting a rule needs to know: its log source, what rules look at, and whether it holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.detect.authoring.lint import lint_text
from tocsin.detect.authoring.rule_tests import run_tests
from tocsin.detect.reading.rule_reading import read_rules
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import matchers_in
from tocsin.detect.rules.oracle import matches
from tocsin.model.lane import Lane, LogSource

Native = Mapping[str, Any]


def narrowest_logsource(lane: Lane) -> LogSource:
    """The narrowest that the lane answers for."""
    if lane.categories:
        return LogSource(lane.product, lane.categories[0])
    return LogSource(lane.product, None, lane.services[0] if lane.services else None)


def asked_fields(known: RuleSet, lane: Lane) -> Counter[str]:
    """How many rules of the lane look at each field."""
    return Counter(
        field
        for rule in known.rules
        if lane.accepts(rule.rule.logsource)
        for field in {one.field for one in matchers_in(rule.condition)} - {""}
    )


def tags_of_known(known: RuleSet, lane: Lane, natives: Sequence[Native]) -> list[str]:
    """The ATT&CK tags of rules that find the events already."""
    found = [
        rule.rule.tags
        for rule in known.rules
        if lane.accepts(rule.rule.logsource) and any(matches(rule, one) for one in natives)
    ]
    return sorted({tag for tags in found for tag in tags if tag.startswith("attack.")})


def found_by(text: str, natives: Sequence[Native]) -> list[bool]:
    """Which events the rules of a text find."""
    rules = [one for one in read_rules(text, "draft") if isinstance(one, SigmaMatchRule)]
    return [any(matches(rule, native) for rule in rules) for native in natives]


def faults_of(text: str, natives: Sequence[Native]) -> list[str]:
    """Why a draft is not what it is for: it must lint, pass its tests and find every event."""
    rules = tuple(one for one in read_rules(text, "draft") if isinstance(one, SigmaMatchRule))
    faults = [f"line {one.line}: {one.reason}" for one in lint_text(text, "draft", tests=True)]
    faults += [f"{one.name}: {one.reason}" for one in run_tests(RuleSet(rules)) if not one.passed]
    faults += [
        f"event {number} is not found"
        for number, is_found in enumerate(found_by(text, natives), 1)
        if not is_found
    ]
    return faults
