"""Lists of very many values are looked for together, and find what each value alone would."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.detect.matching import needle_set
from tocsin.detect.matching.needle_set import NeedleSet
from tocsin.detect.matching.predicate import cost_of, predicate_of
from tocsin.detect.rules.matcher import Matcher, Operator
from tocsin.detect.rules.patience import Patience

LETTERS = st.text("abé\u0130\n/", max_size=14)


@settings(deadline=None)
@given(st.lists(LETTERS, min_size=1, max_size=60), st.lists(LETTERS, max_size=20))
def test_a_set_finds_what_each_needle_finds(needles: list[str], texts: list[str]) -> None:
    expected = [any(needle in text for needle in needles) for text in texts]
    assert NeedleSet(needles).occur_in(texts) == expected


@settings(deadline=None)
@given(st.lists(LETTERS, min_size=30, max_size=60), st.lists(LETTERS, max_size=20))
def test_long_lists_of_beginnings_and_ends(values: list[str], texts: list[str]) -> None:
    for operator, holds in (
        (Operator.STARTSWITH, str.startswith),
        (Operator.ENDSWITH, str.endswith),
        (Operator.CONTAINS, str.__contains__),
    ):
        test = predicate_of(Matcher("a", operator, tuple(values), cased=True), Patience()).test
        assert test is not None
        assert test(texts) == [any(holds(text, one) for one in values) for text in texts]


def test_needles_are_found_where_texts_are_looked_at_in_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(needle_set, "_AT_ONCE", 16)
    random = Random(1)  # noqa: S311 - repeatable, not secret
    needles = [f"{random.getrandbits(60):015x}" for _ in range(500)]
    texts = ["." * random.randrange(40) + random.choice(needles) for _ in range(200)]
    assert all(NeedleSet(needles).occur_in(texts))
    assert not any(NeedleSet(needles).occur_in([text[:-1] for text in texts]))


def test_neighboring_texts_do_not_make_a_needle() -> None:
    assert NeedleSet(["abcdefghij"]).occur_in(["abcde", "fghij", "abcdefghij"]) == [
        False,
        False,
        True,
    ]


def test_a_hundred_thousand_values_of_one_rule_are_as_quick_as_few() -> None:
    values = tuple(f"https://bad-{number:x}.example/" for number in range(100_000))
    matcher = Matcher("url", Operator.CONTAINS, values)
    test = predicate_of(matcher, Patience()).test
    texts = [f"GET HTTPS://BAD-{n:X}.example/x".casefold() for n in range(0, 200_000, 500)]
    assert test is not None
    assert test(texts) == [number < 200 for number in range(400)]
    assert cost_of(matcher) < 100


def test_many_networks_are_looked_up_by_their_length() -> None:
    networks = (*(f"10.{n // 250}.{n % 250}.0/24" for n in range(5000)), "2001:db8::/32")
    test = predicate_of(Matcher("ip", Operator.CIDR, networks), Patience()).test
    assert test is not None
    texts = ["10.3.7.9", "10.40.1.1", "2001:db8:1::1", "2001:db9::1", "no address", "10.19.249.255"]
    assert test(texts) == [True, False, True, False, False, True]
