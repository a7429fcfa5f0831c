"""What goes to a server of ClickHouse over HTTP, and what comes of its refusals and silences."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("chdb", reason="ClickHouse's engine is not installed (group engines)")

from tests.clickhouse_server import ClickHouseServer, Request
from tests.store.conftest import MakeBatch
from tocsin.store.engines.clickhouse.clickhouse_events import ClickHouseEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.errors import QueryStopped
from tocsin.store.ports import QueryError, StoreAway
from tocsin.store.query import EventQuery
from tocsin.store.stop_signal import StopSignal


@pytest.fixture
def server() -> Iterator[ClickHouseServer]:
    with ClickHouseServer() as started:
        yield started


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    opened = SqliteState(tmp_path / "state.db")
    yield opened
    opened.close()


@pytest.fixture
def events(server: ClickHouseServer, state: SqliteState) -> Iterator[ClickHouseEvents]:
    opened = ClickHouseEvents(server.address, state, database="sent")
    yield opened
    opened.close()


def sent(server: ClickHouseServer, begins: str) -> list[Request]:
    return [one for one in server.requests if one.statement.startswith(begins)]


def publish(events: ClickHouseEvents, state: SqliteState, *batches: Any) -> None:
    segment = events.write(batches)
    assert segment is not None
    with state.begin() as tx:
        events.publish(tx, segment)


def test_a_write_waits_for_the_disk_and_can_be_sent_again(
    server: ClickHouseServer, events: ClickHouseEvents, state: SqliteState, make_batch: MakeBatch
) -> None:
    publish(events, state, make_batch([{"native": {"n": 1}}] * 3))
    (table,) = sent(server, "CREATE TABLE")
    assert "fsync_after_insert = 1" in table.statement
    assert "non_replicated_deduplication_window = 1000" in table.statement
    (insert,) = sent(server, "INSERT")
    assert insert.asked["async_insert"] == "0"
    assert insert.asked["max_execution_time"] == "0"
    assert insert.statement.endswith("FORMAT Arrow")
    (segment,) = events.segments(None, None)
    assert insert.asked["insert_deduplication_token"] == segment.id
    again = events.write([make_batch([{"native": {"n": 1}}] * 3)])
    assert again is not None
    tokens = [one.asked["insert_deduplication_token"] for one in sent(server, "INSERT")]
    assert tokens == [segment.id, again.id]
    assert events.search(EventQuery()).total == 3, "what is not published is not found"


def test_every_statement_is_bounded_can_be_named_and_says_who_asks(
    server: ClickHouseServer, events: ClickHouseEvents, state: SqliteState, make_batch: MakeBatch
) -> None:
    publish(events, state, make_batch([{}]))
    events.search(EventQuery("severity_id:1"))
    assert events.sql("select count(*) as n from events", 5).rows == [(1,)]
    asked = sent(server, "SELECT COUNT") + sent(server, "WITH")
    assert len({one.asked["query_id"] for one in server.requests}) == len(server.requests)
    for one in asked:
        assert one.asked["max_memory_usage"] == str(4096 << 20)
        assert one.asked["max_execution_time"] == "60"
        assert one.asked["wait_end_of_query"] == "1", "an error after the first rows is an error"
        assert one.user == "tocsin:secret"
    (people,) = sent(server, "WITH")
    assert (people.asked["readonly"], people.asked["allow_ddl"]) == ("2", "0")
    assert people.asked["limit"] == "5"


def test_a_search_that_is_stopped_is_killed_on_the_server(
    server: ClickHouseServer, events: ClickHouseEvents, state: SqliteState, make_batch: MakeBatch
) -> None:
    publish(events, state, make_batch([{}]))
    server.hangs = lambda statement: statement.startswith("SELECT COUNT")
    stop, ended = StopSignal(), []

    def search() -> None:
        with pytest.raises(QueryStopped, match="the browser was closed"):
            events.search(EventQuery(), stop)
        ended.append(True)

    asking = threading.Thread(target=search)
    asking.start()
    assert server.hanging.wait(60)
    stop.stop("the browser was closed")
    asking.join(60)
    assert ended == [True]
    (count,) = sent(server, "SELECT COUNT")
    assert {one.asked["param_id"] for one in sent(server, "KILL")} == {count.asked["query_id"]}


def test_what_the_server_refuses_is_said_without_the_password(
    server: ClickHouseServer, events: ClickHouseEvents
) -> None:
    with pytest.raises(QueryError, match="the query can't be run") as told:
        events.sql("select nope from events", 1)
    assert "nope" in str(told.value)
    assert "secret" not in str(told.value)


def test_a_server_that_is_away_is_named_without_the_password(state: SqliteState) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # nobody listens there
        with pytest.raises(StoreAway, match=rf"127\.0\.0\.1:{port} can't be reached") as told:
            ClickHouseEvents(f"clickhouse://tocsin:secret@127.0.0.1:{port}", state)
    assert "secret" not in str(told.value)
