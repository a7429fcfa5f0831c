"""The engine as the flow uses it: lanes, replacing rules, findings."""

from datetime import UTC, datetime

import pytest

from tests.detect.rule_texts import ID, one_rule, rule_text
from tocsin.detect.authoring.rule_tests import run_tests
from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.errors import DetectError
from tocsin.detect.findings import findings_of
from tocsin.detect.matching.engine import Engine, Hit
from tocsin.detect.reading.rule_reading import read_rules
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.lane import Lane
from tocsin.model.severity import Level

LANE = lane_for("windows", "process_creation", None)
DETECTION = "  s: {Image|endswith: '\\cmd.exe'}\n  condition: s"
EVENTS = [{"Image": "C:\\cmd.exe", "User": "bob"}, {"Image": "x"}, {"Image": "D:\\CMD.EXE"}]


@pytest.fixture
def ruleset() -> RuleSet:
    return RuleSet((one_rule(DETECTION),))


def test_hits_name_the_rule_and_its_rows(ruleset: RuleSet) -> None:
    (hit,) = Engine(ruleset).evaluate(batch_of(LANE, EVENTS))
    assert hit == Hit(ruleset.rules[0].rule, (0, 2))


@pytest.mark.parametrize(
    ("lane", "answers"),
    [
        (Lane("a", "b", "windows", ("process_creation",), ("sysmon",)), True),
        (Lane("a", "b", "linux", ("process_creation",)), False),
        (Lane("a", "b", "windows", ("file_event",)), False),
        (Lane("a", "b", "windows"), False),
    ],
)
def test_a_rule_sees_only_the_log_source_it_asks_for(
    ruleset: RuleSet, lane: Lane, answers: bool
) -> None:
    assert bool(Engine(ruleset).evaluate(batch_of(lane, EVENTS))) is answers


def test_replaced_rules_are_in_force_from_the_next_batch(ruleset: RuleSet) -> None:
    engine = Engine(ruleset)
    batch = batch_of(LANE, EVENTS)
    assert engine.evaluate(batch)
    engine.replace(RuleSet((one_rule("  s: {User: bob}\n  condition: s"),)))
    assert [hit.rows for hit in engine.evaluate(batch)] == [(0,)]
    engine.replace(RuleSet())
    assert engine.evaluate(batch) == []


def test_what_was_learned_from_one_batch_does_not_mislead_the_next(ruleset: RuleSet) -> None:
    engine = Engine(ruleset)
    for start in range(0, 60, 3):
        events = [
            {"Image": f"{n}\\cmd.exe" if n % 7 == 0 else f"{n}"} for n in range(start, start + 30)
        ]
        hits = engine.evaluate(batch_of(LANE, events))
        expected = tuple(at for at, n in enumerate(range(start, start + 30)) if n % 7 == 0)
        assert [hit.rows for hit in hits] == [expected]


def test_a_field_may_change_its_type_and_shape_between_batches() -> None:
    rules = RuleSet((one_rule("  s: {EventID: 5}\n  condition: s"),))
    engine = Engine(rules)
    shapes: list[object] = [5, "5", [4, 5], 5.0, {"a": 5}, None, [[5]], True]
    found = [bool(engine.evaluate(batch_of(LANE, [{"EventID": s, "x": 1}]))) for s in shapes]
    assert found == [True, True, True, True, False, False, False, False]


def test_a_finding_tells_why_about_whom_and_repeats_its_id(ruleset: RuleSet) -> None:
    batch = batch_of(LANE, EVENTS)
    hits = Engine(ruleset).evaluate(batch)
    someone = (Entity(EntityKind.USER, "bob"),)
    findings = findings_of(batch, hits, ruleset, lambda _rule, _ocsf: someone)
    first = findings[0]
    assert len(findings) == 2
    assert (first.rule_id, first.level) == (ID, Level.HIGH)
    assert first.techniques == ("T1059.001",)
    assert first.entities == someone
    assert first.fields == EVENTS[0]
    assert first.ocsf == {"class_uid": 0}
    assert first.event_id == batch.event_ids[0].as_py()
    assert first.time == datetime(2000, 1, 1, tzinfo=UTC)
    assert [(m.name, m.pattern) for m in first.matched] == [("Image", "Image|endswith: \\cmd.exe")]
    again = findings_of(batch, hits, ruleset, lambda _rule, _ocsf: someone)
    assert [one.finding_id for one in again] == [one.finding_id for one in findings]
    assert len({one.finding_id for one in findings}) == 2


def test_hits_of_rules_that_are_gone_are_an_error(ruleset: RuleSet) -> None:
    batch = batch_of(LANE, EVENTS)
    hits = Engine(ruleset).evaluate(batch)
    with pytest.raises(DetectError, match=ID):
        findings_of(batch, hits, RuleSet(), lambda _rule, _ocsf: ())


def test_the_tests_in_a_rule_are_run_and_a_wrong_one_says_so() -> None:
    extra = (
        "tocsin:\n  tests:\n"
        "    - {name: right, expect: match, event: {Image: 'a\\cmd.exe'}}\n"
        "    - {name: quiet, expect: silent, event: {Image: net.exe}}\n"
        "    - {name: wrong, expect: match, event: {Image: net.exe}}\n"
        "    - {name: loud, expect: silent, event: {Image: 'a\\cmd.exe'}}\n"
    )
    found = read_rules(rule_text(DETECTION, extra=extra), "rule.yml")
    rules = tuple(one for one in found if isinstance(one, SigmaMatchRule))
    results = run_tests(RuleSet(rules))
    assert [(result.name, result.passed) for result in results] == [
        ("right", True),
        ("quiet", True),
        ("wrong", False),
        ("loud", False),
    ]
    assert "must match" in results[2].reason
    assert "stay silent" in results[3].reason
    assert results[2].line > results[1].line > 0


def test_a_hostile_expression_is_given_up_aloud_and_does_not_stall_the_stream() -> None:
    hostile = one_rule("  s: {CommandLine|re: '(?:a|aa)+(?!b)$'}\n  condition: s")
    engine = Engine(RuleSet((hostile,)))
    batch = batch_of(LANE, [{"CommandLine": f"{'a' * 60}{n}c"} for n in range(5_000)])
    assert engine.limits == {}
    assert engine.evaluate(batch) == []
    assert engine.limits == {ID: 5_000}
    assert engine.paused == {ID}
    assert engine.evaluate(batch_of(LANE, [{"User": "bob"}])) == []


def test_a_quick_match_of_an_expression_with_a_limit_is_a_match() -> None:
    rule = one_rule("  s: {Image|re: '(?<!system32)\\\\cmd'}\n  condition: s")
    engine = Engine(RuleSet((rule,)))
    assert [hit.rows for hit in engine.evaluate(batch_of(LANE, EVENTS[:2]))] == [(0,)]
    assert engine.limits == {}
