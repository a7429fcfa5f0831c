"""Records become columns and come back as they were, up to the written rules."""

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.model.field_path import REMAINDER
from tocsin.normalize.columns import MAX_KEYS, columns_of, json_text

scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
records = st.lists(st.dictionaries(st.sampled_from("abcd"), values, max_size=4), max_size=6)


def _same(original: object, found: object) -> bool:
    """Whether ``found`` tells what ``original`` said, by the rules in columns.py."""
    if original is None or found is None:
        return original is None and found is None
    if isinstance(found, str) and not isinstance(original, str):
        return found == json_text(original)
    if isinstance(original, dict):
        return isinstance(found, dict) and all(
            _same(original.get(name), found.get(name)) for name in {*original, *found}
        )
    if isinstance(original, list):
        return (
            isinstance(found, list)
            and len(original) == len(found)
            and all(_same(one, other) for one, other in zip(original, found, strict=True))
        )
    if isinstance(original, bool) or isinstance(found, bool):
        return original is found
    return original == found


@given(records)
@settings(max_examples=300, deadline=None)
def test_records_come_back_from_their_columns(rows: list[dict[str, object]]) -> None:
    batch = columns_of(rows)
    assert batch.num_rows == len(rows)
    for name in batch.schema.names:
        assert batch.column(name).null_count < len(rows)
    for row, found in zip(rows, batch.to_pylist(), strict=True):
        assert _same(row, found)


def test_no_columns_still_count_their_records() -> None:
    assert columns_of([{}, {"a": None}]).num_rows == 2


@pytest.mark.parametrize(
    ("rows", "column", "kind"),
    [
        ([1, 2], [1, 2], pa.int64()),
        ([1, "b"], ["1", "b"], pa.string()),
        ([True, 1], ["true", "1"], pa.string()),
        ([1, 2.5], [1.0, 2.5], pa.float64()),
        ([2**60, 2.5], [str(2**60), "2.5"], pa.string()),
        ([2**64, 1], [str(2**64), "1"], pa.string()),
        ([{}, {}], ["{}", "{}"], pa.string()),
        ([[], []], [[], []], pa.list_(pa.string())),
        ([[1, "x"], []], [["1", "x"], []], pa.list_(pa.string())),
        ([{"a": 1}, "x"], ['{"a":1}', "x"], pa.string()),
        (
            [[{"a": 1}], [{"a": 2}]],
            [[{"a": 1}], [{"a": 2}]],
            pa.list_(pa.struct({"a": pa.int64()})),
        ),
    ],
)
def test_each_rule_on_types(rows: list[object], column: list[object], kind: pa.DataType) -> None:
    found = columns_of([{"x": value} for value in rows]).column("x")
    assert found.type == kind
    assert found.to_pylist() == column


def test_half_a_surrogate_pair_is_kept_as_its_escape() -> None:
    assert columns_of([{"x": "a\ud800b"}]).column("x").to_pylist() == ["a\\ud800b"]


def test_very_deep_records_become_text_below_the_limit() -> None:
    deep: object = "bottom"
    for _ in range(5_000):
        deep = {"d": deep}
    text = orjson.dumps(columns_of([{"x": deep}]).to_pylist()).decode()
    assert "bottom" in text
    assert text.count("d") == 5_000


def test_too_many_names_share_one_column() -> None:
    batch = columns_of([{f"k{number}": number} for number in range(MAX_KEYS + 5)])
    assert batch.num_columns == MAX_KEYS + 1
    assert batch.column(REMAINDER)[MAX_KEYS + 4].as_py() == f'{{"k{MAX_KEYS + 4}":{MAX_KEYS + 4}}}'
