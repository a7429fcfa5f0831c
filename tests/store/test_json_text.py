"""What a JSON column holds comes back as it was."""

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.store.engines.state.json_text import json_text

TEXTS = st.text(st.characters(exclude_categories=())) | st.just("\x00\ufdd0")
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    PLAIN.filter(lambda one: not isinstance(one, float) or math.isfinite(one)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


@given(VALUES)
def test_any_value_comes_back(value: object) -> None:
    assert json.loads(json_text(value)) == value
    assert json.loads(json_text(value).encode(errors="surrogatepass")) == value


def test_numbers_keep_every_digit() -> None:
    numbers = [2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**40, 0.1, 1e308]
    again = json.loads(json_text(numbers))
    assert again == numbers
    assert [type(one) for one in again] == [type(one) for one in numbers]


def test_what_is_no_json_is_refused() -> None:
    for value in (datetime(2026, 3, 4, tzinfo=UTC), {1, 2}, b"bytes"):
        with pytest.raises(TypeError):
            json_text(value)
