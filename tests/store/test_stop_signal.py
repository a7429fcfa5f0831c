"""A running query can be ended from another thread, and says why it ended."""

import threading

import pytest

from tocsin.store.engines.parquet.duckdb_reader import DuckDbReader
from tocsin.store.ports import QueryStopped
from tocsin.store.stop_signal import StopSignal

ENDLESS = "select count(*) from range(1000000000000) where random() > 2"


@pytest.fixture
def reader(tmp_path):
    opened = DuckDbReader(tmp_path, threads=1, memory_mb=64, timeout_s=600)
    yield opened
    opened.close()


def test_what_runs_is_ended_by_another_thread(reader):
    stop = StopSignal()
    ending = threading.Thread(target=stop.stop, args=("enough",))

    def ask() -> None:
        with reader.cursor(stop) as cursor:
            ending.start()
            cursor.execute(ENDLESS).fetchall()

    with pytest.raises(QueryStopped, match="enough"):
        ask()
    ending.join()
    assert stop.reason == "enough"


def test_what_takes_too_long_is_ended(reader):
    stop = StopSignal(0.05, "time is up")
    with pytest.raises(QueryStopped, match="time is up"), reader.cursor(stop) as cursor:
        cursor.execute(ENDLESS).fetchall()


def test_nothing_begins_once_it_was_stopped(reader):
    stop = StopSignal()
    stop.stop("first")
    stop.stop("second")
    with pytest.raises(QueryStopped, match="first"), reader.cursor(stop):
        raise AssertionError("it began")


def test_the_reader_answers_after_a_stop(reader):
    stop = StopSignal(0.05)
    with pytest.raises(QueryStopped), reader.cursor(stop) as cursor:
        cursor.execute(ENDLESS).fetchall()
    with reader.cursor() as cursor:
        assert cursor.execute("select 1").fetchall() == [(1,)]
