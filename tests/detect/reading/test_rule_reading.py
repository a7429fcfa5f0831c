"""Reading rule files: what is kept of a rule, and what is refused with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.detect.rule_texts import ID, one_problem, one_rule, rule_text
from tocsin.detect.reading.rule_reading import read_rules
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.model.lane import LogSource
from tocsin.model.rule import RuleProblem
from tocsin.model.severity import Level

PLAIN = "  selection:\n    Image: cmd.exe\n  condition: selection"


def test_a_rule_keeps_what_people_need_to_know_of_it() -> None:
    extra = (
        "author: Someone\n"
        "references:\n  - https://example.org/a\n"
        "falsepositives:\n  - Administrators\n"
        "tocsin:\n"
        "  entity: [user, host]\n"
        "  questions:\n    - Who was it?\n"
        "  response: Ask them.\n"
        "  tests:\n"
        "    - name: Seen\n      expect: match\n      event: {Image: cmd.exe}\n"
        "    - name: Not seen\n      expect: silent\n      event: {Image: x}\n"
    )
    found = one_rule(PLAIN, extra=extra)
    rule = found.rule
    assert (rule.id, rule.title, rule.level) == (ID, "A rule", Level.HIGH)
    assert rule.logsource == LogSource("windows", "process_creation", None)
    assert rule.status == "test"
    assert rule.tags == ("attack.execution", "attack.t1059.001")
    assert rule.techniques == ("T1059.001",)
    assert rule.false_positives == ("Administrators",)
    assert rule.references == ("https://example.org/a",)
    assert (rule.author, rule.description) == ("Someone", "For a test.")
    assert rule.entity_kinds == ("user", "host")
    assert rule.questions == ("Who was it?",)
    assert rule.response == "Ask them."
    assert rule.path == "rule.yml"
    assert rule.source_text == rule_text(PLAIN, extra=extra)
    assert [(test.name, test.must_match) for test in found.tests] == [
        ("Seen", True),
        ("Not seen", False),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("title: [\n", 1, "not valid YAML"),
        ("title: a\ntitle: b\n", 2, "given twice"),
        ("just text", 1, "must be a map"),
        ("", 1, "no rule"),
        (rule_text("  s:\n    Image|unheard: x\n  condition: s"), 10, "unheard"),
        (rule_text("  s:\n    Image: x\n  condition: s and other"), 11, "other"),
        (rule_text("  s:\n    Image: x\n  condition: s | count() > 5"), 11, "correlation"),
        (rule_text("  s:\n    Image: x\n  timeframe: 5m\n  condition: s"), 11, "timeframe"),
        (
            rule_text("  s:\n    Image|re: '(?<=a)b('\n  condition: s"),
            10,
            "invalid perl operator: (?<= (RE2 syntax)",
        ),
        (rule_text("  s:\n    Image|expand: '%admins%'\n  condition: s"), 10, "placeholder"),
        (rule_text("  s:\n    Ip|cidr: 10.0.0.0/99\n  condition: s"), 10, "CIDR"),
        (rule_text("  s:\n    - null\n  condition: s"), 8, "keyword"),
        (rule_text(PLAIN, rule_id="not-a-uuid"), 2, "UUID"),
        (rule_text(PLAIN, extra="tocsin:\n  entty: [host]\n"), 16, "entty"),
        (rule_text(PLAIN, extra="tocsin:\n  tests:\n    - expect: match\n"), 18, "event"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line_and_reason(
    text: str, line: int, words: str
) -> None:
    problem = one_problem(text)
    assert words in problem.reason
    assert problem.line == line
    assert problem.path == "rule.yml"


def test_one_broken_document_leaves_the_others_usable() -> None:
    other = "5f0b7f3e-0000-4000-8000-000000000002"
    text = "---\n".join(
        [
            rule_text(PLAIN),
            "title: no detection\nlogsource: {product: windows}\n",
            rule_text(PLAIN, rule_id=other),
        ]
    )
    found = read_rules(text, "rule.yml")
    good = [one for one in found if isinstance(one, SigmaMatchRule)]
    assert [one.rule.id for one in good] == [ID, other]
    assert [one.line for one in good] == [1, 20]
    assert good[1].rule.source_text.startswith("title: A rule")
    assert [one.line for one in found if isinstance(one, RuleProblem)] == [17]


def test_old_global_documents_go_into_the_match_rules_that_follow_until_reset() -> None:
    text = (
        "action: global\ntitle: Two places\nlogsource: {product: windows, service: a}\n"
        "detection:\n  s: {EventID: 1}\n  condition: s\n"
        "---\nlogsource: {category: b, service: over}\n---\nlogsource: {category: c}\nlevel: low\n"
        "---\naction: repeat\nlogsource: {category: d}\n"
        "---\naction: reset\n---\ntitle: Alone\nlogsource: {category: e}\n"
        "detection:\n  s: {EventID: 2}\n  condition: s\n"
    )
    found = [one for one in read_rules(text, "old.yml") if isinstance(one, SigmaMatchRule)]
    assert [one.rule.logsource.category for one in found] == ["b", "c", "d", "e"]
    assert [one.rule.logsource.service for one in found] == ["a", "a", "a", None]
    assert [one.rule.level for one in found] == [Level.MEDIUM, Level.LOW, Level.LOW, Level.MEDIUM]
    assert len({one.rule.id for one in found}) == 4


def test_an_unknown_action_is_refused() -> None:
    problem = one_problem(rule_text(PLAIN) + "---\naction: globl\ntitle: b\n")
    assert (problem.line, "action globl" in problem.reason) == (17, True)


def test_a_chain_of_aliases_is_refused_before_it_expands() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)
    )
    assert "alias" in one_problem(bomb).reason


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: raw.decode("latin-1")))
def test_no_text_makes_reading_fail(text: str) -> None:
    assert read_rules(text, "any.yml")


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "a|re", "a|cidr", "|all", "condition", ""]), inner)
    ),
    max_leaves=8,
)


@given(_plain)
def test_no_detection_makes_reading_fail(detection: object) -> None:
    text = f"title: x\nlogsource: {{product: windows}}\ndetection: {_flow(detection)}\n"
    assert read_rules(text, "any.yml")


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    if isinstance(value, str):
        return "'" + value.replace("'", "''").replace("\n", " ") + "'"
    return "null" if value is None else str(value).lower()
