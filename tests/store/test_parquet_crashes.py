"""What a crash or a bad disk leaves behind is swept, named or asked again, never miscounted."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tocsin.store.engines.parquet import segment_file
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import QueryError
from tocsin.store.query import EventQuery
from tocsin.store.stop_signal import StopSignal

KILLED = """
import os, signal, sys
from pathlib import Path
import tocsin.store.engines.{module} as module
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
folder = Path(sys.argv[1])
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
state = SqliteState(folder / "state.db")
store = ParquetEvents(folder / "events", state, merge_at=3)
module.{name} = die
store.merge_small()
"""


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def open_store(home):
    opened = []

    def open_one():
        state = SqliteState(home / "state.db")
        opened.append((ParquetEvents(home / "events", state, merge_at=3), state))
        return opened[-1]

    yield open_one
    for events, state in opened:
        events.close()
        state.close()


def publish(events, state, *batches):
    segment = events.write(batches)
    with state.begin() as tx:
        events.publish(tx, segment)
    return segment


def files(home) -> list[Path]:
    return [path for path in (home / "events").glob("*/*") if path.is_file()]


def test_a_segment_that_was_never_published_is_swept_at_the_next_start(
    home, open_store, make_batch
):
    events, state = open_store()
    publish(events, state, make_batch([{}]))
    events.write([make_batch([{}, {}], position=1)])
    events.close()
    again, _state = open_store()
    assert again.sweep_orphans() == 1
    assert len(files(home)) == 1
    assert again.count() == 1


def test_a_half_written_file_is_swept(home, open_store, make_batch):
    events, state = open_store()
    segment = publish(events, state, make_batch([{}]))
    (home / "events" / segment.path).with_name("x.unfinished").write_bytes(
        b"PAR1 and then the power went"
    )
    assert events.sweep_orphans() == 1
    assert events.count() == 1


def test_sweeping_spares_what_is_about_to_be_published(open_store, make_batch):
    events, state = open_store()
    segment = events.write([make_batch([{}])])
    assert events.sweep_orphans() == 0
    with state.begin() as tx:
        events.publish(tx, segment)
    assert events.sweep_orphans() == 0
    assert events.search(EventQuery()).total == 1


def test_sweeping_waits_while_another_process_writes(home, open_store, make_batch):
    first, state = open_store()
    segment = first.write([make_batch([{}])])
    second, _state = open_store()
    assert second.sweep_orphans() == 0
    with state.begin() as tx:
        first.publish(tx, segment)
    assert second.search(EventQuery()).total == 1
    orphan = first.write([make_batch([{}], position=1)])
    first.close()
    assert second.sweep_orphans() == 1
    assert not (home / "events" / orphan.path).exists()


def test_a_full_disk_leaves_nothing_behind(home, open_store, make_batch, monkeypatch):
    def no_space(*_args):
        raise OSError(28, "No space left on device")

    events, _state = open_store()
    monkeypatch.setattr(segment_file, "mark_variants", no_space)
    with pytest.raises(OSError, match="No space"):
        events.write([make_batch([{}])])
    assert files(home) == []


@pytest.mark.parametrize(
    ("module", "name", "left"),
    [
        ("parquet.segment_file", "mark_variants", 1),  # the merged file is half written
        ("state.manifest", "swap", 1),  # it is there, but not in the manifest
        ("parquet.files_in_use", "remove", 3),  # it counts, and the old ones still lie there
    ],
)
def test_a_kill_while_merging_loses_and_doubles_nothing(
    home, open_store, make_batch, module, name, left
):
    events, state = open_store()
    for position in range(3):
        publish(events, state, make_batch([{"native": {"n": position}}] * 4, position=position))
    events.close()
    state.close()
    program = KILLED.format(module=module, name=name)
    ended = subprocess.run([sys.executable, "-c", program, str(home)], check=False, env=os.environ)  # noqa: S603
    assert ended.returncode == -signal.SIGKILL
    again, _state = open_store()
    assert again.search(EventQuery(size=100)).total == 12
    assert again.sweep_orphans() == left
    found = again.search(EventQuery(size=100))
    assert sorted(event.native["n"] for event in found.events) == [0] * 4 + [1] * 4 + [2] * 4
    assert found.problems == ()


def test_a_reader_that_looked_before_a_merge_asks_again(open_store, make_batch):
    events, state = open_store()
    for position in range(4):
        publish(events, state, make_batch([{"native": {"n": position}}] * 50, position=position))
    stop, wrong = threading.Event(), []

    def ask():
        while not stop.is_set():
            page = events.search(EventQuery("native.n:>=0", size=10))
            if (page.total % 50, page.problems, len(page.events)) != (0, (), 10):
                wrong.append(page)

    readers = [threading.Thread(target=ask) for _ in range(2)]
    for reader in readers:
        reader.start()
    for position in range(4, 12):
        publish(events, state, make_batch([{"native": {"n": position}}] * 50, position=position))
        events.merge_small()
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert events.count() == 600


@pytest.mark.parametrize("damage", ["cut", "empty", "gone", "scrambled"])
def test_a_damaged_segment_is_named_and_the_rest_answers(
    home, open_store, make_batch, damage, noon
):
    events, state = open_store()
    publish(events, state, make_batch([{"ocsf": {"user.name": "bob"}}]))
    bad = publish(events, state, make_batch([{"ocsf": {"user.name": "eve"}}] * 3, position=1))
    path = home / "events" / bad.path
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        changed = {
            "cut": whole[:-300],
            "empty": b"",
            "scrambled": b"PAR1" + bytes(len(whole) - 12) + whole[-8:],
        }
        path.write_bytes(changed[damage])
    page = events.search(EventQuery("user:*"))
    assert [event.ocsf["user.name"] for event in page.events] == ["bob"]
    (problem,) = page.problems
    assert bad.path in problem
    assert "3 events" in problem
    assert sum(bucket.count for bucket in events.histogram(EventQuery(), 3)) == 1
    assert [value.value for value in events.top_values(EventQuery(), "user", 5)] == ["bob"]
    told = events.sql("select count(user_name) from events", 1)
    assert told.rows == [(1,)], "the rest answers"
    assert told.problems == page.problems
    everything = events.search(EventQuery())
    assert bad.path in everything.problems[0]


def test_a_query_that_takes_too_long_is_stopped(home, make_batch):
    state = SqliteState(home / "state.db")
    events = ParquetEvents(home / "events", state, timeout_s=0.2)
    publish(events, state, make_batch([{}] * 50))
    slow = "select count(*) from range(100000) a, range(100000) b, range(100000) c where a.range <> b.range"
    with pytest.raises(QueryError, match="took longer"):
        events.sql(slow, 1)
    unhurried = StopSignal()
    assert events.sql("select count(*) from events", 1, stop=unhurried).rows == [(50,)]
    events.close()
    state.close()
