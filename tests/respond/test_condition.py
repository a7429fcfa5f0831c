"""Conditions: what they mean, and that no text breaks the reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.respond.condition import BadCondition, read_condition

VALUES = {"__decision__": "ask", "__users__": "60", "__address__": "203.0.113.7", "__empty__": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("__decision__:value = 'ask'", True),
        ("__decision__:value == 'auto'", False),
        ("__decision__:value != 'auto'", True),
        ("__decision__:value NOT = 'ask'", False),
        ("__users__:value > 9", True),
        ("__users__:value <= 60 AND __users__:value >= 60", True),
        ("__users__:value < '9'", True),
        ("__decision__:value IN ('auto', 'ask')", True),
        ("__decision__:value NOT IN ('auto')", True),
        ("__address__:value LIKE '203.0.113.%'", True),
        ("__address__:value LIKE '203.0.113._'", True),
        ("__address__:value LIKE '203*'", False),
        ("__address__:value ISSUBSET '203.0.113.0/24'", True),
        ("__address__:value ISSUBSET '2001:db8::/32'", False),
        ("[__decision__:value = 'x'] OR (__empty__:value = '')", True),
        ("__decision__:value = 'x' AND __decision__:value = 'y' OR __users__:value = 60", True),
        (r"__decision__:value = 'it\'s'", False),
    ],
)
def test_a_condition_holds_as_stix_says(text: str, expected: bool) -> None:
    assert read_condition(text).holds(VALUES) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "true",
        "__decision__ = 'ask'",
        "__decision__:value",
        "__decision__:value =",
        "__decision__:value = ask",
        "__decision__:value = 'ask",
        "__decision__:value MATCHES '.*'",
        "(__decision__:value = 'ask'",
        "__decision__:value = 'ask' __users__:value = 1",
        "__address__:value ISSUBSET 'nowhere'",
        "(" * 60 + "__a__:value = 1" + ")" * 60,
        "__a__:value = '" + "x" * 2001 + "'",
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(BadCondition):
        read_condition(text)


def test_a_value_that_does_not_fit_is_an_error_and_not_false() -> None:
    with pytest.raises(BadCondition, match="compared with a number"):
        read_condition("__decision__:value > 5").holds(VALUES)
    with pytest.raises(BadCondition, match="has no value"):
        read_condition("__other__:value = 'x'").holds(VALUES)
    with pytest.raises(BadCondition, match="not an address"):
        read_condition("__decision__:value ISSUBSET '10.0.0.0/8'").holds(VALUES)


@settings(deadline=None)
@given(st.text(alphabet="__abc:value='1 ()[],ANDORNTILKE<>!=\\%é\n"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        condition = read_condition(text)
    except BadCondition:
        return
    try:
        assert condition.holds(dict.fromkeys(condition.variables, "1")) in (True, False)
    except BadCondition:
        return


@settings(deadline=None)
@given(st.text(max_size=50), st.text(max_size=50))
def test_a_quoted_text_equals_exactly_itself(value: str, other: str) -> None:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    condition = read_condition(f"__a__:value = '{quoted}'")
    assert condition.holds({"__a__": value})
    assert condition.holds({"__a__": other}) is (other == value)
