"""Ranges of numbers behave as the sets they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.store.engines.state.number_ranges import NumberRanges

NUMBERS = st.sets(st.integers(1, 40))


def numbers(ranges: NumberRanges) -> set[int]:
    return {number for number in range(60) if number in ranges}


@given(NUMBERS, NUMBERS, st.integers(0, 50))
def test_ranges_are_sets(some, others, last):
    one, other = NumberRanges.each(some), NumberRanges.each(others)
    assert numbers(one) == some
    assert numbers(one.outside(other)) == some - others
    assert numbers(one.gaps(last)) == set(range(1, last + 1)) - some
    assert NumberRanges.read(str(one)) == one
    assert bool(one) == bool(some)
    assert all(a[1] + 1 < b[0] for a, b in zip(one.ranges, one.ranges[1:], strict=False))


def test_they_are_written_short():
    assert str(NumberRanges.of([(3, 8), (1, 2), (10, 10)])) == "1-8,10"
    assert str(NumberRanges()) == ""


@pytest.mark.parametrize("text", ["x", "1-x", "events/1.parquet"])
def test_another_text_is_refused(text):
    with pytest.raises(ValueError, match="invalid literal"):
        NumberRanges.read(text)
