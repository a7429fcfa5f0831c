"""EQL becomes Sigma rules of the same meaning, or is refused where it can't."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.detect.reading.eql_import import sigma_from_eql
from tocsin.detect.reading.eql_tokens import EqlRefused
from tocsin.detect.reading.rule_reading import read_rules
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.oracle import matches
from tocsin.detect.rules.stateful_rule import CorrelationRule, CorrelationType
from tocsin.model.severity import Level


def rule(where: str) -> SigmaMatchRule:
    text = sigma_from_eql(f"process where {where}", title="t", product="windows")
    (found,) = read_rules(text, "eql.yml")
    assert isinstance(found, SigmaMatchRule), found
    return found


def load(tmp_path: Path, query: str) -> RuleSet:
    text = sigma_from_eql(query, title="Drop and run", product="windows", level=Level.HIGH)
    (tmp_path / "eql.yml").write_text(text, encoding="utf-8")
    return load_rules([tmp_path])


@pytest.mark.parametrize(
    ("where", "good", "bad"),
    [
        ('a == "Cmd"', [{"a": "Cmd"}], [{"a": "cmd"}, {}]),
        ('a == "x*"', [{"a": "x*"}], [{"a": "xy"}]),
        ('a : "c?d*"', [{"a": "CMD.exe"}], [{"a": "cd"}]),
        ('a : ("x", "y*")', [{"a": "X"}, {"a": "yes"}], [{"a": "z"}]),
        ('a != "x"', [{"a": "y"}], [{"a": "x"}, {}]),
        ('not a == "x"', [{"a": "y"}], [{"a": "x"}, {}]),
        ('not (a == "x" and b == "y")', [{"a": "z"}, {"b": "z"}], [{}, {"a": "x"}]),
        ('not (a == "x" or b == "y")', [{"a": "z", "b": "z"}], [{"a": "z"}, {"b": "z"}]),
        ('not not a == "x"', [{"a": "x"}], [{"a": "y"}]),
        ("a == null", [{}, {"a": None}], [{"a": 1}]),
        ("a != null", [{"a": 1}], [{}]),
        ("not a == null", [{"a": 1}], [{}]),
        ('a like "C:\\\\Users\\\\*"', [{"a": "C:\\Users\\x"}], [{"a": "c:\\users\\x"}]),
        ('a like~ """C:\\Users\\*"""', [{"a": "c:\\users\\x"}], [{"a": "d:"}]),
        ('a in ("x", "y")', [{"a": "y"}], [{"a": "Y"}, {}]),
        ('a in~ ("x", "y")', [{"a": "Y"}], [{"a": "z"}]),
        ('a not in ("x")', [{"a": "y"}], [{"a": "x"}, {}]),
        ("a in (1, 2)", [{"a": 2}], [{"a": 3}]),
        ("a > 5 and a <= 7", [{"a": 7}], [{"a": 5}, {"a": 8}]),
        ("a == true", [{"a": True}], [{"a": False}]),
        ("a == b", [{"a": "x", "b": "x"}], [{"a": "x", "b": "X"}, {}]),
        ("a != b", [{"a": "x", "b": "y"}], [{"a": "x", "b": "x"}, {"a": "x"}]),
        ('wildcard(a, "x*", "y")', [{"a": "XX"}], [{"a": "z"}]),
        ('startsWith(a, "Ab")', [{"a": "Abc"}], [{"a": "abc"}]),
        ('endsWith~(a, "Ab")', [{"a": "xab"}], [{"a": "abx"}]),
        ('stringContains(a, "*")', [{"a": "x*x"}], [{"a": "xx"}]),
        ('cidrMatch(a, "10.0.0.0/8")', [{"a": "10.1.1.1"}], [{"a": "11.0.0.1"}]),
        ('a.`b-c` == "x"', [{"a": {"b-c": "x"}}], [{}]),
        ('?a == "x" // remark', [{"a": "x"}], [{}]),
        ("true", [{"a": "anything"}], []),
        ('a == "\\u{e9}\\n"', [{"a": "é\n"}], [{"a": "e"}]),
    ],
)
def test_a_condition_means_the_same(
    where: str, good: list[dict[str, object]], bad: list[dict[str, object]]
) -> None:
    found = rule(where)
    for event in good:
        assert matches(found, event), event
    for event in bad:
        assert not matches(found, event), event


def test_a_sequence_becomes_an_ordered_correlation(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        """
        sequence by host.id with maxspan=5m
          [file where file.extension : "exe"] by file.path
          [process where true] by process.executable
        """,
    )
    assert not found.problems
    (one,) = found.stateful
    assert isinstance(one, CorrelationRule)
    assert one.type is CorrelationType.TEMPORAL_ORDERED
    assert one.timespan == timedelta(minutes=5)
    assert one.group_by == ("host.id", "key_1")
    dropped, run = one.rules
    assert one.aliases == {"key_1": {dropped: "file.path", run: "process.executable"}}
    assert one.rule.level == "high"
    assert [rule.rule.logsource.category for rule in found.rules] == [
        "file_event",
        "process_creation",
    ]
    assert found.silent == {dropped, run}
    assert "sequence by host.id" in one.rule.description


def test_a_missing_second_event_becomes_an_absence(tmp_path: Path) -> None:
    query = 'sequence by user with maxspan=1h [process where a == "x"] ![file where b == "y"]'
    (one,) = load(tmp_path, query).stateful
    assert isinstance(one, CorrelationRule)
    assert (one.type, len(one.rules)) == (CorrelationType.ABSENCE, 2)


def test_the_same_query_gives_the_same_rules() -> None:
    query = 'process where a == "x"'
    assert sigma_from_eql(query, title="t", product="p") == sigma_from_eql(
        query, title="t", product="p"
    )


@pytest.mark.parametrize(
    ("query", "line", "column", "words"),
    [
        ('process where length(a) > 5', 1, 15, "function length"),
        ('process where a == length(b)', 1, 20, "function length"),
        ('process where a regex "x"', 1, 17, "regex"),
        ('process where a == "x" | head 5', 1, 24, "pipes"),
        ('sequence [process where true] [file where true]', 1, 10, "maxspan"),
        ('sequence with maxspan=1h [process where true]', 1, 10, "two events"),
        ('sequence with maxspan=5ms [any where true] [any where true]', 1, 23, "one second"),
        ('sequence with maxspan=1h [any where true] with runs=2 [any where true]', 1, 48, "runs"),
        ('sequence with maxspan=1h [process where true] [file where true]\nuntil [any where true]', 2, 1, "until"),
        ('sequence with maxspan=1h ![process where true] [file where true]', 1, 28, "missing event"),
        ('sequence with maxspan=1h [any where true] by a [any where true]', 1, 10, "as many"),
        ('sample by a [any where true]', 1, 1, "sample"),
        ('join [any where true]', 1, 1, "join"),
        ('teapot where true', 1, 1, "teapot"),
        ('any where a + 1 == 2', 1, 13, "+ can't"),
        ('any where "x" == a', 1, 11, "left of"),
        ('any where a > "x"', 1, 13, "number"),
        ('any where a in ("x", 1)', 1, 13, "mixed"),
        ('any where a in ("x", null)', 1, 13, "null"),
        ('any where a == "\\q"', 1, 16, "escape"),
        ("any where a == 'x'", 1, 16, "not understood"),
        ('any where a ==', 1, 15, "a value belongs"),
        ('any where (' + '(' * 100, 1, 51, "too deep"),
        ('', 1, 1, "event category"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_over_is_refused_at_its_place(
    query: str, line: int, column: int, words: str
) -> None:
    with pytest.raises(EqlRefused, match=r"line \d+, column \d+: ") as refused:
        sigma_from_eql(query, title="t", product="windows")
    assert words in str(refused.value)
    assert (refused.value.line, refused.value.column) == (line, column)


def test_any_needs_a_product() -> None:
    with pytest.raises(EqlRefused, match="needs a product"):
        sigma_from_eql('any where a == "x"', title="t")


_fields = st.sampled_from(["a", "b"])
_values = st.sampled_from(["x", "y"])
_tests = st.tuples(st.sampled_from(["==", "!="]), _fields, _values)
_expressions = st.recursive(
    _tests,
    lambda inner: (
        st.tuples(st.just("not"), inner) | st.tuples(st.sampled_from(["and", "or"]), inner, inner)
    ),
    max_leaves=6,
)


def _written(one: tuple[object, ...]) -> str:
    if one[0] == "not":
        return f"not ({_written(one[1])})"  # type: ignore[arg-type]
    if one[0] in ("and", "or"):
        return f"({_written(one[1])} {one[0]} {_written(one[2])})"  # type: ignore[arg-type]
    return f"{one[1]} {one[0]} {json.dumps(one[2])}"


def _truth(one: tuple[object, ...], event: dict[str, str]) -> bool | None:
    """Kleene's three values, as EQL has them: a missing field is neither."""
    if one[0] == "not":
        inner = _truth(one[1], event)  # type: ignore[arg-type]
        return None if inner is None else not inner
    if one[0] in ("and", "or"):
        both = [_truth(one[1], event), _truth(one[2], event)]  # type: ignore[arg-type]
        decides = one[0] == "or"
        if decides in both:
            return decides
        return None if None in both else not decides
    value = event.get(str(one[1]))
    return None if value is None else (value == one[2]) == (one[0] == "==")


@given(_expressions, st.dictionaries(_fields, _values))
def test_missing_fields_are_neither_true_nor_false(
    expression: tuple[object, ...], event: dict[str, str]
) -> None:
    assert matches(rule(_written(expression)), event) == (_truth(expression, event) is True)


@given(st.text(alphabet='sequence[]by wh()"!=,:|ax1*\\\n', max_size=60))
def test_no_query_makes_the_import_fail(query: str) -> None:
    try:
        text = sigma_from_eql(query, title="t", product="windows")
    except EqlRefused:
        return
    assert read_rules(text, "eql.yml")
