"""Exceptions mean what a rule's selection means, and long lists are found as short ones are."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.detect.reading.exceptions import compile_exceptions, compile_fields
from tocsin.detect.reading.selection_reading import selection_condition
from tocsin.detect.rules.oracle import holds
from tocsin.detect.rules.overlay import RuleException, Scalar
from tocsin.detect.rules.quick_lookup import QuickCondition
from tocsin.detect.rules.simplify import simplify
from tocsin.model.lane import LogSource

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SOURCE = LogSource(product="windows", category="process_creation")
LETTERS = "abBß.%-*?\\ 1"
TEXTS = st.text(LETTERS, max_size=6)
ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=4).map(lambda one: f"10.0.0.{int(one) % 4}"),
    TEXTS,
)
NETWORKS = st.one_of(
    st.integers(0, 3).map(lambda one: f"10.0.0.{one}/32"),
    st.sampled_from(["10.0.0.0/30", "0.0.0.0/0", "2001:db8::/32", "::/0", "10.0.0.1"]),
    st.ip_addresses(v=4).map(lambda one: f"{one}/32"),
)


def exception(
    fields: dict[str, tuple[Scalar, ...]], *, expires: datetime | None = None, name: str = "one"
) -> RuleException:
    return RuleException(name, "ann", "because", fields, expires)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased", "|contains|all"]),
    st.lists(TEXTS, min_size=1, max_size=20),
    st.lists(TEXTS, min_size=1, max_size=8),
)
def test_texts_are_found_as_the_oracle_finds_them(
    modifier: str, values: list[str], seen: list[str]
) -> None:
    written = selection_condition({f"field{modifier}": tuple(values)}, SOURCE)
    node = compile_fields({f"field{modifier}": tuple(values)}, SOURCE)
    quick = QuickCondition(node)
    for text in [*seen, *values]:
        record = {"field": text}
        wanted = holds(written, record)
        assert holds(node, record) is wanted
        assert quick.holds(record) is wanted


@settings(max_examples=200, deadline=None)
@given(st.lists(NETWORKS, min_size=1, max_size=20), st.lists(ADDRESSES, min_size=1, max_size=8))
def test_networks_are_found_as_the_oracle_finds_them(values: list[str], seen: list[str]) -> None:
    written = simplify(selection_condition({"ip|cidr": tuple(values)}, SOURCE))
    quick = QuickCondition(compile_fields({"ip|cidr": tuple(values)}, SOURCE))
    for text in seen:
        assert quick.holds({"ip": text}) is holds(written, {"ip": text})


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["a", "b", "a|contains", "b|endswith", "a|cased"]),
            st.lists(TEXTS, min_size=1, max_size=12).map(tuple),
            min_size=1,
            max_size=2,
        ),
        min_size=1,
        max_size=12,
    ),
    st.dictionaries(st.sampled_from("ab"), st.one_of(TEXTS, st.lists(TEXTS, max_size=3))),
)
def test_the_first_that_holds_is_found_among_many(
    listed: list[dict[str, tuple[str, ...]]], record: dict[str, object]
) -> None:
    exceptions = [exception(dict(one), name=str(at)) for at, one in enumerate(listed)]
    ready, refused = compile_exceptions(exceptions, SOURCE)
    assert refused == []
    nodes = [selection_condition(dict(one), SOURCE) for one in listed]
    wanted = next((str(at) for at, node in enumerate(nodes) if holds(node, record)), None)
    found = ready.find(record, NOW)
    assert (found.id if found else None) == wanted


def test_a_hundred_thousand_values_and_as_many_exceptions_are_looked_up() -> None:
    many = exception({"User": tuple(f"svc-{number}" for number in range(100_000))})
    each = [exception({"User": (f"app-{at}",)}, name=f"app-{at}") for at in range(20_000)]
    ready, refused = compile_exceptions([many, *each], SOURCE)
    assert refused == []
    found = [ready.find({"User": name}, NOW) for name in ("SVC-99999", "APP-19999", "alice")]
    assert [one.id if one else None for one in found] == ["one", "app-19999", None]


def test_one_that_has_ended_hides_nothing_to_the_moment() -> None:
    ready, _ = compile_exceptions([exception({"User": ("a",)}, expires=NOW)], SOURCE)
    assert ready.find({"User": "a"}, NOW - timedelta(seconds=1)) is not None
    assert ready.find({"User": "a"}, NOW) is None


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"User|nonsense": ("a",)}, "nonsense"),
        ({"User|re": ("(",)}, "missing"),
        ({"User": (*tuple(f"a{at}" for at in range(100001)), 1)}, "at most 100,000"),
        ({"Image|re": tuple(f"a{at}+" for at in range(1_001))}, "one by one"),
        ({"User|cidr": ("no network",)}, "CIDR|network"),
    ],
)
def test_one_that_cant_be_used_says_why_and_leaves_the_others(
    fields: dict[str, tuple[Scalar, ...]], wrong: str
) -> None:
    good = exception({"User": ("a",)}, name="good")
    ready, refused = compile_exceptions([exception(fields), good], SOURCE)
    ((bad, reason),) = refused
    assert bad.id == "one"
    assert any(part in reason for part in wrong.split("|")), reason
    assert ready.exceptions == (good,)


def test_numbers_booleans_and_null_mean_what_they_mean_in_rules() -> None:
    ready, _ = compile_exceptions(
        [exception({"Id": (4624,), "Ok": (True,), "Gone": (None,)})], SOURCE
    )
    assert ready.find({"Id": "4624", "Ok": True}, NOW) is not None
    assert ready.find({"Id": 4624, "Ok": "true", "Gone": "x"}, NOW) is None
