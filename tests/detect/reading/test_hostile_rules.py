"""Rule files made to harm: refused with place and reason, and the rest loads."""

import os
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.detect.rule_texts import ID, one_problem, rule_text
from tocsin.detect.authoring.lint import lint_text
from tocsin.detect.reading.rule_reading import read_rules
from tocsin.detect.reading.ruleset import load_rules
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.model.rule import RuleProblem

PLAIN = "  selection:\n    Image: cmd.exe\n  condition: selection"
SECOND = "5f0b7f3e-0000-4000-8000-000000000002"
CASES = int(os.environ.get("TOCSIN_FUZZ_CASES", "1000"))


@pytest.mark.parametrize(
    ("bomb", "words"),
    [
        ("a: " + "[" * 200_000 + "]" * 200_000, "within each other"),
        ("a:\n" + "- " * 100_000 + "x", "within each other"),
        ("{a: " * 3_000, "within each other"),
        ("a: " + "&x [" * 50 + "]" * 50, "within each other"),
        ("a: [" + "x," * 300_000 + "]", "keys and values"),
        ("a: &x {b: 1}\nc: {<<: [*x, *x]}", "<<"),
        ("a: !!python/object/apply:os.system [ls]", "python/object"),
        ("a: !!int ''", "not valid YAML"),
        ("a: !!float x", "not valid YAML"),
        ("a: " + "9" * 5_000, "4300"),
        ("a: \0", "not valid YAML"),
        ("a: *nowhere", "undefined alias"),
        ("? [a]\n: b", "unhashable"),
        ("a: &x [*x]", "ecursive"),
        ("x" * 9_000_000, "characters"),
    ],
)  # fmt: skip
def test_a_broken_document_is_told_and_the_others_load(bomb: str, words: str) -> None:
    text = "\n---\n".join([rule_text(PLAIN), bomb, rule_text(PLAIN, rule_id=SECOND)])
    found = read_rules(text, "rule.yml")
    problems = [one for one in found if isinstance(one, RuleProblem)]
    assert any(words in one.reason for one in problems), problems
    assert all(one.line >= 17 or len(bomb) > 8_000_000 for one in problems)
    if len(bomb) < 8_000_000:
        good = [one.rule.id for one in found if isinstance(one, SigmaMatchRule)]
        assert good == [ID, SECOND]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("a|re: " + "a" * 1_000_000, "characters"),
        ("a|re: '(a{1000}){1000}'", ""),
        ("a|re: '(?P<x'", ""),
        ("a|re: '[z-a]'", ""),
        ("a|cidr: 999.0.0.0/8", "CIDR"),
        ("a|contains|contains: x", "modifier twice"),
        ("a|contains|" + "x" * 500 + ": x", "xxx"),
        ("a: [" + ",".join(["b"] * 101_000) + "]", "at most"),
    ],
)  # fmt: skip
def test_a_monstrous_value_is_refused_at_its_line(item: str, words: str) -> None:
    problem = one_problem(rule_text(f"  s:\n    {item}\n  condition: s"))
    assert words in problem.reason
    assert problem.line == 10
    assert len(problem.reason) < 600


def test_a_monstrous_condition_is_refused() -> None:
    for condition in ("(" * 9_000 + "s" + ")" * 9_000, "not " * 2_000 + "s", "s and " * 1_000):
        problem = one_problem(rule_text(f"  s: {{a: b}}\n  condition: {condition}"))
        assert problem.line in (8, 10)
        assert len(problem.reason) < 600


def test_values_that_multiply_are_refused_before_they_do() -> None:
    many = ",".join(f"' -a{n} -b -c'" for n in range(2_000))
    for detection in (
        f"  s:\n    a|windash|base64offset|contains: [{many}]\n  condition: s",
        f"  s:\n    a: [{','.join('x' * 90_000)}]\n  condition: {' or '.join('s' * 20)}",
    ):
        problem = one_problem(rule_text(detection))
        assert "comparisons" in problem.reason
        assert problem.line == 11


def test_bytes_that_are_no_text_are_a_problem_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"title: \xff\xfe\n")
    (tmp_path / "b.yml").write_text(rule_text(PLAIN), encoding="utf-8")
    found = load_rules([tmp_path])
    assert [Path(one.path).name for one in found.problems] == ["a.yml"]
    assert len(found.rules) == 1


def _seeds() -> list[str]:
    extra = "tocsin:\n  entity: [user]\n  tests:\n    - {expect: match, event: {Image: cmd.exe}}\n"
    kinds = [
        rule_text(PLAIN, extra=extra),
        rule_text("  s:\n    - a|re|i: x+\n      b|cidr: 10.0.0.0/8\n    - c|hour|gte: 3\n  k: [x, 5]\n  condition: 1 of s or not k"),
        "title: c\nname: c\ncorrelation:\n  type: value_count\n  rules: [a, b]\n  group-by: [x]\n"
        "  timespan: 5m\n  aliases: {x: {a: f, b: g}}\n  condition: {field: y, gte: 3}\n",
        "title: f\nlogsource: {product: windows}\nfilter:\n  rules: any\n  s: {a: b}\n  condition: not s\n",
        "title: n\nabsence: {rules: [a, b], timespan: 1h, group-by: x}\n",
        rule_text(PLAIN, extra="new_terms: {fields: [a, b], window: 30d, learning: 1d, group-by: c}\n"),
        "title: i\nindicator: {fields: [a, b], values: [x, y], kind: text}\nlogsource: {product: windows}\n",
        "title: h\nhealth: {metric: free_share, subject: disk, condition: {gt: 1, lte: 5}, lasting: 5m, only: [a]}\n",
        "action: global\ntitle: g\nlogsource: {product: a}\n---\ndetection: {s: {a: b}, condition: s}\n",
    ]  # fmt: skip
    return kinds


def _mutated(text: str, chance: random.Random) -> str:
    spice = ["|", ":", "- ", "[", "]", "{", "}", "null", "'", '"', "\\", "%", "*", "&x ", "*x", "!!int ", "---\n", "\n", "  ", "<<: ", "1e999", "0x", "~", "?", "é", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")]  # fmt: skip
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text) + 1)
        kind = chance.choices(range(5), (6, 4, 6, 4, 1))[0]
        if kind == 0:
            text = text[:at] + chance.choice(spice) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + chance.randint(1, 12) :]
        elif kind == 2:
            text = text[:at] + chance.choice(string.printable) + text[at + 1 :]
        elif kind == 3:
            other = chance.randrange(len(text) + 1)
            text = text[:at] + text[other : other + chance.randint(1, 30)] + text[at:]
        else:
            lines = text.splitlines(keepends=True)
            chance.shuffle(lines)
            text = "".join(lines)
    return text


def _with_odd_parts(text: str, chance: random.Random) -> str:
    """The documents with some of their values, keys or members replaced by others."""
    odd: list[Any] = [None, [], {}, 5, -1, 1.5, True, "", "x", "%x%", "*", "5m", "any", "not s", "1 of them", [[]], [None], [{}], {"a": "b"}, {"x": None}, ["a", "a"], {"gte": 1}, 10**30, "\ud7ff\0", "s" * 300]  # fmt: skip
    names = ["a", "a|re", "a|cidr", "a|all", "|all", "condition", "rules", "type", "timespan", "id", "title", "logsource", "detection", "correlation", "filter", "tocsin", "a|windash|base64offset", "a|hour", "a|exists", "a|fieldref|cased", "new_terms", "indicator", "health", "absence", "level", "tags", "name", "generate", 5, None]  # fmt: skip
    documents = list(yaml.safe_load_all(text))
    for _ in range(chance.randint(1, 4)):
        place: Any = chance.choice(documents)
        while isinstance(place, dict | list) and place:
            key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            inner = place[key]
            if not isinstance(inner, dict | list) or not inner or chance.random() < 0.3:
                if isinstance(place, dict) and chance.random() < 0.4:
                    place[chance.choice(names)] = place.pop(key)
                else:
                    place[key] = chance.choice(odd)
                break
            place = inner
    return yaml.safe_dump_all(documents, allow_unicode=True)


def test_mutated_rules_only_ever_load_or_are_refused(
    record_property: Callable[[str, object], None],
) -> None:
    record_property("cases_fuzzed", CASES)
    chance = random.Random(CASES)  # noqa: S311 - the same cases every time
    seeds = _seeds()
    for at in range(CASES):
        seed = seeds[at // 2 % len(seeds)]
        text = _with_odd_parts(seed, chance) if at % 2 else _mutated(seed, chance)
        found = read_rules(text, "any.yml")
        assert found, text
        for one in found:
            if isinstance(one, RuleProblem):
                assert one.reason
                assert 0 <= one.line <= len(text.splitlines()) + 1, text
        if at % 10 == 0:
            lint_text(text, "any.yml")
