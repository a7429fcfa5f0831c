"""What the modifiers of Sigma 2.1 compile to where pySigma alone would be wrong or refuse."""

from base64 import b64encode

import pytest

from tests.detect.rule_texts import one_problem, one_rule, rule_text
from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.matcher import Matcher, Operator, matchers_in
from tocsin.detect.rules.oracle import matches


def only(item: str) -> Matcher:
    (found,) = matchers_in(one_rule(f"  s:\n    {item}\n  condition: s").condition)
    return found


def fires(item: str, event: dict[str, object]) -> bool:
    """Whether the rule matches, by engine and oracle alike."""
    rule = one_rule(f"  s:\n    {item}\n  condition: s")
    batch = batch_of(lane_for("windows", "process_creation", None), [event])
    by_oracle = matches(rule, batch.native_rows([0])[0])
    assert bool(Engine(RuleSet((rule,))).evaluate(batch)) == by_oracle
    return by_oracle


@pytest.mark.parametrize("name", ["utf16le", "wide"])
def test_utf16le_and_its_alias_encode_any_letters(name: str) -> None:
    assert only(f"a|{name}|base64: 'é'").values == (b64encode("é".encode("utf-16le")).decode(),)
    assert only(f"a|{name}: 'cmd'").values == ("c\0m\0d\0",)


def test_utf16be_and_utf16_with_its_byte_order_mark() -> None:
    assert only("a|utf16be|base64: 'ßx'").values == (b64encode("ßx".encode("utf-16be")).decode(),)
    marked = b"\xff\xfe" + "ß".encode("utf-16le")
    assert only("a|utf16|base64: 'ß'").values == (b64encode(marked).decode(),)


def test_utf16_that_is_no_text_is_only_good_for_base64() -> None:
    problem = one_problem(rule_text("  s:\n    a|wide: 'é'\n  condition: s"))
    assert (problem.line, "add base64" in problem.reason) == (10, True)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_base64offset_is_found_wherever_the_text_begins(place: int) -> None:
    secret = b64encode(b"x" * place + "http://é".encode() + b"yyyy").decode()
    assert fires("a|base64offset|contains: 'http://é'", {"a": secret})


def test_base64offset_of_one_letter_is_refused() -> None:
    problem = one_problem(rule_text("  s:\n    a|base64offset|contains: x\n  condition: s"))
    assert "two bytes" in problem.reason


@pytest.mark.parametrize("dash", ["-", "/", "\u2013", "\u2014", "\u2015"])
def test_windash_takes_every_dash_for_every_other(dash: str) -> None:
    assert fires("a|windash|contains: ' \u2013enc'", {"a": f"x {dash}ENC y"})
    assert fires("a|cased|windash|contains: ' -enc'", {"a": f"x {dash}enc y"})
    assert not fires("a|cased|windash|contains: ' -enc'", {"a": f"x {dash}ENC y"})


def test_windash_leaves_dashes_within_words() -> None:
    assert only("a|windash: '-a-b'").values == (
        "-a-b",
        "/a-b",
        "\u2013a-b",
        "\u2014a-b",
        "\u2015a-b",
    )


def test_windash_of_many_dashes_is_refused_with_advice() -> None:
    problem = one_problem(rule_text("  s:\n    a|windash: '-a -b -c -d'\n  condition: s"))
    assert "split the value" in problem.reason


@pytest.mark.parametrize("order", ["cased|contains", "contains|cased"])
def test_cased_holds_in_any_order(order: str) -> None:
    assert fires(f"a|{order}: Foo", {"a": "xFoox"})
    assert not fires(f"a|{order}: Foo", {"a": "xfoox"})


@pytest.mark.parametrize("order", ["cased|fieldref", "fieldref|cased"])
def test_a_cased_field_reference_minds_letter_case(order: str) -> None:
    assert fires(f"a|{order}: b", {"a": "Foo", "b": "Foo"})
    assert not fires(f"a|{order}: b", {"a": "Foo", "b": "foo"})
    assert fires("a|fieldref: b", {"a": "Foo", "b": "foo"})


def test_cased_base64_minds_letter_case() -> None:
    assert not fires("a|cased|base64: Foo", {"a": "rM9V"})
    assert fires("a|base64: Foo", {"a": "rM9V"})


@pytest.mark.parametrize("name", ["contains", "startswith", "endswith"])
def test_generic_modifiers_take_whole_numbers(name: str) -> None:
    assert only(f"a|{name}: 4444") == Matcher("a", Operator(name), ("4444",))
    problem = one_problem(rule_text(f"  s:\n    a|{name}: 1.50\n  condition: s"))
    assert "in quotes" in problem.reason


@pytest.mark.parametrize(
    ("part", "good", "bad"),
    [
        ("minute", 59, 60),
        ("hour", 0, 24),
        ("day", 31, 0),
        ("week", 53, 54),
        ("month", 12, 13),
        ("year", 2026, 0),
    ],
)
def test_a_part_of_a_time_that_never_comes_is_refused(part: str, good: int, bad: int) -> None:
    assert only(f"a|{part}: {good}") == Matcher("a", Operator.EQUAL, (str(good),), part=part)
    problem = one_problem(rule_text(f"  s:\n    a|{part}: {bad}\n  condition: s"))
    assert (problem.line, "never" in problem.reason) == (10, True)
    problem = one_problem(rule_text(f"  s:\n    a|{part}: 1.5\n  condition: s"))
    assert "whole number" in problem.reason


def test_dates_are_texts() -> None:
    assert only("a: 2024-01-01").values == ("2024-01-01",)


@pytest.mark.parametrize(
    ("value", "text"),
    [("'%x%'", "%x%"), (r"'\%x\%'", r"\%x\%")],
)
def test_without_expand_percent_signs_are_plain(value: str, text: str) -> None:
    assert only(f"a: {value}").values == (text,)


def test_expand_takes_an_escaped_percent_sign_as_plain() -> None:
    assert only(r"a|expand: '\%plain\%'").values == ("%plain%",)
    assert only(r"a|re|expand: '^\%plain\%$'").values == ("^%plain%$",)
    for value in (r"\%plain%name%", r"C:\\%name%", "%name%"):
        problem = one_problem(rule_text(f"  s:\n    a|expand: '{value}'\n  condition: s"))
        assert "placeholder" in problem.reason


@pytest.mark.parametrize(
    ("selection", "line", "words"),
    [
        ("    a: []", 10, "empty list"),
        ("    a: {b: 1}", 10, "a.NAME"),
        ("    a: [[b]]", 10, "list in a list"),
        ("    a: !!binary aGk=", 10, "bytes"),
        ("    a|re: 5", 10, "quotes"),
        ("    5: x", 10, "quotes"),
        ("    null: x", 10, "quotes"),
        ("    - [a]", 10, "list in a list"),
        ("    - {}", 10, "empty"),
        ("    {}", 9, "empty"),
        ("    []", 9, "empty"),
    ],
)
def test_what_has_no_meaning_in_sigma_is_refused_not_guessed(
    selection: str, line: int, words: str
) -> None:
    problem = one_problem(rule_text(f"  s:\n{selection}\n  condition: s"))
    assert words in problem.reason
    assert problem.line in (line, 9 if "null" in selection else line)


@pytest.mark.parametrize(
    ("condition", "timeframe", "words"),
    [
        ("s | count() by User > 5", "5m", "{type: event_count, rules: [NAME], group-by: [User], timespan: 5m, condition: {gt: 5}}"),
        ("s | count(Host) >= 3", "1h", "{type: value_count, rules: [NAME], timespan: 1h, condition: {field: Host, gte: 3}}"),
        ("s | sum(Size) by Ip < 9", "1d", "{type: value_sum, rules: [NAME], group-by: [Ip], timespan: 1d, condition: {field: Size, lt: 9}}"),
        ("s | near t", "1h", "write a correlation rule"),
    ],
)  # fmt: skip
def test_an_old_aggregation_is_refused_with_what_to_write(
    condition: str, timeframe: str, words: str
) -> None:
    detection = f"  s: {{a: b}}\n  timeframe: {timeframe}\n  condition: {condition}"
    problem = one_problem(rule_text(detection))
    assert words in problem.reason
    assert problem.line == 11
