"""A kill while events are deleted leaves the store as it was before, or as it is after."""

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.parquet.segment_file import checksum
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.keeping import Expiry
from tocsin.store.query import EventQuery

KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
import tocsin.store.engines.{module} as module
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.keeping import Expiry
folder = Path(sys.argv[1])
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
state = SqliteState(folder / "state.db")
store = ParquetEvents(folder / "events", state)
expiries = [Expiry("default", "a", datetime.fromisoformat(sys.argv[2]))]
module.{name} = die
with store.expiring(expiries) as step, state.begin() as tx:
    step.delete(tx)
"""


@pytest.fixture
def reopen(tmp_path):
    opened = []

    def open_one():
        while opened:
            opened.pop().close()
        state = SqliteState(tmp_path / "state.db")
        events = ParquetEvents(tmp_path / "events", state)
        opened.extend((state, events))
        return events, state

    yield open_one
    while opened:
        opened.pop().close()


def told(events) -> list[tuple[str, int, bool]]:
    """What is stored, whether each file is what the manifest says, and how many lie there."""
    folder = events._folder
    whole = [checksum(folder / one.path) == one.checksum for one in events.segments(None, None)]
    found = events.search(EventQuery(size=100))
    assert found.problems == ()
    return [(f"{one.source}{one.native['n']}", one.event_id, all(whole)) for one in found.events]


@pytest.mark.parametrize(
    ("kind", "module", "name", "is_after"),
    [
        (
            "mixed",
            "parquet.segment_withdrawal",
            "checksum",
            False,
        ),  # the new file does not count yet
        ("mixed", "state.manifest", "swap", False),
        ("mixed", "parquet.files_in_use", "remove", True),  # the files that went still lie there
        ("whole", "parquet.files_in_use", "remove", True),
    ],
)
def test_a_kill_leaves_all_as_before_or_after(
    tmp_path, reopen, make_batch, noon, kind, module, name, is_after
):
    events, state = reopen()
    for position in range(3):
        batches = [make_batch([{"native": {"n": position}}] * 2, source="a", position=position)]
        if kind == "mixed":
            batches.append(make_batch([{"native": {"n": 9}}], source="b", position=position))
        segment = events.write(batches)
        with state.begin() as tx:
            events.publish(tx, segment)
    before = told(events)
    cut = noon + timedelta(hours=1, seconds=2)
    program = KILLED.format(module=module, name=name)
    reopen()[0].close()
    command = [sys.executable, "-c", program, str(tmp_path), cut.isoformat()]
    ended = subprocess.run(command, check=False, env=os.environ)  # noqa: S603
    assert ended.returncode == -signal.SIGKILL
    events, state = reopen()
    after = [one for one in before if one[0] not in ("a0", "a1")]
    assert told(events) == (after if is_after else before)
    events.sweep_orphans()
    counting = {one.path for one in events.segments(None, None)}
    folder = tmp_path / "events"
    assert {path.relative_to(folder).as_posix() for path in folder.glob("*/*.parquet")} == counting
    wanted = [Expiry("default", "a", cut)]
    while True:
        with events.expiring(wanted) as step, state.begin() as tx:
            step.delete(tx)
        if step.is_all:
            break
    assert told(events) == after
    assert sum(lot.events for lot in events.lots()) == events.count() == len(after)


def test_a_damaged_segment_is_neither_deleted_nor_written_anew(tmp_path, reopen, make_batch, noon):
    events, state = reopen()
    segment = events.write([make_batch([{}], source="a"), make_batch([{}], source="b", position=1)])
    with state.begin() as tx:
        events.publish(tx, segment)
    events.lots()
    path = tmp_path / "events" / segment.path
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    with events.expiring([Expiry("default", "a", noon + timedelta(days=9))]) as step:
        assert step.lots == ()
        assert step.is_all
    assert path.read_bytes() == bytes(content)


def test_who_reads_meanwhile_sees_whole_steps(reopen, make_batch, noon):
    events, state = reopen()
    for position in range(8):
        batches = [make_batch([{}] * 5, source=name, position=position) for name in ("a", "b")]
        segment = events.write(batches)
        with state.begin() as tx:
            events.publish(tx, segment)
    stop, wrong = threading.Event(), []

    def ask():
        while not stop.is_set():
            page = events.search(EventQuery("source:*", size=100))
            if (page.total % 5, page.problems, len(page.events)) != (0, (), page.total):
                wrong.append(page)

    reader = threading.Thread(target=ask)
    reader.start()
    wanted, is_all = [Expiry("default", "a", noon + timedelta(days=9))], False
    while not is_all:
        with events.expiring(wanted) as step, state.begin() as tx:
            step.delete(tx)
        is_all = step.is_all
    stop.set()
    reader.join()
    assert wrong == []
    assert events.count() == 40
