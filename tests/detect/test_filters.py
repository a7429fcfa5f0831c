"""Sigma filters: put on the rules they name, and told when they apply to nothing."""

from pathlib import Path

import pytest

from tests.detect.rule_texts import rule_text
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.oracle import matches

A = "5f0b7f3e-0000-4000-8000-00000000000a"
B = "5f0b7f3e-0000-4000-8000-00000000000b"
F = "5f0b7f3e-0000-4000-8000-00000000000f"


def base(name: str, rule_id: str) -> str:
    return rule_text("  s: {Image: a}\n  condition: s", rule_id=rule_id, extra=f"name: {name}\n")


def filter_text(rules: str, logsource: str = "product: windows") -> str:
    return (
        f"title: Accepted here\nid: {F}\nlogsource: {{{logsource}}}\n"
        f"filter:\n  rules: {rules}\n"
        "  admins:\n    User|startswith: adm_\n  backup: {User: svc}\n"
        "  condition: not 1 of them\n"
    )


def load(tmp_path: Path, *texts: str) -> RuleSet:
    rules = tmp_path / "rules"
    rules.mkdir()
    for at, text in enumerate(texts):
        (rules / f"{at}.yml").write_text(text, encoding="utf-8")
    first = load_rules([rules], cache=tmp_path / "cache")
    assert load_rules([rules], cache=tmp_path / "cache") == first
    return first


@pytest.mark.parametrize("rules", ["[a]", "a", f"[{A}]", f"[{A.upper()}]"])
def test_a_filter_narrows_the_rule_it_names_and_no_other(tmp_path: Path, rules: str) -> None:
    found = load(tmp_path, filter_text(rules), base("a", A), base("b", B))
    assert not found.problems
    named, other = found.rules
    assert matches(named, {"Image": "a", "User": "eve"})
    assert not matches(named, {"Image": "a", "User": "ADM_x"})
    assert not matches(named, {"Image": "a", "User": "svc"})
    assert not matches(named, {"Image": "b", "User": "eve"})
    assert matches(other, {"Image": "a", "User": "adm_x"})
    assert [(one.id, one.title, Path(one.path).name) for one in named.filters] == [
        (F, "Accepted here", "0.yml")
    ]
    assert other.filters == ()


@pytest.mark.parametrize("rules", ["any", "[]", "Any"])
def test_any_is_every_rule_within_the_log_source(tmp_path: Path, rules: str) -> None:
    elsewhere = base("b", B).replace("product: windows", "product: linux")
    found = load(tmp_path, base("a", A), elsewhere, filter_text(rules))
    assert not found.problems
    assert [len(one.filters) for one in found.rules] == [1, 0]


@pytest.mark.parametrize(
    ("rules", "logsource", "words", "line"),
    [
        ("any", "product: macos", "applies to no rule", 1),
        ("[a, gone]", "product: windows", "names gone", 5),
        ("[a]", "product: windows, service: system", "not within the filter's", 5),
        ("[c]", "product: windows", "no single events", 5),
    ],
)
def test_a_filter_that_applies_to_nothing_is_told(
    tmp_path: Path, rules: str, logsource: str, words: str, line: int
) -> None:
    counted = (
        "title: c\nname: c\ncorrelation:\n  {type: event_count, rules: [a], timespan: 1h, "
        "condition: {gte: 2}}\n"
    )
    found = load(tmp_path, filter_text(rules, logsource), base("a", A), counted)
    (problem,) = found.problems
    assert words in problem.reason
    assert (Path(problem.path).name, problem.line, problem.rule_id) == ("0.yml", line, F)


@pytest.mark.parametrize(
    ("old", "new", "words", "line"),
    [
        ("  rules: any\n", "", "rules is missing", 4),
        ("  condition: not 1 of them\n", "", "condition", 4),
        ("not 1 of them", "[a, b]", "one text", 9),
        ("not 1 of them", "not other", "other", 9),
        ("User|startswith", "User|begins", "begins", 7),
        ("logsource: {product: windows}\n", "", "log source", 1),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(
    tmp_path: Path, old: str, new: str, words: str, line: int
) -> None:
    text = filter_text("any")
    assert old in text
    (problem,) = load(tmp_path, text.replace(old, new), base("a", A)).problems
    assert words in problem.reason
    assert problem.line == line
