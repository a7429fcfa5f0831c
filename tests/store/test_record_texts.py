"""Texts made column by column say what each record by itself would."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tocsin.store.engines.clickhouse.clickhouse_leaves import leaf_maps
from tocsin.store.engines.variant.arrow_plain import plain_within
from tocsin.store.engines.variant.exact_json import TAG, read, written
from tocsin.store.engines.variant.flat_fields import Path, key_of, leaves, text_of
from tocsin.store.engines.variant.record_texts import exact_texts, without_nulls
from tocsin.store.fields import ANY_MEMBER

NAMES = st.sampled_from(["a", "A", "é", "a.b", "a/b", "[]", 'q"', "\\", "", TAG, "~"])
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SCALARS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.bool_(), st.booleans()),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.string(), st.text(max_size=5)),
    (pa.binary(), st.binary(max_size=4)),
    (pa.timestamp("us", "UTC"), MOMENTS),
    (pa.decimal128(20, 3), st.integers(-(10**17), 10**17).map(lambda n: Decimal(n).scaleb(-3))),
    (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["x", "y", '"'])),
    (pa.null(), st.none()),
]


@st.composite
def kinds(draw: st.DrawFn, depth: int = 2) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    shape = draw(st.integers(0, 3)) if depth else 0
    if shape < 2:
        return draw(st.sampled_from(SCALARS[:-2] if depth < 2 else SCALARS))
    if shape == 2:
        kind, values = draw(kinds(depth - 1))
        return pa.list_(kind), st.lists(st.none() | values, max_size=3)
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    inner = {name: draw(kinds(depth - 1)) for name in names}
    fields = [pa.field(name, kind) for name, (kind, _) in inner.items()]
    made = {name: st.none() | values for name, (_, values) in inner.items()}
    return pa.struct(fields), st.fixed_dictionaries(made)


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    rows = draw(st.integers(1, 4))
    columns = {}
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        kind, values = draw(kinds())
        given_values = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        columns[name] = pa.array(given_values, kind)
    if not columns:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
    return pa.RecordBatch.from_pydict(columns)


def told(record: Any, paths: set[Path]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The leaves of one record by key: single ones, and members of lists."""
    one: dict[str, str] = {}
    many: dict[str, list[str]] = {}
    for path, value in leaves(record):
        paths.add(path)
        if ANY_MEMBER in path:
            many.setdefault(key_of(path), []).append(text_of(value))
        else:
            one[key_of(path)] = text_of(value)
    return one, many


@given(batches())
def test_each_record_is_told_as_it_would_be_alone(batch: pa.RecordBatch) -> None:
    plain = {
        name: plain_within(column).to_pylist()
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    records = [
        without_nulls({name: values[row] for name, values in plain.items()})
        for row in range(batch.num_rows)
    ]
    wanted: set[Path] = set()
    single: list[dict[str, str]] = []
    lists: list[dict[str, list[str]]] = []
    for record in records:
        one, many = told(record, wanted)
        single.append(one)
        lists.append(many)
    paths: set[Path] = set()
    of_one, of_lists = leaf_maps(batch, paths)
    assert list(map(dict, of_one.to_pylist())) == single
    assert list(map(dict, of_lists.to_pylist())) == lists
    assert paths == wanted
    assert [read(text) for text in exact_texts(batch).to_pylist()] == [
        read(written(record)) for record in records
    ]


def test_numbers_that_json_has_not_come_back() -> None:
    batch = pa.RecordBatch.from_pydict({"f": [float("inf"), float("-inf"), None, -0.0]})
    told = [read(text) for text in exact_texts(batch).to_pylist()]
    assert told == [{"f": float("inf")}, {"f": float("-inf")}, {}, {"f": 0.0}]
    assert str(told[3]["f"]) == "-0.0"


@given(
    st.lists(st.none() | st.text(alphabet='ab"\\\n\x00\x7fé\u2028😀'), min_size=1),
    st.integers(0, 3),
)
def test_texts_are_quoted_as_each_alone(texts: list[str | None], skipped: int) -> None:
    column = pa.array(texts, pa.string())[skipped:]
    batch = pa.RecordBatch.from_pydict({"t": column})
    assert exact_texts(batch).to_pylist() == [
        written(without_nulls({"t": text})).decode() for text in column.to_pylist()
    ]
