"""Expressions run by RE2 or within a time limit; what neither takes is refused with its reason."""

import pytest

from tests.detect.rule_texts import one_rule
from tocsin.detect.errors import Unsupported
from tocsin.detect.matching.mandatory import mandatory_literal
from tocsin.detect.matching.predicate import FALSE, UNKNOWN, predicate_of
from tocsin.detect.matching.vocabulary import Vocabulary
from tocsin.detect.rules.expression import LIMIT_S, ExpressionKind, compiled
from tocsin.detect.rules.oracle import matches
from tocsin.detect.rules.patience import Patience

CATASTROPHE = r"(?:a|aa)+(?!b)$"
VICTIM = "a" * 64 + "b"


@pytest.mark.parametrize(
    ("pattern", "kind", "finds", "misses"),
    [
        (r"(?i)net\.exe", ExpressionKind.RE2, "NET.EXE", "netexe"),
        (r"(?<!Program Files)\\cmd\.exe", ExpressionKind.FALLBACK, r"C:\cmd.exe", "cmd"),
        (r"(\w)\1\1\1", ExpressionKind.FALLBACK, "xaaaay", "abab"),
        (r"^(?!.*\.exe$).*$", ExpressionKind.FALLBACK, "a.dll", "a.exe"),
        (r"(?>a+)b", ExpressionKind.FALLBACK, "aab", "aa"),
        (r"(?=x)\d{1,3}|y", ExpressionKind.FALLBACK, "y", "x"),
        ("|".join(f"word{n}x" for n in range(10_000)), ExpressionKind.RE2, "word9999x", "word"),
        ("(" * 50_000 + "a" + ")" * 50_000, ExpressionKind.RE2, "bab", "b"),
    ],
)
def test_what_re2_has_not_is_searched_by_another_engine(
    pattern: str, kind: ExpressionKind, finds: str, misses: str
) -> None:
    searcher = compiled(pattern)
    assert searcher.kind is kind
    assert searcher.found_in(finds)
    assert not searcher.found_in(misses)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a" * 1_000_000, "at most 262,144"),
        ("(a", "missing"),
        ("(?=" + "a" * 20_000 + ")", "too long for another engine"),
        ("(a{1000}){1000}", "repeats too much"),
        ("(?=a)(((a{99}){99}){99}){9}", "repeats too much"),
        ("(?=a)" + "(" * 3000 + "a" + ")" * 3000, "recursion"),
        ("\ud800", "surrogate"),
        (r"(?P<a", "PCRE syntax"),
    ],
)
def test_what_no_engine_takes_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        compiled(pattern)


def test_a_value_that_takes_too_long_is_given_up_and_does_not_match() -> None:
    with pytest.raises(TimeoutError):
        compiled(CATASTROPHE).found_in(VICTIM)
    rule = one_rule("  s: {CommandLine|re: '" + CATASTROPHE + "'}\n  condition: s")
    assert not matches(rule, {"CommandLine": VICTIM})
    assert matches(rule, {"CommandLine": "aaa"})


def test_an_expression_that_takes_too_long_again_and_again_is_paused_until_it_has_earned_time() -> (
    None
):
    clock = [0.0]
    patience = Patience(lambda: clock[0])
    searcher = compiled(CATASTROPHE)
    tries = 0
    while not patience.paused:
        assert patience.found_in(searcher, VICTIM) is False
        tries += 1
        assert tries < 20 / LIMIT_S
    assert patience.paused == {CATASTROPHE}
    assert patience.found_in(searcher, "aaa") is None
    assert patience.given_up[CATASTROPHE] == tries + 1
    clock[0] += 60
    assert patience.found_in(searcher, "aaa") is True
    assert not patience.paused


def test_values_of_a_pause_are_asked_about_when_they_come_again() -> None:
    clock = [0.0]
    patience = Patience(lambda: clock[0])
    matcher = one_rule("  s: {CommandLine|re: '" + CATASTROPHE + "'}\n  condition: s").condition
    predicate = predicate_of(matcher, patience)  # type: ignore[arg-type]
    vocabulary = Vocabulary()
    slow = vocabulary.codes_of([f"{'a' * 60}{n}b" for n in range(25)])
    assert set(vocabulary.verdicts(1, predicate, slow)[slow].tolist()) == {FALSE, UNKNOWN}
    good = vocabulary.codes_of(["aaa"])
    assert vocabulary.verdicts(1, predicate, good)[good[0]] == UNKNOWN
    clock[0] += 60
    assert vocabulary.verdicts(1, predicate, good)[good[0]] == 1


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        (r"(?<=a)powershell(?!x)", "powershell"),
        (r"\u0041bcd", ""),
        (r"\N{DIGIT ONE}abc", ""),
        (r"(?x) net  exe", ""),
        (r"(\w)\1mimi\1", "mimi"),
        (r"ab\\uncd", "ab\\uncd"),
        (r"(?=a)foo++bar", "foo"),
        (r"\k<name>abc", ""),
    ],
)
def test_text_is_taken_from_such_expressions_only_where_every_match_must_contain_it(
    pattern: str, literal: str
) -> None:
    assert mandatory_literal(pattern) == literal
