"""Who writes events waits for no merging, no sweeping and no taking out."""

import threading

import pytest

from tocsin.store.engines.parquet import parquet_events
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState


@pytest.fixture
def home(tmp_path, make_batch):
    """A store that merges two segments, and what writes one more event to it."""
    state = SqliteState(tmp_path / "state.db")
    events = ParquetEvents(tmp_path / "events", state, merge_at=2)
    positions = iter(range(100))

    def write():
        segment = events.write([make_batch([{}], position=next(positions))])
        with state.begin() as tx:
            events.publish(tx, segment)
        return segment

    yield events, state, write
    events.close()
    state.close()


def meanwhile(write):
    """Writes in a thread of its own, which must not have to wait for this one."""
    written = []
    thread = threading.Thread(target=lambda: written.append(write()), daemon=True)
    thread.start()
    thread.join(60)
    assert written, "a writer waited for what went on meanwhile"


def test_while_segments_are_merged(home, monkeypatch):
    events, _state, write = home
    write(), write()
    real = parquet_events.merge

    def merge(*args, **named):
        meanwhile(write)
        return real(*args, **named)

    monkeypatch.setattr(parquet_events, "merge", merge)
    assert events.merge_small() == 2
    assert events.count() == 3
    assert len(events.segments(None, None)) == 2


def test_while_files_that_never_counted_are_swept(home, monkeypatch):
    events, _state, write = home
    kept = write()
    orphan = events._folder / kept.path.replace(kept.id, "0" * 32)
    orphan.write_bytes(b"left behind")
    real = events._in_use.remove

    def remove(path):
        meanwhile(write)
        real(path)

    monkeypatch.setattr(events._in_use, "remove", remove)
    assert events.sweep_orphans() == 1
    assert not orphan.exists()
    assert events.count() == 2


def test_while_events_are_taken_out(home):
    events, state, write = home
    gone = write()
    with events.withdrawing(frozenset({gone.first_event_id})) as withdraw:
        meanwhile(write)
        with state.begin() as tx:
            withdraw(tx)
    assert events.count() == 1
    assert events.get(gone.first_event_id) is None
