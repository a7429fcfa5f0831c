"""A drafted rule finds the events it was made of, lints clean and passes its own tests."""

from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.detect.rule_texts import one_rule
from tocsin.detect.authoring.lint import lint_text
from tocsin.detect.authoring.rule_drafting import NothingShared, Wished, draft_rule, escaped
from tocsin.detect.authoring.rule_tests import run_tests
from tocsin.detect.reading.rule_reading import read_rules
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.oracle import matches
from tocsin.model.lane import LogSource
from tocsin.model.severity import Level

SOURCE = LogSource("windows", "process_creation")
WISHED = Wished(
    "A draft", Level.HIGH, "5f0b7f3e-0000-4000-8000-000000000001", date(2026, 1, 5), "me"
)
EVENTS = [
    {"Image": "C:\\a\\tool.exe", "CommandLine": "tool.exe --grab all -o c:\\x1", "ProcessId": 1},
    {"Image": "D:\\b\\TOOL.exe", "CommandLine": "TOOL.exe -o c:\\y2 --grab few", "ProcessId": 2},
]


def _drafted(text: str) -> SigmaMatchRule:
    (rule,) = read_rules(text, "draft.yml")
    assert isinstance(rule, SigmaMatchRule), rule
    return rule


def test_a_draft_holds_what_the_events_share_and_nothing_that_changes() -> None:
    text = draft_rule(EVENTS, SOURCE, {"CommandLine": 9, "Image": 5, "ProcessId": 1}, WISHED)
    rule = _drafted(text)
    assert all(matches(rule, event) for event in EVENTS)
    assert not matches(rule, {"Image": "C:\\tool.exe", "CommandLine": "tool.exe --help"})
    assert "Image|endswith: \\tool.exe" in text
    assert "ProcessId" not in text.split("tests:")[0]
    assert lint_text(text, "draft.yml", tests=True) == []
    results = run_tests(RuleSet((rule,)))
    assert len(results) == 4
    assert all(one.passed for one in results), results


def test_nested_fields_are_named_by_their_path() -> None:
    events = [{"user": {"type": "Root", "name": "a"}, "eventName": "Stop"} for _ in range(2)]
    rule = _drafted(draft_rule(events, LogSource("aws"), {"user.type": 3, "eventName": 1}, WISHED))
    assert all(matches(rule, event) for event in events)
    assert not matches(rule, {"user": {"type": "Other"}, "eventName": "Stop"})
    assert all(one.passed for one in run_tests(RuleSet((rule,))))


def test_events_with_nothing_in_common_are_refused() -> None:
    with pytest.raises(NothingShared, match="share no value"):
        draft_rule([{"Image": "aaaa"}, {"Image": "bbbb"}], SOURCE, {}, WISHED)


@given(st.text(st.sampled_from("\\*?ab"), min_size=1, max_size=12))
def test_an_escaped_value_means_just_itself(text: str) -> None:
    selection = yaml.safe_dump({"Image": escaped(text)}, default_flow_style=True)
    rule = one_rule(f"  s: {selection}\n  condition: s")
    assert matches(rule, {"Image": text})
    for other in (text + "a", "a" + text, text.replace("*", "b").replace("?", "b") + "b"):
        assert not matches(rule, {"Image": other})
