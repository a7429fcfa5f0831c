"""``tocsin rules test``: rules' own tests, those over several events, regression suites, JUnit."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

Tocsin = Callable[..., Any]

MATCH = """\
title: Shell of a web server
id: 6a3c9a70-0000-4000-8000-000000000001
name: web_shell
status: test
logsource: {product: windows, category: process_creation}
detection:
  s:
    ParentImage|endswith: \\w3wp.exe
  condition: s
level: high
tocsin:
  tests:
    - name: It starts one
      expect: match
      event: {ParentImage: 'C:\\w3wp.exe'}
    - name: Another parent
      expect: silent
      event: {ParentImage: 'C:\\explorer.exe'}
    - name: The parent is missing
      expect: silent
      event: {Image: 'C:\\w3wp.exe'}
"""
SEVERAL = """\
title: Three shells of one server
id: 6a3c9a70-0000-4000-8000-000000000002
status: test
correlation:
  type: event_count
  rules: [web_shell]
  group-by: [Computer]
  timespan: 1m
  condition: {gte: 3}
level: high
tocsin:
  tests:
    - name: Three in a minute
      expect: match
      events:
        - {at: 0, event: {ParentImage: '\\w3wp.exe', Computer: a}}
        - {at: 20, event: {ParentImage: '\\w3wp.exe', Computer: a}}
        - {at: 40, event: {ParentImage: '\\w3wp.exe', Computer: A}}
    - name: They arrive out of order
      expect: match
      events:
        - {at: 40, event: {ParentImage: '\\w3wp.exe', Computer: a}}
        - {at: 0, event: {ParentImage: '\\w3wp.exe', Computer: a}}
        - {at: 20, event: {ParentImage: '\\w3wp.exe', Computer: a}}
    - name: Of several servers
      expect: silent
      events:
        - {at: 0, event: {ParentImage: '\\w3wp.exe', Computer: a}}
        - {at: 20, event: {ParentImage: '\\w3wp.exe', Computer: b}}
        - {at: 40, event: {ParentImage: '\\w3wp.exe', Computer: c}}
    - name: The server is missing
      expect: silent
      events:
        - {at: 0, event: {ParentImage: '\\w3wp.exe'}}
        - {at: 20, event: {ParentImage: '\\w3wp.exe'}}
        - {at: 40, event: {ParentImage: '\\w3wp.exe'}}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "web.yml").write_text(f"{MATCH}---\n{SEVERAL}", encoding="utf-8")
    return folder


def test_tests_of_single_and_of_several_events_pass(tocsin: Tocsin, rules: Path) -> None:
    ran = tocsin("rules", "test", rules, "--json")
    assert ran.code == 0, ran.out
    assert [one["passed"] for one in ran.json["results"]] == [True] * 7
    shown = tocsin("rules", "test", rules)
    assert "7 passed, 0 failed; 2 of 2 rules have tests" in shown.out


def test_a_heartbeat_is_tested_up_to_the_last_event(tocsin: Tocsin, rules: Path) -> None:
    beat = SEVERAL.partition("correlation:")[0] + (
        "absence: {rules: [web_shell], group-by: [Computer], timespan: 1m}\n"
        "tocsin:\n  tests:\n"
        "    - {name: It beats, expect: silent, events: [{at: 0, event: &a {ParentImage: '\\w3wp.exe',"
        " Computer: a}}, {at: 50, event: *a}]}\n"
        "    - {name: It stops, expect: match, events: [{at: 0, event: *a}, {at: 60, event:"
        " {ParentImage: '\\w3wp.exe', Computer: b}}]}\n"
    )
    (rules / "web.yml").write_text(f"{MATCH}---\n{beat}", encoding="utf-8")
    ran = tocsin("rules", "test", rules)
    assert ran.code == 0, ran.out
    assert "5 passed, 0 failed" in ran.out


def test_a_failing_test_is_told_with_its_place(tocsin: Tocsin, rules: Path) -> None:
    file = rules / "web.yml"
    wrong = file.read_text().replace("condition: {gte: 3}", "condition: {gte: 4}")
    file.write_text(wrong.replace("expect: match", "expect: silent", 1))
    ran = tocsin("rules", "test", rules)
    assert ran.code == 1
    lines = wrong.splitlines()
    for name in ("It starts one", "Three in a minute", "They arrive out of order"):
        line = next(at for at, text in enumerate(lines, 1) if name in text)
        assert f"FAILED {file}:{line}: " in ran.out, ran.out
    assert "1 findings expected, 0 found" in ran.out


def test_a_test_with_an_event_of_an_unknown_rule_is_refused(tocsin: Tocsin, rules: Path) -> None:
    file = rules / "web.yml"
    file.write_text(file.read_text().replace("{at: 40, event", "{at: 40, rule: nobody, event", 1))
    ran = tocsin("rules", "test", rules)
    assert ran.code == 2
    assert f"NOT LOADED {file}:35: " in ran.out
    assert "nobody" in ran.out


def test_rules_that_do_not_load_are_told(tocsin: Tocsin, rules: Path) -> None:
    (rules / "broken.yml").write_text("title: x\nlogsource: {product: windows}\n")
    ran = tocsin("rules", "test", rules)
    assert ran.code == 2
    assert f"NOT LOADED {rules / 'broken.yml'}:" in ran.out


def test_what_is_not_there_is_said(tocsin: Tocsin, rules: Path) -> None:
    ran = tocsin("rules", "test", rules / "nowhere")
    assert ran.code == 3
    assert "nowhere: no such file or folder" in ran.err


def _shape(path: Path) -> ElementTree.Element:
    """Holds a file to the JUnit shape build servers share; its root."""
    root = ElementTree.parse(path).getroot()  # noqa: S314 - our own file
    assert root.tag == "testsuites"
    for suite in root:
        assert suite.tag == "testsuite"
        assert suite.get("name")
        cases = list(suite)
        for case in cases:
            assert case.tag == "testcase"
            assert case.get("name")
            assert case.get("classname")
            assert {child.tag for child in case} <= {"failure", "error", "skipped"}
            assert all(child.get("message") and child.get("type") for child in case)
        counted = {"tests": len(cases), "failures": 0, "errors": 0}
        for case in cases:
            counted["failures"] += case.find("failure") is not None
            counted["errors"] += case.find("error") is not None
        assert {name: int(suite.get(name, -1)) for name in counted} == counted
    for name in ("tests", "failures", "errors"):
        assert int(root.get(name, -1)) == sum(int(suite.get(name, -1)) for suite in root)
    return root


def test_results_are_written_as_junit(tocsin: Tocsin, rules: Path, tmp_path: Path) -> None:
    file = rules / "web.yml"
    file.write_text(file.read_text().replace("Another parent", '"A <b>\\0 name"'))
    (rules / "broken.yml").write_text("title: x\nlogsource: {product: windows}\n")
    (rules / "wrong.yml").write_text(
        MATCH.replace("000000000001", "000000000009")
        .replace("name: web_shell\n", "")
        .replace("expect: match", "expect: silent")
    )
    report = tmp_path / "report.xml"
    ran = tocsin("rules", "test", rules, "--junit", report)
    assert ran.code == 1
    root = _shape(report)
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "11",
        "failures": "1",
        "errors": "1",
    }
    (failure,) = root.iter("failure")
    assert f"{rules / 'wrong.yml'}:" in (failure.text or "")
    assert "A <b>\ufffd name" in {case.get("name") for case in root.iter("testcase")}


def test_a_report_that_can_not_be_written_is_an_error(tocsin: Tocsin, rules: Path) -> None:
    ran = tocsin("rules", "test", rules, "--junit", rules)
    assert ran.code == 3
    assert "can't be written" in ran.err


SUITED = """\
title: A download tool runs
id: 6a3c9a70-0000-4000-8000-000000000003
status: test
logsource: {product: windows, category: process_creation}
detection:
  s:
    Image|endswith: \\curl.exe
  condition: s
level: low
regression_tests_path: regression_data/curl/info.yml
"""
INFO = """\
regression_tests_info:
  - name: Positive Detection Test
    type: json
    match_count: %s
    path: regression_data/curl/sample.json
"""
SAMPLE = (
    '{"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Image": "C:\\\\curl.exe",'
    ' "SourceName": "Microsoft-Windows-Sysmon", "CommandLine": "curl", "UtcTime": "2026-01-01 00:00:00"}\n'
)


@pytest.fixture
def suited(tmp_path: Path) -> Path:
    data = tmp_path / "repository" / "regression_data" / "curl"
    data.mkdir(parents=True)
    (data / "info.yml").write_text(INFO % 2)
    (data / "sample.json").write_text(SAMPLE * 2)
    rules = tmp_path / "repository" / "rules" / "windows"
    rules.mkdir(parents=True)
    (rules / "curl.yml").write_text(SUITED)
    return tmp_path / "repository"


@pytest.mark.parametrize("count", ["2", "1", "null"])
def test_a_regression_suite_wants_at_least_so_many_hits(
    tocsin: Tocsin, suited: Path, count: str
) -> None:
    (suited / "regression_data" / "curl" / "info.yml").write_text(INFO % count)
    ran = tocsin("rules", "test", suited / "rules", "--json")
    assert ran.code == 0, ran.out
    (result,) = ran.json["results"]
    assert result["test"] == "Positive Detection Test (sample.json)"
    assert result["line"] == 10


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: (data / "info.yml").write_text(INFO % 3), "2 hits in 2 events"),
        (lambda data: (data / "sample.json").unlink(), "no such sample"),
        (lambda data: (data / "info.yml").unlink(), "--samples"),
        (lambda data: (data / "info.yml").write_text("a: ["), "can't be read"),
        (lambda data: (data / "info.yml").write_text("a: 1"), "at least one test"),
        (lambda data: (data / "info.yml").write_text(INFO % "-1"), "number of hits"),
        (
            lambda data: (data / "info.yml").write_text(
                (INFO % 1).replace("regression_data/curl/sample.json", "../../../../secret.json")
            ),
            "no such sample",
        ),
    ],
)
def test_a_suite_that_fails_says_why_and_where(
    tocsin: Tocsin, suited: Path, change: Callable[[Path], object], reason: str
) -> None:
    (suited.parent / "secret.json").write_text(SAMPLE)
    change(suited / "regression_data" / "curl")
    ran = tocsin("rules", "test", suited / "rules", "--json")
    assert ran.code == 1
    (result,) = ran.json["results"]
    assert not result["passed"]
    assert reason in result["reason"]
    assert result["line"] == 10


def test_samples_may_be_kept_apart_from_the_rules(
    tocsin: Tocsin, suited: Path, tmp_path: Path
) -> None:
    rules = tmp_path / "elsewhere"
    rules.mkdir()
    (rules / "curl.yml").write_text(SUITED)
    assert tocsin("rules", "test", rules).code == 1
    assert tocsin("rules", "test", rules, "--samples", suited).code == 0


SEVERAL_SUITED = (
    SUITED.replace("regression_tests_path: regression_data/curl/info.yml\n", "")
    + """\
name: curl_run
---
title: Curl again and again
id: 6a3c9a70-0000-4000-8000-000000000009
status: test
correlation:
  type: event_count
  rules: [curl_run]
  group-by: [Image]
  timespan: 5m
  condition: {gte: %d}
level: medium
regression_tests_path: regression_data/curl/info.yml
"""
)


@pytest.mark.parametrize(("least", "expected"), [(2, 0), (3, 1)])
def test_the_suite_of_a_correlation_counts_its_findings(
    tocsin: Tocsin, suited: Path, least: int, expected: int
) -> None:
    (suited / "regression_data" / "curl" / "info.yml").write_text(INFO % 1)
    (suited / "rules" / "windows" / "curl.yml").write_text(SEVERAL_SUITED % least)
    ran = tocsin("rules", "test", suited / "rules", "--json")
    assert ran.code == expected, ran.out
    (result,) = ran.json["results"]
    assert result["rule_title"] == "Curl again and again"
    assert result["line"] == 22
    assert ("0 findings in 2 events" in result["reason"]) is bool(expected)


@pytest.mark.slow
def test_the_regression_suites_of_the_public_rules_pass(
    tocsin: Tocsin, test_data: Path, tmp_path: Path
) -> None:
    for name, archive in (("sigma-rules", "rules"), ("sigma-regression", "samples")):
        with tarfile.open(test_data / name / f"{archive}.tar.xz", "r:xz") as packed:
            packed.extractall(tmp_path / "sigma", filter="data")
    suites = tmp_path / "suites"
    suites.mkdir()
    known = {path.stem for path in (tmp_path / "sigma").rglob("*.evtx")}
    for path in (tmp_path / "sigma").rglob("*.yml"):
        text = path.read_text(encoding="utf-8")
        if "\nregression_tests_path:" in text and any(f"\nid: {one}" in text for one in known):
            (suites / path.name).write_text(text, encoding="utf-8")
    report = tmp_path / "report.xml"
    ran = tocsin(
        "rules", "test", suites, "--samples", tmp_path / "sigma", "--json", "--junit", report
    )
    assert ran.code == 0, [one for one in ran.json["results"] if not one["passed"]]
    assert len(ran.json["results"]) == 49
    assert int(_shape(report).get("tests", 0)) == 49
