"""The linter names each fault with its line."""

from pathlib import Path

import pytest

from tests.detect.rule_texts import rule_text
from tocsin.detect.authoring.lint import lint, lint_text

PLAIN = "  s: {Image: cmd.exe}\n  condition: s"
TESTED = (
    "tocsin:\n  tests:\n"
    "    - {expect: match, event: {Image: cmd.exe}}\n"
    "    - {expect: silent, event: {Image: x}}\n"
)


def complaints(text: str) -> list[tuple[int, str]]:
    return [(problem.line, problem.reason) for problem in lint_text(text, "rule.yml")]


def test_a_good_rule_has_no_problems() -> None:
    assert complaints(rule_text(PLAIN, extra=TESTED)) == []


@pytest.mark.parametrize("key", ["title", "id", "level", "tags", "description", "status"])
def test_a_missing_key_is_told(key: str) -> None:
    lines = rule_text(PLAIN, extra=TESTED).splitlines(keepends=True)
    kept = [
        line
        for line in lines
        if not line.startswith((f"{key}:", "  - attack") if key == "tags" else f"{key}:")
    ]
    assert f"{key} is missing" in [reason for _, reason in complaints("".join(kept))]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (rule_text(PLAIN, extra=TESTED).replace("t1059.001", "T1059"), 13, "attack.T1059"),
        (rule_text(PLAIN, extra=TESTED).replace("t1059.001", "t59"), 13, "attack.t59"),
        (rule_text("  s: {a: 1}\n  unused: {b: 1}\n  condition: s", extra=TESTED), 10, "unused"),
        (rule_text("  s: {a: 1}\n  _x: {b: 1}\n  condition: 1 of them", extra=TESTED), 10, "_x"),
        (rule_text("  s:\n    a|all: 1\n  condition: s", extra=TESTED), 10, "several values"),
        (rule_text(PLAIN, extra="tocsin: {entity: user}\n"), 1, "no tests"),
        (rule_text(PLAIN, extra=TESTED.replace("silent", "match")), 16, "no test expects silent"),
        (rule_text("  s: {a|nope: 1}\n  condition: s", extra=TESTED), 9, "nope"),
        ("title: [", 1, "YAML"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, line: int, words: str) -> None:
    assert [(at, words in reason) for at, reason in complaints(text) if words in reason] == [
        (line, True)
    ]


def test_detections_named_by_patterns_and_by_them_count_as_used() -> None:
    by_pattern = "  s_a: {a: 1}\n  s_b: {b: 1}\n  condition: all of s_*"
    by_them = "  a: {a: 1}\n  b: {b: 1}\n  condition: 1 of them"
    for detection in (by_pattern, by_them):
        assert complaints(rule_text(detection, extra=TESTED)) == []


def test_folders_are_linted_with_ids_given_twice(tmp_path: Path) -> None:
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(rule_text(PLAIN, extra=TESTED), encoding="utf-8")
    (problem,) = lint([tmp_path])
    assert Path(problem.path).name == "b.yml"
    assert "a.yml" in problem.reason


def test_rules_of_others_need_no_tests_unless_asked() -> None:
    assert complaints(rule_text(PLAIN)) == []
    told = lint_text(rule_text(PLAIN), "rule.yml", tests=True)
    assert ["no tests" in problem.reason for problem in told] == [True]


CORRELATION = (
    "title: Several\nid: 5f0b7f3e-0000-4000-8000-00000000000c\nstatus: test\nlevel: high\n"
    "description: For a test.\ntags: [attack.t1110]\n"
    "correlation: {type: event_count, rules: [a], timespan: 1h, condition: {gte: 2}}\n"
)


def test_a_correlation_is_linted_by_its_own_kind() -> None:
    assert complaints(CORRELATION) == []
    tested = CORRELATION + ("tocsin:\n  tests:\n    - {expect: 2 findings, events: []}\n")
    assert complaints(tested) == [(9, "no test expects silent")]
    assert complaints(tested + "    - {expect: 0 findings, events: []}\n") == []


def test_a_filter_needs_no_level_and_should_leave_something_out() -> None:
    text = (
        "title: f\nid: 5f0b7f3e-0000-4000-8000-00000000000f\ndescription: d\n"
        "logsource: {product: windows}\nfilter:\n  rules: any\n  s: {a: b}\n  t: {c: d}\n"
        "  condition: {}\n"
    )
    assert complaints(text.replace("{}", "not 1 of them")) == []
    assert complaints(text.replace("{}", "not s")) == [(8, "filter t is not used by the condition")]
    (told,) = complaints(text.replace("{}", "s or t"))
    assert (told[0], "write 'not selection'" in told[1]) == (9, True)


@pytest.mark.parametrize("kind", ["filter", "correlation", "health", "detection", "tocsin", "tags"])
@pytest.mark.parametrize("odd", ["[]", "5", "null", "{x: [y]}"])
def test_odd_shapes_are_told_by_reading_and_do_not_stop_the_linter(kind: str, odd: str) -> None:
    assert complaints(f"title: t\n{kind}: {odd}\n")


def test_a_health_rule_needs_no_tags() -> None:
    text = (
        "title: h\nid: 5f0b7f3e-0000-4000-8000-00000000000e\nstatus: test\nlevel: high\n"
        "description: d\nhealth: {metric: lag_s, condition: {gt: 60}}\n"
    )
    assert complaints(text) == []


def test_every_fault_of_a_rule_is_told_at_once() -> None:
    text = rule_text("  s: {Image: a}\n  condition: s")
    wrong = text.replace("level: high", "level: hgh").replace("status: test", "status: testing")
    told = lint_text(wrong.replace("id: ", "id: no-"), "rule.yml")
    assert [one.line for one in told] == [2, 3, 14]
    assert "UUID" in told[0].reason
    assert "testing" in told[1].reason
    assert "hgh" in told[2].reason
