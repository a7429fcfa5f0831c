"""A search keeps the files it reads: merging, expiry and sweeping leave them to its end."""

import threading
import time
from dataclasses import replace

import pytest
from sqlglot import exp

from tocsin.model.lane import Lane
from tocsin.store.engines.parquet.courtesy import Courtesy
from tocsin.store.engines.parquet.files_in_use import FilesInUse
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.parquet.segment_merge import merge
from tocsin.store.engines.parquet.segment_scan import Scan
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.query import EventQuery

_SPAN = {"first_event_id": "", "last_event_id": "~"}
"""As of segments that hold many events of the same time."""


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


def test_who_waits_for_quiet_goes_on_where_nobody_reads():
    began = time.monotonic()
    FilesInUse().wait_for_quiet(60)
    assert time.monotonic() - began < 30


def test_who_waits_for_quiet_goes_on_when_the_last_reader_is_done(file):
    in_use = FilesInUse()
    events = []

    def wait():
        in_use.wait_for_quiet(60)
        events.append("went on")

    waiting = threading.Thread(target=wait, daemon=True)
    with in_use.reading([file]):
        waiting.start()
        waiting.join(0.3)
        events.append("read")
    waiting.join(30)
    assert events == ["read", "went on"]


def test_who_waits_for_quiet_does_not_wait_for_ever(file):
    in_use = FilesInUse()
    with in_use.reading([file]):
        began = time.monotonic()
        in_use.wait_for_quiet(0.2)
        assert 0.2 <= time.monotonic() - began < 30


class Waits:
    """In place of files in use: notes how long at most it is waited for quiet, and waits so long."""

    def __init__(self):
        self.most_s = []

    def wait_for_quiet(self, most_s):
        self.most_s.append(most_s)
        time.sleep(most_s)


def test_pauses_are_as_long_as_the_work_before_them_and_end_when_enough_was_waited():
    waits = Waits()
    pauses = Courtesy(waits, 0.25)
    for _ in range(4):
        time.sleep(0.05)
        pauses.pause()
    first, second, *others = waits.most_s
    assert 0.15 <= first <= 0.25
    assert 0 <= second <= 0.25 - first
    assert max(others) <= 0.01


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


def waited_for(events, monkeypatch):
    """Grows by how long at most a merge would wait for those who search, each time."""
    most_s = []
    monkeypatch.setattr(events._in_use, "wait_for_quiet", most_s.append)
    return most_s


def test_merging_pauses_between_its_pieces_of_work(home, monkeypatch):
    events, _state = home
    most_s = waited_for(events, monkeypatch)
    assert events.merge_small() == 2
    assert len(most_s) >= 3  # each file that was read, and a lane
    assert min(most_s) > 0


def test_merging_that_is_behind_waits_for_nobody(home, monkeypatch, make_batch):
    events, state = home
    for position in range(2, 5):
        segment = events.write([make_batch([{}], position=position)])
        with state.begin() as tx:
            events.publish(tx, segment)
    most_s = waited_for(events, monkeypatch)
    assert events.merge_small() == 5
    assert set(most_s) == {0.0}


@pytest.fixture
def opened(home, monkeypatch):
    """Numbers of the files that each look at events opens, from here on."""
    rows, counts = Scan.rows, []

    def counting(scan, build, segments=None, **named):
        counts.append(len(scan.segments if segments is None else segments))
        return rows(scan, build, segments, **named)

    monkeypatch.setattr(Scan, "rows", counting)
    return counts


def test_an_event_that_was_shown_is_opened_in_one_file_after_merging(home, opened, make_batch):
    """Its lane tells in which of the files with such ids it is."""
    events, state = home
    lanes = [Lane("t", "one", product="t"), Lane("t", "two", product="t")]
    batches = [
        replace(make_batch([{}], position=9 + at), lane=lane) for at, lane in enumerate(lanes)
    ]
    with state.begin() as tx:
        events.publish(tx, events.write(batches))
    shown = events.search(EventQuery(size=10)).events
    assert len(shown) == 4
    held = [one for one in events.segments(None, None) if len(one.lanes) == 2]
    apart = merge(events._folder, state, held, own_file_rows=1)
    with state.begin() as tx:
        assert manifest.swap(tx, held, *(replace(one, **_SPAN) for one in apart))
    for one in shown:
        if one.lane in ("t.one", "t.two"):
            opened.clear()
            assert events.get(one.event_id) == one
            assert opened == [1]


def test_an_event_that_is_not_where_its_lane_says_is_found_all_the_same(home):
    events, _state = home
    shown = events.search(EventQuery(size=10)).events
    assert events.merge_small() == 2
    places = events._search._places
    places._known = {key: (place, "another.lane") for key, (place, _) in places._known.items()}
    assert [events.get(one.event_id) for one in shown] == list(shown)
