"""From the tests a rule carries follow others: without a needed field, and out of order."""

from pathlib import Path

import pytest

from tocsin.detect.authoring import derived_tests
from tocsin.detect.authoring.derived_tests import not_derivable, run_derived
from tocsin.detect.reading.ruleset import RuleSet, load_rules

MATCH = """
title: Whoami is run
id: aaaaaaaa-0000-4000-8000-00000000000a
name: whoami
logsource: {product: windows, category: process_creation}
detection:
  image: {Image|endswith: '\\whoami.exe'}
  user: {User: root}
  condition: CONDITION
tocsin:
  tests:
    - name: as root
      expect: match
      event: {Image: 'C:\\whoami.exe', User: root}
"""
COUNT = """
---
title: Whoami is run twice
id: bbbbbbbb-0000-4000-8000-00000000000b
correlation:
  type: event_count
  rules: [whoami]
  group-by: [User]
  timespan: 1m
  condition: {gte: 2}
tocsin:
  tests:
    - name: twice
      expect: 1 findings
      events: EVENTS
"""
ONCE = "{at: 0s, rule: whoami, event: {Image: 'C:\\whoami.exe', User: root}}"
LATER = ONCE.replace("0s", "10s")


def loaded(folder: Path, text: str) -> RuleSet:
    (folder / "rule.yml").write_text(text)
    found = load_rules([folder])
    assert found.problems == ()
    return found


def test_a_rule_is_tried_without_each_field_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = loaded(tmp_path, MATCH.replace("CONDITION", "image and user"))
    assert run_derived(both) == not_derivable(both) == []
    monkeypatch.setattr(derived_tests, "matches", lambda one, record: "User" not in record)
    (failed,) = run_derived(both)
    assert (failed.name, failed.passed) == ("as root, without User", False)
    assert "disagree" in failed.reason


def test_a_rule_that_needs_neither_field_is_asked_for_a_test(tmp_path: Path) -> None:
    either = loaded(tmp_path, MATCH.replace("CONDITION", "image or user"))
    (asked,) = not_derivable(either)
    assert asked.reason.startswith("no test asks what happens when a field is missing")
    assert (asked.path, asked.line) == (str(tmp_path / "rule.yml"), 12)
    more = MATCH + "    - {name: none, expect: silent, event: {Image: 'C:\\a.exe'}}\n"
    assert not_derivable(loaded(tmp_path, more.replace("CONDITION", "image or user"))) == []


def test_a_correlation_is_tried_out_of_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = MATCH.replace("CONDITION", "image and user")
    twice = loaded(tmp_path, rule + COUNT.replace("EVENTS", f"[{ONCE}, {LATER}]"))
    assert run_derived(twice) == not_derivable(twice) == []
    tried = []
    real = derived_tests.run_sequence
    monkeypatch.setattr(
        derived_tests, "run_sequence", lambda *given: tried.append(given[2]) or real(*given)
    )
    run_derived(twice)
    assert [[at for at, _, _ in test.events] for test in tried] == [[10.0, 0.0]]
    at_once = loaded(tmp_path, rule + COUNT.replace("EVENTS", f"[{ONCE}, {ONCE}]"))
    (asked,) = not_derivable(at_once)
    assert asked.reason.startswith("no test has events out of order")
