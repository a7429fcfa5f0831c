"""Runs the tests one rule carries, without those of the rules it takes."""

from dataclasses import dataclass, replace
from typing import Any

from tocsin.detect.rule_tests import RuleTestResult, run_tests
from tocsin.detect.ruleset import RuleSet
from tocsin.detect.stateful_rule import CorrelationRule, StatefulRule


@dataclass(frozen=True, slots=True)
class CarriedTest:
    """A test as the rule's file has it.

    ``expects`` says in words what must come of it; ``events`` are native fields, in order.
    """

    name: str
    line: int
    expects: str
    events: tuple[dict[str, Any], ...]


def carried_tests(ruleset: RuleSet, rule_id: str) -> list[CarriedTest]:
    """The tests of a rule in the order written; none for a rule that carries none."""
    stateful = _stateful(ruleset, rule_id)
    if stateful is not None:
        return [
            CarriedTest(
                test.name,
                test.line,
                f"{test.findings} finding{'s' if test.findings != 1 else ''}",
                tuple(fields for _, _, fields in test.events),
            )
            for test in stateful.tests
        ]
    found = ruleset.by_id(rule_id)
    return [
        CarriedTest(
            test.name, test.line, "a match" if test.must_match else "no match", (test.event,)
        )
        for test in (found.tests if found is not None else ())
    ]


def try_rule(ruleset: RuleSet, rule_id: str) -> list[RuleTestResult]:
    """Run the rule's tests on the way events really go."""
    stateful = _stateful(ruleset, rule_id)
    if stateful is None:
        found = ruleset.by_id(rule_id)
        return run_tests(RuleSet((found,))) if found is not None else []
    needed = _taken(ruleset, stateful)
    return run_tests(
        RuleSet(
            rules=tuple(replace(one, tests=()) for one in ruleset.rules if one.rule.id in needed),
            stateful=tuple(
                one if one.rule.id == rule_id else replace(one, tests=())
                for one in ruleset.stateful
                if one.rule.id in needed
            ),
            silent=ruleset.silent & needed,
        )
    )


def _stateful(ruleset: RuleSet, rule_id: str) -> StatefulRule | None:
    return next((one for one in ruleset.stateful if one.rule.id == rule_id), None)


def _taken(ruleset: RuleSet, top: StatefulRule) -> set[str]:
    """The ids of a rule and of all it takes, directly or through others."""
    needed: set[str] = set()
    waiting = [top.rule.id]
    while waiting:
        rule_id = waiting.pop()
        if rule_id in needed:
            continue
        needed.add(rule_id)
        one = _stateful(ruleset, rule_id)
        if isinstance(one, CorrelationRule):
            waiting.extend(one.rules)
    return needed
