"""Tables of ClickHouse that were made earlier, or by an older server, go on being read and written."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("chdb", reason="ClickHouse's engine is not installed (group engines)")

from tests.clickhouse_server import ClickHouseServer
from tests.store.conftest import MakeBatch
from tocsin.model.event import EventBatch
from tocsin.store.engines.clickhouse import clickhouse_tables
from tocsin.store.engines.clickhouse.clickhouse_events import ClickHouseEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.query import EventQuery

FLAT = '{"a~2Eb":"1","deep/c":"","l/[]":["x","y"],"said":"{\\\\"k\\\\": 1}"}'
NATIVE = {"a.b": 1, "deep": {"c": ""}, "l": ["x", "y"], "said": '{"k": 1}'}
ASKED = {
    "native.a.b:1": 1,
    "native.deep.c:*": 1,
    "native.l:y": 1,
    "native.l:z": 0,
    "NOT native.l:*": 0,
    "native.said:*k*": 1,
    "user:nobody": 0,
}


@pytest.fixture(scope="module")
def server() -> Iterator[ClickHouseServer]:
    with ClickHouseServer() as started:
        yield started


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    with closing(SqliteState(tmp_path / "state.db")) as opened:
        yield opened


def store(server: ClickHouseServer, state: SqliteState, database: str) -> ClickHouseEvents:
    return ClickHouseEvents(server.address, state, database=database)


def publish(events: ClickHouseEvents, state: SqliteState, batch: EventBatch) -> None:
    segment = events.write([batch])
    assert segment is not None
    with state.begin() as tx:
        events.publish(tx, segment)


def found(events: ClickHouseEvents) -> dict[str, int]:
    return {text: events.search(EventQuery(text)).total for text in ASKED}


def as_it_was(server: ClickHouseServer, now: str, older: str) -> None:
    """The table ``now`` in the layout before maps, in the database ``older``."""
    told = clickhouse_tables.create_table(older, [], is_durable=True)
    told = re.sub(r"\w+_lists Map\(.*?\) CODEC\(ZSTD\(1\)\), ", "", told)
    told = re.sub(
        r"(\w+)_leaves Map\(.*?\) CODEC", r"\1_flat JSON(max_dynamic_paths=2048) CODEC", told
    )
    assert told.count("JSON(") == 2
    assert "Map(" not in told
    same = [name for name in clickhouse_tables.COLUMNS if not name.endswith(("_leaves", "_lists"))]
    listed = ", ".join(same)
    copied = f"SELECT {listed}, '{{}}', '{FLAT}' FROM {now}.event_rows"  # noqa: S608
    for statement in (
        f"CREATE DATABASE {older}",
        told,
        f"INSERT INTO {older}.event_rows ({listed}, ocsf_flat, native_flat) {copied}",
    ):
        server.command(statement)


def test_an_older_table_is_brought_forward(
    server: ClickHouseServer, state: SqliteState, make_batch: MakeBatch
) -> None:
    with closing(store(server, state, "now")) as now:
        publish(now, state, make_batch([{"native": NATIVE}]))
        assert found(now) == ASKED
        as_it_was(server, "now", "older")
    with closing(store(server, state, "older")) as older:
        assert found(older) == ASKED
        publish(older, state, make_batch([{"native": NATIVE}], position=1))
        both = {text: 2 * count for text, count in ASKED.items()}
        assert found(older) == both
        first, second = older.search(EventQuery(), None).events
        assert first.native == second.native == NATIVE
    with closing(store(server, state, "older")) as again:
        assert found(again) == both, "opened once more"


def test_rows_of_an_older_table_are_written_anew_with_their_maps(
    server: ClickHouseServer, state: SqliteState, make_batch: MakeBatch
) -> None:
    with closing(store(server, state, "first")) as now:
        publish(now, state, make_batch([{"native": NATIVE}, {"native": NATIVE}]))
        gone = now.search(EventQuery()).events[0].event_id
        as_it_was(server, "first", "second")
    with closing(store(server, state, "second")) as older:
        with older.withdrawing(frozenset([gone])) as swap, state.begin() as tx:
            swap(tx)
        assert found(older) == ASKED
        held = "SELECT concat(toString(native_flat), native_leaves['a~2Eb']) FROM second.event_rows"
        assert server.command(held) == "{}1", "what was written anew has its map from the copy"


def test_a_server_that_knows_no_parts_of_maps_gets_whole_ones(
    server: ClickHouseServer, state: SqliteState, make_batch: MakeBatch
) -> None:
    server.lacks = frozenset(clickhouse_tables.BUCKETED)
    with closing(store(server, state, "plain")) as events:
        publish(events, state, make_batch([{"native": NATIVE}]))
        assert found(events) == ASKED
    server.lacks = frozenset()
    is_made = f"CREATE TABLE IF NOT EXISTS {clickhouse_tables.quoted('plain')}."
    (made,) = [one.statement for one in server.requests if one.statement.startswith(is_made)]
    assert "native_leaves" in made
    assert not any(name in made for name in clickhouse_tables.BUCKETED)
