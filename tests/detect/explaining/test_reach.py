"""A rule says whether it can match what arrives, and what it waits for."""

from dataclasses import replace
from datetime import timedelta

from tests.detect.rule_texts import one_rule
from tocsin.detect.explaining.reach import Obstacle, Reach, SeenFields, reach_of
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.stateful_rule import CorrelationRule, CorrelationType, NewTermsRule
from tocsin.model.lane import Lane, LogSource
from tocsin.model.rule import Rule, RuleKind
from tocsin.model.severity import Level

LANE = Lane("sysmon", "process", "windows", ("process_creation",), ("sysmon",))
OTHER = Lane("zeek", "conn", "zeek", (), ("conn",))
PROCESSES: SeenFields = {LANE.id: {"host-a": frozenset({"Image", "CommandLine"})}}


def _reach(detection: str, seen: SeenFields, lanes: tuple[Lane, ...] = (LANE,)) -> Reach:
    rule = one_rule(detection)
    return reach_of(RuleSet((rule,)), lanes, seen)[rule.rule.id]


def test_a_rule_whose_fields_were_seen_can_match_and_names_the_sources() -> None:
    found = _reach("  a:\n    Image|endswith: x\n  condition: a", PROCESSES)
    assert found.can_match
    assert found.sources == ("host-a",)


def test_no_connector_for_the_log_source_is_said() -> None:
    found = _reach("  a:\n    Image: x\n  condition: a", {}, lanes=(OTHER,))
    assert found.obstacle is Obstacle.NO_LANE
    assert "windows/process_creation/*" in found.reason


def test_a_lane_nobody_sends_is_said() -> None:
    found = _reach("  a:\n    Image: x\n  condition: a", {})
    assert found.obstacle is Obstacle.NO_SOURCE
    assert "sysmon.process" in found.reason


def test_a_field_that_must_hold_and_was_never_seen_is_named_with_the_source() -> None:
    found = _reach("  a:\n    Image: x\n    Hashes|contains: y\n  condition: a", PROCESSES)
    assert found.obstacle is Obstacle.UNSEEN_FIELD
    assert found.fields == ("Hashes",)
    assert found.reason == "needs Hashes, never seen from host-a"


def test_of_alternatives_one_seen_field_is_enough() -> None:
    found = _reach("  a:\n    Hashes: y\n  b:\n    Image: x\n  condition: a or b", PROCESSES)
    assert found.can_match


def test_alternatives_that_are_all_unseen_are_all_named() -> None:
    found = _reach("  a:\n    - Hashes: y\n    - Company: x\n  condition: a", PROCESSES)
    assert set(found.fields) == {"Hashes", "Company"}
    assert found.reason.startswith("needs one of ")


def test_what_must_not_hold_keywords_and_null_need_no_field() -> None:
    assert _reach(
        "  a:\n    Image: x\n  b:\n    Hashes: y\n  condition: a and not b", PROCESSES
    ).can_match
    assert _reach("  a:\n    - whoami\n  condition: a", PROCESSES).can_match
    assert _reach("  a:\n    Image: x\n    Hashes: null\n  condition: a", PROCESSES).can_match


def test_one_source_that_can_is_enough() -> None:
    seen = {LANE.id: {"old": frozenset({"Image"}), "new": frozenset({"Image", "Hashes"})}}
    found = _reach("  a:\n    Image: x\n    Hashes: y\n  condition: a", seen)
    assert found.sources == ("new",)


def _correlation(kind: CorrelationType, *bases: SigmaMatchRule) -> CorrelationRule:
    rule = Rule("correlation", "Together", Level.HIGH, LogSource(), RuleKind.CORRELATION)
    ids = tuple(base.rule.id for base in bases)
    return CorrelationRule(rule, kind, ids, timedelta(minutes=5))


def test_a_correlation_of_all_its_rules_waits_for_the_one_that_cannot() -> None:
    able = one_rule("  a:\n    Image: x\n  condition: a")
    text = one_rule("  a:\n    Hashes: x\n  condition: a")
    unable = SigmaMatchRule(
        Rule("unable", "Unable", Level.LOW, text.rule.logsource), text.condition
    )
    for kind, can in (
        (CorrelationType.TEMPORAL, False),
        (CorrelationType.TEMPORAL_ORDERED, False),
        (CorrelationType.EVENT_COUNT, True),
    ):
        ruleset = RuleSet((able, unable), stateful=(_correlation(kind, able, unable),))
        found = reach_of(ruleset, [LANE], PROCESSES)["correlation"]
        assert found.can_match is can
        assert can or "“Unable”" in found.reason


def test_a_correlation_needs_the_fields_it_groups_and_measures_by() -> None:
    base = one_rule("  a:\n    Image: x\n  condition: a")
    plain = _correlation(CorrelationType.EVENT_COUNT, base)
    for change, missing in (
        ({"group_by": ("Image",)}, ()),
        ({"group_by": ("SourceIp",)}, ("SourceIp",)),
        ({"fields": ("Hashes",)}, ("Hashes",)),
        (
            {"group_by": ("host",), "aliases": {"host": {base.rule.id: "Computer"}}},
            ("Computer",),
        ),
        ({"group_by": ("host",), "aliases": {"host": {base.rule.id: "Image"}}}, ()),
    ):
        ruleset = RuleSet((base,), stateful=(replace(plain, **change),))
        found = reach_of(ruleset, [LANE], PROCESSES)
        assert found["correlation"].fields == missing, change
        assert found[base.rule.id].can_match


def test_new_terms_need_the_field_whose_values_are_new() -> None:
    base = one_rule("  a:\n    Image: x\n  condition: a")
    span = timedelta(days=1)
    for fields, can in ((("CommandLine",), True), (("CommandLine", "User"), False)):
        ruleset = RuleSet((base,), stateful=(NewTermsRule(base.rule, fields, span, span),))
        assert reach_of(ruleset, [LANE], PROCESSES)[base.rule.id].can_match is can


def test_sources_that_show_the_same_are_all_named() -> None:
    seen = {
        LANE.id: {
            "b": frozenset({"Image", "x"}),
            "a": frozenset({"Image", "y"}),
            "c": frozenset({"z"}),
        }
    }
    assert _reach("  a:\n    Image: x\n  condition: a", seen).sources == ("a", "b")
