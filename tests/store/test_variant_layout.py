"""The VARIANT layout holds every value, however batches are put together and merged again."""

from datetime import date, datetime, time
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.store.engines.variant.parquet_footer import mark_variants, marked
from tocsin.store.engines.variant.variant_decoding import decode, field_names, plain_values
from tocsin.store.engines.variant.variant_encoding import FieldNames, encode
from tocsin.store.engines.variant.variant_recoding import recoded
from tocsin.store.engines.variant.variant_shredding import shredded
from tocsin.store.engines.variant.variant_union import variant_column
from tocsin.store.fields import MARKS
from tocsin.store.ports import StoreError

MARK = MARKS[0]
NAMES = st.sampled_from(
    ["a", "A", "b", "B", "é", "x.y", *MARKS, "a" + MARK, "a" + MARKS[1], "value", "typed_value"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**62)
    | st.text("ab", max_size=2)
    | st.floats(0, 1),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=5,
)


def arrow_can_hold(record: dict) -> bool:
    try:
        return pa.array([record]).to_pylist() == [record]
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False


RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4).filter(arrow_can_hold), max_size=5)


def column_of(records: list[dict]):
    names = FieldNames()
    batches = [pa.RecordBatch.from_struct_array(pa.array([record])) for record in records]
    return variant_column([shredded(batch, names) for batch in batches], names)


def read(column) -> list[object]:
    names = field_names(column.field("metadata")[0].as_py()) if len(column) else []
    return [without_nulls(value or {}) for value in plain_values(column, names)]


def without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {name: without_nulls(v) for name, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


@settings(max_examples=200, deadline=None)
@given(groups=st.lists(RECORDS.filter(bool), min_size=1, max_size=3))
def test_values_survive_layout_and_merge(groups):
    columns = [column_of(records) for records in groups]
    for records, column in zip(groups, columns, strict=True):
        assert read(column) == without_nulls(records)
    names = FieldNames()
    merged = variant_column([recoded(column, names) for column in columns], names)
    assert read(merged) == without_nulls([record for records in groups for record in records])


ENCODABLE = [
    None, True, False, 0, -1, 2**63 - 1, -(2**63), 2**80, 1.5, "", "text", "é" * 100, b"", b"\x00\xff",
    Decimal("1.25"), Decimal(10), date(2026, 1, 2), datetime(2026, 1, 2, 3, 4, 5, 6), time(1, 2, 3, 4),  # noqa: DTZ001
    [], [1, "x", None, [2]], {}, {"b": 1, "a": {"c": [None]}}, {"x": {}, "a" + MARK: 1},
]  # fmt: skip


@pytest.mark.parametrize("value", ENCODABLE, ids=repr)
def test_encoded_values_read_back(value):
    names = FieldNames()
    data = encode(value, names)
    assert decode(data, field_names(names.metadata())) == value


def test_duckdb_reads_what_was_encoded(tmp_path):
    names = FieldNames()
    values = [value for value in ENCODABLE if value is not None]
    data = [encode(value, names) for value in values]
    storage = pa.StructArray.from_arrays(
        [pa.array([names.metadata()] * len(data), pa.binary()), pa.array(data, pa.binary())],
        fields=[pa.field("metadata", pa.binary(), nullable=False), pa.field("value", pa.binary())],
    )
    path = tmp_path / "v.parquet"
    pq.write_table(pa.table({"v": storage}), path)
    mark_variants(path, ["v"])
    with duckdb.connect() as database:
        found = [row[0] for row in database.execute("FROM read_parquet(?)", [str(path)]).fetchall()]
    expected = [
        {"x": {}, "a" + MARK + MARK: 1} if value == ENCODABLE[-1] else value for value in values
    ]
    assert found == expected


def test_a_value_without_a_form_is_refused():
    with pytest.raises(TypeError, match="no Variant form"):
        encode(object(), FieldNames())


def test_wide_and_deep_records_are_kept():
    deep: dict = {"end": 1}
    for _ in range(45):
        deep = {"d": deep}
    wide = {f"f{n}": n for n in range(1_200)}
    records = [deep, wide]
    assert read(column_of(records)) == records


def test_only_the_top_column_of_a_name_is_marked(tmp_path):
    path = tmp_path / "t.parquet"
    inner = pa.array([{"native": {"metadata": b"", "value": b""}}])
    outer = pa.array([{"metadata": b"\x01\x00\x00", "value": b"\x00"}])
    pq.write_table(pa.table({"other": inner, "native": outer}), path)
    mark_variants(path, ["native"])
    with duckdb.connect() as database:
        kinds = dict(
            database.execute(
                "SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet(?))", [str(path)]
            ).fetchall()
        )
    assert kinds["native"] == "VARIANT"
    assert kinds["other"].startswith("STRUCT")


def test_a_file_without_the_column_or_the_end_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(StoreError, match="no unmarked column called native"):
        mark_variants(path, ["native"])
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(StoreError, match="cut short"):
        mark_variants(path, ["a"])
    with pytest.raises(StoreError, match="version"):
        marked(b"nothing", ["a"])
