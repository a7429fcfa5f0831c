"""The tests a rule carries, as people read them."""

from dataclasses import dataclass
from typing import Any

from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.stateful_rule import StatefulRule


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


def _stateful(ruleset: RuleSet, rule_id: str) -> StatefulRule | None:
    return next((one for one in ruleset.stateful if one.rule.id == rule_id), None)
