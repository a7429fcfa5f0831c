"""``tocsin rules new`` and ``lint --fix``, ``--junit``: from picked events to a gated repository."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Ran
from tests.detect.rule_texts import rule_text

Tocsin = Callable[..., Ran]
EVENT = {
    "EventID": 1,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Provider_Name": "Microsoft-Windows-Sysmon",
    "Computer": "ws-07",
    "TimeCreated": "2026-01-05T10:00:00Z",
    "Image": "C:\\Users\\eve\\AppData\\stealer.exe",
    "CommandLine": "stealer.exe --collect wallets",
}


def test_a_rule_drafted_of_picked_events_lints_and_tests_clean(
    tocsin: Tocsin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = tmp_path / "events.ndjson"
    other = {**EVENT, "Image": "D:\\x\\stealer.exe", "CommandLine": "stealer.exe --collect mail"}
    events.write_text("\n".join(json.dumps(one) for one in (EVENT, other)))
    rule = tmp_path / "rule.yml"
    made = tocsin("rules", "new", "--from-events", events, "--title", "Stealer", "-o", rule)
    assert made.code == 0, made.err
    assert tocsin("rules", "lint", rule, "--tests").code == 0
    assert tocsin("rules", "test", rule).code == 0
    assert tocsin("rules", "explain", rule, json.dumps(other)).code == 0
    miss = {**EVENT, "CommandLine": "notepad.exe a.txt", "Image": "C:\\notepad.exe"}
    assert tocsin("rules", "explain", rule, json.dumps(miss)).code == 1
    again = tocsin("rules", "new", "--from-events", events, "--title", "Stealer", "-o", rule)
    assert again.code == 3
    assert tocsin("ingest", events, "--source", "ws").code == 0
    stored = tocsin("search", "", "--json").json["events"][0]["event_id"]
    printed = tocsin("rules", "new", "--from-events", stored, "--title", "Stealer")
    assert printed.out.startswith("title: Stealer\n")


def test_events_no_rule_could_be_about_are_refused(tocsin: Tocsin, tmp_path: Path) -> None:
    for given, reason in (
        ('{"a": "b"}', "no connector knows"),
        ("[]", "no event was given"),
        (json.dumps([EVENT, {"a": "b"}]), "of several"),
        ("gone", "no event of that id"),
    ):
        told = tocsin("rules", "new", "--from-events", given, "--title", "x")
        assert told.code == 2
        assert reason in told.err


def test_lint_places_faults_repairs_the_safe_ones_and_writes_junit(
    tocsin: Tocsin, tmp_path: Path
) -> None:
    good = tmp_path / "rules" / "good.yml"
    good.parent.mkdir()
    good.write_text(rule_text("  s: {Image: a}\n  condition: s"))
    bad = good.with_name("bad.yml")
    text = rule_text("  s: {Image: a}\n  unused: {Image: b}\n  condition: s")
    text = text.replace("id: 5f0b7f3e-0000-4000-8000-000000000001\n", "")
    bad.write_text(text.replace("attack.t1059.001", "attack.T1059.001"))
    before = tocsin("rules", "lint", good.parent, "--json").json
    assert {(one["line"], one["column"]) for one in before} == {(1, 1), (9, 3), (13, 5)}
    junit = tmp_path / "lint.xml"
    fixed = tocsin("rules", "lint", good.parent, "--fix", "--junit", junit)
    assert fixed.code == 2
    assert "+  - attack.t1059.001" in fixed.out
    assert "bad.yml:11:3: detection unused is not used by the condition" in fixed.out
    assert "1 problems, 4 repaired" in fixed.out
    root = ElementTree.fromstring(junit.read_bytes())  # noqa: S314  # our own file
    assert root.get("failures") == "1"
    passed = [case.get("file") for case in root.iter("testcase") if case.find("failure") is None]
    assert passed == [str(good)]
    assert tocsin("rules", "lint", "--fix").code == 3


def test_lint_runs_the_tests_a_rule_carries_and_asks_for_those_that_do_not_follow(
    tocsin: Tocsin, tmp_path: Path
) -> None:
    rule = tmp_path / "rules" / "one.yml"
    rule.parent.mkdir()
    rule.write_text(
        rule_text(
            "  one: {Image: a}\n  two: {User: b}\n  condition: one or two",
            extra=(
                "tocsin:\n  tests:\n    - {name: both, expect: match, event: {Image: a, User: b}}\n"
                "    - {name: none, expect: silent, event: {Image: a, User: c}}\n"
            ),
        )
    )
    done = tocsin("rules", "lint", rule.parent, "--json")
    assert done.code == 2
    failed, asked = done.json
    assert (failed["line"], failed["severity"]) == (19, "error")
    assert failed["reason"].startswith("test 'none' fails: the rule must stay silent")
    assert (asked["line"], asked["severity"]) == (18, "warning")
