"""Fields rules wait for are ranked by how many rules seeing them would wake."""

from tests.detect.rule_texts import one_rule
from tocsin.detect.explaining.field_gaps import FieldGap, field_gaps
from tocsin.detect.explaining.reach import SeenFields
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.model.lane import Lane
from tocsin.model.rule import Rule
from tocsin.model.severity import Level

LANE = Lane("sysmon", "process", "windows", ("process_creation",), ("sysmon",))
SEEN: SeenFields = {LANE.id: {"host-a": frozenset({"Image"})}}


def _rule(rule_id: str, selection: str, condition: str = "a") -> SigmaMatchRule:
    found = one_rule(f"{selection}\n  condition: {condition}")
    return SigmaMatchRule(Rule(rule_id, rule_id, Level.LOW, found.rule.logsource), found.condition)


def test_a_field_that_wakes_more_rules_comes_first() -> None:
    rules = (
        _rule("able", "  a: {Image: x}"),
        _rule("one", "  a: {Image: x, Hashes: y}"),
        _rule("two", "  a: {Hashes: y}"),
        _rule("both", "  a: {Hashes: y, Company: z}"),
    )
    assert field_gaps(RuleSet(rules), [LANE], SEEN) == [
        FieldGap(LANE.id, "Hashes", ("one", "two"), ("one", "two", "both")),
        FieldGap(LANE.id, "Company", (), ("both",)),
    ]


def test_what_must_not_hold_and_lanes_without_a_source_are_no_gaps() -> None:
    rule = _rule("able", "  a: {Image: x}\n  b: {Hashes: y}", "a and not b")
    assert field_gaps(RuleSet((rule,)), [LANE], SEEN) == []
    assert field_gaps(RuleSet((_rule("two", "  a: {Hashes: y}"),)), [LANE], {}) == []
