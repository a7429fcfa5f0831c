"""A search keeps the files it reads: merging, expiry and sweeping leave them to its end."""

import threading

import pytest
from sqlglot import exp

from tocsin.store.engines.parquet.files_in_use import FilesInUse
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.sqlite_state import SqliteState


@pytest.fixture
def file(tmp_path):
    found = tmp_path / "segment.parquet"
    found.write_bytes(b"events")
    return found


def test_a_file_that_nobody_reads_is_removed_at_once(file):
    FilesInUse().remove(file)
    assert not file.exists()


def test_a_file_is_removed_by_its_last_reader(file):
    in_use = FilesInUse()
    with in_use.reading([file]):
        with in_use.reading([file]):
            in_use.remove(file)
        assert file.exists()
    assert not file.exists()


def test_a_reader_that_fails_gives_its_files_back(file):
    in_use = FilesInUse()

    def fail():
        with in_use.reading([file]):
            in_use.remove(file)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not file.exists()
    assert in_use.known() == 0


def test_a_file_that_was_read_and_stays_is_left_alone(file):
    in_use = FilesInUse()
    with in_use.reading([file, file]):
        assert in_use.known() == 1
    assert file.exists()
    assert in_use.known() == 0


def test_readers_of_many_threads_lose_no_file(tmp_path):
    in_use = FilesInUse()
    files = [tmp_path / f"{number}.parquet" for number in range(20)]
    for one in files:
        one.write_bytes(b"events")
    missed = []
    reads = threading.Barrier(5)

    def read():
        with in_use.reading(files):
            reads.wait(60)
            reads.wait(60)
            missed.extend(one for one in files if not one.exists())

    readers = [threading.Thread(target=read, daemon=True) for _ in range(4)]
    for one in readers:
        one.start()
    reads.wait(60)
    for one in files:
        in_use.remove(one)
    reads.wait(60)
    for one in readers:
        one.join(60)
    assert not missed
    assert not any(one.exists() for one in files)
    assert in_use.known() == 0


@pytest.fixture
def home(tmp_path, make_batch):
    """A store of two events in two segments, which merging makes one."""
    state = SqliteState(tmp_path / "state.db")
    events = ParquetEvents(tmp_path / "events", state, merge_at=2)
    for position in range(2):
        segment = events.write([make_batch([{}], position=position)])
        with state.begin() as tx:
            events.publish(tx, segment)
    yield events, state
    events.close()
    state.close()


def _all_segments(tx):
    return manifest.between(tx, None, None)


def test_a_search_in_whose_midst_segments_are_merged_answers_at_its_first_try(home):
    events, _state = home
    tries = []

    def ask(scan):
        tries.append(len(scan.segments))
        assert events.merge_small() == 2
        return scan.rows(lambda table: exp.select("event_id").from_(table))

    found = events._search.answer(ask, _all_segments)
    assert len({row[0] for row in found}) == 2
    assert tries == [2]
    left = list(events._folder.glob("*/*.parquet"))
    assert [one.relative_to(events._folder).as_posix() for one in left] == [
        one.path for one in events.segments(None, None)
    ]


def test_a_search_in_whose_midst_files_are_swept_keeps_its_own(home):
    events, state = home
    assert events.sweep_orphans() == 0  # both are known to count from here on

    def ask(scan):
        segments = events.segments(None, None)
        with state.begin() as tx:
            assert all(manifest.swap(tx, [one]) for one in segments)
        assert events.sweep_orphans() == 2
        return scan.rows(lambda table: exp.select("event_id").from_(table))

    assert len(events._search.answer(ask, _all_segments)) == 2
    assert not list(events._folder.glob("*/*.parquet"))
