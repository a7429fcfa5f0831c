"""What keeps a rule from running: its own tests, and those that follow from them."""

from dataclasses import replace
from pathlib import Path

import pytest

from tocsin.app.rules.rule_promotion import allow_move, run_own_tests
from tocsin.detect.authoring import derived_tests
from tocsin.detect.errors import RefusedDecision
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.overlay import LifeState

WHOAMI = "aaaaaaaa-0000-4000-8000-00000000000a"
TWICE = "bbbbbbbb-0000-4000-8000-00000000000b"
EVENT = "{Image: 'C:\\whoami.exe', User: root}"
RULES = f"""
title: Whoami is run
id: {WHOAMI}
name: whoami
logsource: {{product: windows, category: process_creation}}
detection:
  selection: {{Image|endswith: '\\whoami.exe', User: root}}
  condition: selection
tocsin:
  tests:
    - {{name: as root, expect: match, event: {EVENT}}}
    - {{name: another, expect: silent, event: {{Image: 'C:\\a.exe', User: root}}}}
---
title: Whoami is run twice
id: {TWICE}
correlation:
  type: event_count
  rules: [whoami]
  group-by: [User]
  timespan: 1m
  condition: {{gte: 2}}
tocsin:
  tests:
    - name: twice
      expect: 1 findings
      events: [{{at: 0s, event: {EVENT}}}, {{at: 10s, event: {EVENT}}}]
"""


@pytest.fixture
def rules(tmp_path: Path) -> RuleSet:
    (tmp_path / "rules.yml").write_text(RULES)
    found = load_rules([tmp_path])
    assert found.problems == ()
    return found


def moved(rules: RuleSet, rule_id: str, to: LifeState = LifeState.STAGING) -> str:
    """Why the rule may not go on from draft; empty when it may."""
    try:
        allow_move(rule_id, LifeState.DRAFT, to, run_own_tests(rules, [rule_id]))
    except RefusedDecision as error:
        return str(error)
    return ""


def test_a_rule_that_passes_its_tests_goes_on_and_says_how_many_it_has(rules: RuleSet) -> None:
    tested = run_own_tests(rules, [WHOAMI, TWICE])
    assert {rule_id: (one.count, one.failed) for rule_id, one in tested.items()} == {
        WHOAMI: (2, ""),
        TWICE: (1, ""),
    }
    assert moved(rules, WHOAMI) == moved(rules, TWICE) == ""


@pytest.mark.parametrize(
    ("written", "instead", "name"),
    [
        ("expect: match", "expect: silent", "as root"),
        ("expect: silent", "expect: match", "another"),
    ],
)
def test_a_test_that_must_match_or_must_not_stops_it(
    rules: RuleSet, tmp_path: Path, written: str, instead: str, name: str
) -> None:
    (tmp_path / "rules.yml").write_text(RULES.replace(written, instead))
    wrong = load_rules([tmp_path])
    told = moved(wrong, WHOAMI)
    assert told.startswith(f"the rule fails its own tests: {name} ({tmp_path}/rules.yml:")
    assert moved(wrong, TWICE) == "", "another rule of the file has its own"
    assert moved(wrong, WHOAMI, LifeState.RETIRED) == "", "what does not run needs no test"


def test_a_rule_that_matches_without_a_field_it_needs_is_stopped(
    rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(derived_tests, "matches", lambda one, record: "User" not in record)
    told = moved(rules, WHOAMI)
    assert told.startswith("the rule fails its own tests: as root, without User (")
    assert moved(rules, TWICE) == ""


def test_a_correlation_that_says_something_else_of_events_out_of_order_is_stopped(
    rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = derived_tests.run_sequence

    def in_order_only(ruleset, one, test):
        moments = [at for at, _, _ in test.events]
        found = real(ruleset, one, test)
        return found if moments == sorted(moments) else replace(found, passed=False)

    monkeypatch.setattr(derived_tests, "run_sequence", in_order_only)
    told = moved(rules, TWICE)
    assert told.startswith("the rule fails its own tests: twice, out of order (")
    assert moved(rules, WHOAMI) == ""


def test_a_rule_that_is_not_loaded_can_not_run(rules: RuleSet) -> None:
    assert "is not loaded, so its tests can't run" in moved(rules, "gone")
