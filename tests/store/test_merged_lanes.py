"""Merging takes segments apart by lane and leaves out what no event has; every event stays."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.conftest import _make_batch
from tocsin.store.engines.parquet import segment_merge
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.parquet.segment_file import (
    VARIANTS,
    laid_out,
    plain_schema,
    write_durably,
)
from tocsin.store.engines.parquet.segment_leaves import filled_leaves
from tocsin.store.engines.parquet.segment_parts import lane_parts
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.query import EventQuery

LANES = ("test.a", "test.b", "test.c")
VALUES = st.one_of(
    st.none(),
    st.just({}),
    st.integers(0, 3),
    st.sampled_from(["x", "y", ""]),
    st.dictionaries(st.sampled_from("pq"), st.none() | st.integers(0, 3), max_size=2),
    st.lists(st.fixed_dictionaries({"p": st.none() | st.integers(0, 3)}), max_size=2),
)
RECORDS = st.dictionaries(st.sampled_from(["f", "g", "G", "h"]), VALUES, max_size=3)


def fits(records: list[dict]) -> bool:
    """Whether Arrow makes columns of them as they are."""
    try:
        columns = {
            name: pa.array([one.get(name) for one in records])
            for name in {name for one in records for name in one}
        }
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return all(
        value == one.get(name)
        for name, column in columns.items()
        for one, value in zip(records, column.to_pylist(), strict=True)
    )


TURNS = st.lists(
    st.lists(
        st.tuples(st.sampled_from(LANES), st.lists(RECORDS, min_size=1, max_size=3).filter(fits)),
        min_size=1,
        max_size=4,
    ),
    min_size=3,
    max_size=5,
)


@contextmanager
def stored(turns: list[list[tuple[str, list[dict]]]]) -> Iterator[ParquetEvents]:
    with TemporaryDirectory() as folder:
        state = SqliteState(Path(folder) / "state.db")
        events = ParquetEvents(Path(folder) / "events", state, merge_at=2)
        with closing(state), closing(events):
            for number, turn in enumerate(turns):
                batches = [
                    _make_batch(
                        [{"native": one, "at": 10 - at} for at, one in enumerate(records)],
                        lane=lane,
                        position=10 * number + place,
                    )
                    for place, (lane, records) in enumerate(turn)
                ]
                written = events.write(batches)
                with state.begin() as tx:
                    events.publish(tx, written)
            yield events


def told(events: ParquetEvents) -> dict[str, str]:
    found = events.search(EventQuery(size=1_000)).events
    return {
        one.event_id: json.dumps([one.lane, str(one.time), one.native, one.ocsf], sort_keys=True)
        for one in found
    }


@pytest.mark.parametrize("own_file_rows", [1, 3, 4_000])
def test_every_event_is_the_same_after_merging(
    monkeypatch: pytest.MonkeyPatch, own_file_rows: int
) -> None:
    monkeypatch.setattr(segment_merge.merge, "__defaults__", (own_file_rows,))

    @settings(max_examples=25, deadline=None)
    @given(TURNS)
    def hold(turns: list[list[tuple[str, list[dict]]]]) -> None:
        mixed = [[*turn, ("test.every", [{"f": 1}])] for turn in turns]
        with stored(mixed) as events:
            before = told(events)
            assert len(before) == sum(len(records) for turn in mixed for _, records in turn)
            assert events.merge_small() == len(turns)
            assert told(events) == before

    hold()


def test_a_merged_file_is_in_order_of_lane_and_time() -> None:
    turns = [[("test.b", [{"f": 1}] * 3), ("test.a", [{"g": "x"}] * 3)] for _ in range(4)]
    with stored(turns) as events:
        assert events.merge_small() == 4
        (segment,) = events.segments(None, None)
        table = pq.ParquetFile(events._folder / segment.path).read(columns=["lane", "time"])
    rows = [(row["lane"], row["time"]) for row in table.to_pylist()]
    assert rows == sorted(rows)
    assert len(rows) == 24


def test_what_is_null_in_all_events_need_not_be_read(tmp_path: Path) -> None:
    """Parts of a table without these leaves are those of the whole table."""
    rows = {
        "test.a": [{"f": {"p": 1, "q": None}, "g": "x"}, {"f": {"p": None, "q": None}, "g": "y"}],
        "test.b": [{"f": {}, "h": [{"p": 1}]}, {"f": None, "h": []}],
        "test.c": [{}],
    }
    batches = [
        _make_batch([{"native": one} for one in records], lane=lane)
        for lane, records in rows.items()
    ]
    table, _ = laid_out([*batches, *batches])
    path = tmp_path / "20260101" / "one.parquet"
    write_durably(path, iter([table]), table.schema)
    with pq.ParquetFile(path) as file:
        leaves = filled_leaves(file, 0, dict.fromkeys(file.schema_arrow.names))
        assert len(leaves) < file.metadata.num_columns
        some, whole = file.read_row_group(0, columns=leaves), file.read()
    parts = list(lane_parts(some, plain_schema(), VARIANTS))
    expected = list(lane_parts(whole, plain_schema(), VARIANTS))
    assert [one.lane for one in parts] == [*rows, *rows]
    for part, other in zip(parts, expected, strict=True):
        assert part.lane == other.lane
        assert part.plain.equals(other.plain)
        for name in VARIANTS:
            assert _filled(part.variants[name]) == _filled(other.variants[name])
    native = parts[0].variants["native"].field("typed_value")
    assert {field.name for field in native.type} == {"f", "g"}, "h is of another lane"


def _filled(column: pa.Array) -> list:
    """Names without anything encoded are not read, and mean nothing."""
    return [{**row, "metadata": None} for row in column.to_pylist()]
