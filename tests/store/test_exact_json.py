"""Records written as JSON text come back as they were, and as flat texts under keys of their own."""

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.store.engines.variant.exact_json import read, written
from tocsin.store.engines.variant.flat_fields import key_of, leaves, text_of
from tocsin.store.fields import ANY_MEMBER

NAMES = st.text(st.characters(codec="utf-8"), max_size=6) | st.just("$exact")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=5)
    | st.binary(max_size=4)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.times()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
@example({"$exact": ["decimal", "1"], "in": {"$exact": math.inf}})
@example({"when": datetime(1, 1, 1, tzinfo=UTC)})
def test_any_record_comes_back(record):
    found = read(written(record))
    assert found == record
    assert read(written(record).decode()) == record


def test_what_is_no_number_comes_back():
    assert math.isnan(read(written({"n": [float("nan")]}))["n"][0])


def test_a_kind_that_has_no_form_is_refused():
    with pytest.raises(TypeError, match="set"):
        written({"s": {1}})


def test_leaves_are_told_as_text_members_of_lists_together():
    paths: set[tuple[str, ...]] = set()
    record = {
        "a.b": 1,
        "a": {"b": True, "l": [{"v": "x"}, {"v": 0.25}, {"w": None}], "e": {}, "n": [[1], [2]]},
        "d": Decimal("1.50"),
        "t": [datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 2), time(1, 2)],
        "bytes": b"a\xff",
    }
    found: dict[str, list[str]] = {}
    for path, value in leaves(record):
        paths.add(path)
        found.setdefault(key_of(path), []).append(text_of(value))
    assert found == {
        "a~2Eb": ["1"],
        "a/b": ["true"],
        "a/l/[]/v": ["x", "0.25"],
        "a/n/[]/[]": ["1", "2"],
        "d": ["1.50"],
        "t/[]": ["2026-01-01 00:00:00", "2026-01-02", "01:02:00"],
        "bytes": ["a\\xff"],
    }
    assert {key_of(path) for path in paths} == found.keys()
    assert ("a", "l", ANY_MEMBER, "v") in paths


@given(st.lists(st.lists(NAMES | st.just(ANY_MEMBER), min_size=1).map(tuple), max_size=6))
@example([("[]",), ("[", "]"), ("", ""), ("~",), ("~7E",), ("/",), ("a/b",), ("a", "b")])
def test_each_path_has_a_key_of_its_own_that_is_plain_ascii(paths):
    keys = {path: key_of(path) for path in paths}
    assert len(set(keys.values())) == len(keys)
    for key in keys.values():
        assert set(key) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-~/[]"
        )
        assert orjson.loads(orjson.dumps({key: 1})) == {key: 1}
