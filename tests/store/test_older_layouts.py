"""Segments written when the hot columns were others are found, asked, replayed and merged."""

import pyarrow as pa
import pytest

from tocsin.model.lane import Lane
from tocsin.store.engines.parquet import parquet_events, segment_file
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.parquet.segment_file import layout_of, plain_schema
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.hot_columns import HOT_COLUMNS
from tocsin.store.ports import ReplayQuery
from tocsin.store.query import EventQuery

OLD = "0ld1ayou"


@pytest.fixture
def opened(tmp_path):
    state = SqliteState(tmp_path / "state.db")
    events = ParquetEvents(tmp_path / "events", state, merge_at=2)
    yield events, state
    events.close()
    state.close()


def publish(events, state, batch):
    segment = events.write([batch])
    with state.begin() as tx:
        events.publish(tx, segment)


def write_old(events, state, batch, monkeypatch):
    """As by a version that had no hot column for user.name, and ports as text."""
    kept = [column for column in HOT_COLUMNS if column.path != "user.name"]
    fields = [
        pa.field(one.name, pa.string()) if one.name == "dst_endpoint_port" else one
        for one in plain_schema()
        if one.name != "user_name"
    ]
    identifier, path = segment_file.new_path(OLD)
    with monkeypatch.context() as patch:
        patch.setattr(segment_file, "HOT_COLUMNS", tuple(kept))
        patch.setattr(segment_file, "_PLAIN_SCHEMA", pa.schema(fields))
        patch.setattr(parquet_events, "new_path", lambda: (identifier, path))
        publish(events, state, batch)


@pytest.fixture
def mixed(opened, make_batch, monkeypatch):
    events, state = opened
    rows = [
        {"ocsf": {"user.name": "bob", "dst_endpoint.port": 443}, "native": {"a": 1}},
        {"ocsf": {"user.name": "Eve", "message": "old words"}},
    ]
    write_old(events, state, make_batch(rows), monkeypatch)
    publish(events, state, make_batch([{"ocsf": {"user.name": "bob"}}], position=1))
    return events


def everything(events):
    return [(one.event_id, one.ocsf, one.native) for one in events.search(EventQuery()).events]


def users(batches):
    return sorted(name for batch in batches for name in batch.ocsf.column("user.name").to_pylist())


def test_old_events_are_found_by_a_column_they_lack(mixed):
    assert mixed.search(EventQuery("user:bob")).total == 2
    assert mixed.search(EventQuery("user:eve AND words")).total == 1
    assert mixed.search(EventQuery("dst_port:[400 TO 500]")).total == 1
    assert [(one.value, one.count) for one in mixed.top_values(EventQuery(), "user", 5)] == [
        ("bob", 2),
        ("Eve", 1),
    ]
    assert sum(bucket.count for bucket in mixed.histogram(EventQuery("user:bob"), 3)) == 2


def test_they_are_shown_whole(mixed):
    found = mixed.search(EventQuery("user:bob", oldest_first=True)).events
    assert [one.ocsf["user.name"] for one in found] == ["bob", "bob"]
    old = next(one for one in found if one.native)
    assert old.ocsf["dst_endpoint.port"] == 443
    assert mixed.get(old.event_id) == old


def test_sql_sees_one_table(mixed):
    names, rows, _ = mixed.sql("SELECT user_name, dst_endpoint_port FROM events", 10)
    assert names == ["user_name", "dst_endpoint_port"]
    assert sorted(rows, key=str) == [("Eve", None), ("bob", 443), ("bob", None)]


def test_replay_gives_them_with_the_others(mixed):
    batches = mixed.replay(ReplayQuery(), lambda _: Lane("test", "plain", product="test"), print)
    assert users(batches) == ["Eve", "bob", "bob"]


def test_merging_lays_them_out_as_today(mixed):
    before = everything(mixed)
    assert mixed.merge_small() == 2
    assert everything(mixed) == before
    assert [layout_of(one.path) for one in mixed.segments(None, None)] == [segment_file.LAYOUT]
    assert mixed.search(EventQuery("user:bob")).total == 2
    assert mixed.search(EventQuery("dst_port:443")).total == 1


def test_a_stream_of_all_holds_them(mixed):
    with mixed.stream(EventQuery(), ["user", "dst_port"]) as stream:
        rows = [row for batch in stream.batches for row in batch.to_pylist()]
    assert stream.total == 3
    assert sorted(str(row["user"]) for row in rows) == ["Eve", "bob", "bob"]
