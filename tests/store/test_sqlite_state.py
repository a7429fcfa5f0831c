"""The state store on SQLite: transactions, threads and refusals."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Table, func, insert, select, text
from sqlalchemy.exc import OperationalError, StatementError

from tocsin.store.engines.sqlite_state import SqliteState
from tocsin.store.ports import StoreError
from tocsin.store.tables import segments

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path):
    store = SqliteState(tmp_path / "home" / "state.db")
    yield store
    store.close()


def row(name: str, time: datetime = NOON) -> dict[str, object]:
    return {
        "id": name,
        "path": f"{name}.parquet",
        "rows": 1,
        "size_bytes": 10,
        "first_time": time,
        "last_time": time,
        "sources": ["a"],
        "lanes": ["b"],
        "checksum": "",
        "first_event_id": "",
        "last_event_id": "",
    }


def count(store: SqliteState, table: Table = segments) -> int:
    with store.read() as tx:
        return tx.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_write_is_there_after_the_block_and_after_a_restart(tmp_path):
    first = SqliteState(tmp_path / "state.db")
    with first.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
    first.close()
    second = SqliteState(tmp_path / "state.db")
    assert count(second) == 1
    second.close()


def test_an_exception_rolls_everything_back(state):
    def write_and_fail() -> None:
        with state.begin() as tx:
            tx.execute(insert(segments).values(row("s1")))
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_and_fail()
    assert count(state) == 0


def test_reading_sees_one_moment_while_others_write(state):
    with state.read() as before:
        assert before.execute(select(func.count()).select_from(segments)).scalar_one() == 0
        with state.begin() as tx:
            tx.execute(insert(segments).values(row("s1")))
        assert before.execute(select(func.count()).select_from(segments)).scalar_one() == 0
    assert count(state) == 1


def test_writing_through_a_read_is_refused(state):
    with state.read() as tx, pytest.raises(OperationalError, match="readonly"):
        tx.execute(insert(segments).values(row("s1")))


def test_a_second_write_transaction_in_one_thread_is_an_error_not_a_hang(state):
    with state.begin(), pytest.raises(StoreError, match="already holds"), state.begin():
        pass
    with state.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
    assert count(state) == 1


def test_many_threads_write_without_losing_a_row(state):
    def add(worker: int) -> None:
        for number in range(20):
            with state.begin() as tx:
                tx.execute(insert(segments).values(row(f"{worker}-{number}")))

    workers = [threading.Thread(target=add, args=(n,)) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert count(state) == 120


def test_two_processes_worth_of_stores_share_one_file(tmp_path, state):
    other = SqliteState(tmp_path / "home" / "state.db")
    with other.begin() as tx:
        tx.execute(insert(segments).values(row("s1")))
    assert count(state) == 1
    other.close()


def test_times_come_back_aware_and_naive_ones_are_refused(state):
    there = NOON.astimezone(timezone(timedelta(hours=5)))
    with state.begin() as tx:
        tx.execute(insert(segments).values(row("s1", there)))
    with state.read() as tx:
        assert tx.execute(select(segments.c.first_time)).scalar_one() == NOON
    with state.begin() as tx, pytest.raises(StatementError, match="without a zone"):
        tx.execute(insert(segments).values(row("s2", NOON.replace(tzinfo=None))))


def test_foreign_keys_and_full_flushes_are_on(state):
    with state.begin() as tx:
        assert tx.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert tx.execute(text("PRAGMA synchronous")).scalar() == 2
        assert tx.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "state.db").write_bytes(b"not a database at all, but long enough" * 100)
    with pytest.raises(StoreError, match=r"state\.db can't be opened"):
        SqliteState(tmp_path / "state.db")
