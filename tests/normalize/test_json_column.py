"""JSON written by columns is what is written of each value."""

from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.normalize.columns import columns_of, json_text
from tocsin.normalize.json_column import json_column

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.sampled_from(['"', "\\", "\n", "\x00", "\x7f", "é", "\u2028", "", "null"]),
)
PLAIN = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), TEXTS),
    st.floats(allow_nan=False),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", 'c"', "é"]), inner)
    ),
    max_leaves=8,
)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=5), st.integers(0, 2))
def test_columns_write_what_each_value_is(values: list[Any], start: int) -> None:
    batch = columns_of([{"value": value} for value in values])
    if not batch.num_columns:
        return
    column = batch.column(0)[start:]
    expected = [
        None if one is None else json_text(without_nulls(one)) for one in column.to_pylist()
    ]
    assert json_column(column).to_pylist() == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([{"a": None}, {"a": {"b": 1}}, None], ["{}", '{"a":{"b":1}}', None]),
        ([[1, None], [], None], ["[1,null]", "[]", None]),
        ([[{"a": [None]}, None]], ['[{"a":[null]},null]']),
        ([[float("nan"), 1e22, 1.0]], ["[null,1e+22,1.0]"]),
        ([{}, {}], ["{}", "{}"]),
    ],
)
def test_what_is_written(values: list[Any], expected: list[str | None]) -> None:
    array = pa.array(values, pa.struct([])) if values == [{}, {}] else pa.array(values)
    told = json_column(array).to_pylist()
    assert told == expected
    assert all(text is None or orjson.loads(text) is not None for text in told)
