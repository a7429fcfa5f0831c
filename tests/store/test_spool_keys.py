"""What is appended under keys becomes durable with them, all of it or none, whatever ends us."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.model.record import RawBatch
from tocsin.store.engines.spool import file_spool
from tocsin.store.engines.spool.file_spool import FileSpool
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import StoreError

EVERYTHING = 1 << 40
KEYS = [b"%016d" % number for number in range(3)]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteState]:
    opened = SqliteState(tmp_path_factory.mktemp("state") / "state.sqlite")
    yield opened
    opened.close()


@dataclass(slots=True)
class Noted:
    """A note; ``then`` is called when it is kept."""

    fresh: list[bytes]
    then: Callable[[], None] = lambda: None
    times: int = field(default=0)

    def keep(self) -> None:
        self.times += 1
        self.then()


def raw(payload: bytes, source: str = "web") -> RawBatch:
    return RawBatch(source, payload, datetime(2026, 3, 1, tzinfo=UTC))


def payloads(spool: FileSpool, after: int = 0) -> list[bytes]:
    return [entry.batch.payload for entry in spool.read(after, EVERYTHING)]


def test_keys_are_there_after_a_restart_and_are_no_entries(
    tmp_path: Path, state: SqliteState
) -> None:
    spool = FileSpool(tmp_path, state, limit_bytes=1 << 20)
    noted = Noted(KEYS, lambda: found.extend(payloads(spool)))
    found: list[bytes] = []
    spool.append([raw(b"before")])
    spool.append([raw(b"a", "über"), raw(b"b")], noted)
    end = spool.append([raw(b"behind")], Noted([]))
    assert found == [b"before", b"a", b"b"]  # durable when it was noted
    spool.close()
    for recent_bytes in (0, 1 << 20):
        spool = FileSpool(tmp_path, state, limit_bytes=1 << 20, recent_bytes=recent_bytes)
        assert list(spool.kept_keys()) == [("über", KEYS)]
        assert payloads(spool) == [b"before", b"a", b"b", b"behind"]
        assert [entry.position for entry in spool.read(0, EVERYTHING)][-1] == end
        assert [len(list(spool.read(after, 1))) for after in (0, end)] == [1, 0]
        spool.close()


def test_wherever_a_crash_tears_it_all_of_it_is_there_or_nothing(
    tmp_path: Path, state: SqliteState
) -> None:
    spool = FileSpool(tmp_path, state, limit_bytes=1 << 20)
    begin = spool.append([raw(b"before")])
    end = spool.append([raw(b"first"), raw(b"second")], Noted(KEYS))
    spool.close()
    (path,) = tmp_path.glob("*.spool")
    whole = path.read_bytes()
    assert len(whole) == end
    for size in range(begin, end + 1):
        path.write_bytes(whole[:size])
        spool = FileSpool(tmp_path, state, limit_bytes=1 << 20)
        both = ([b"before", b"first", b"second"], [("web", KEYS)])
        told = (payloads(spool), list(spool.kept_keys()))
        assert told == (both if size == end else ([b"before"], []))
        spool.close()


def test_what_is_stored_but_not_noted_is_not_trimmed(
    tmp_path: Path, state: SqliteState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_spool, "SEGMENT_BYTES", 1 << 16)
    spool = FileSpool(tmp_path, state, limit_bytes=1 << 20)

    def store() -> None:
        (entry,) = spool.read(0, EVERYTHING)
        with state.begin() as tx:
            spool.commit(tx, entry.position)
        freed.append(spool.trim())

    freed: list[int] = []
    noted = Noted(KEYS, store)
    spool.append([raw(b"x" * (1 << 16))], noted)
    assert (freed, noted.times) == ([0], 1)
    assert spool.trim() > 1 << 16
    spool.close()


def test_what_did_not_become_durable_is_not_noted(
    tmp_path: Path, state: SqliteState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    spool = FileSpool(tmp_path, state, limit_bytes=1 << 20)
    noted = Noted(KEYS)
    with monkeypatch.context() as failing:
        failing.setattr("os.fdatasync", broken)
        with pytest.raises(StoreError):
            spool.append([raw(b"a")], noted)
    assert (noted.times, list(spool.kept_keys()), payloads(spool)) == (0, [], [])
    spool.append([raw(b"a")], noted)
    assert (noted.times, list(spool.kept_keys())) == (1, [("web", KEYS)])
    spool.close()


APPENDER = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from tocsin.model.record import RawBatch
from tocsin.store.engines.spool.file_spool import FileSpool
from tocsin.store.engines.state.sqlite_state import SqliteState

class Killed:
    fresh = [b"k" * 16]
    def keep(self):
        os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
spool = FileSpool(folder / "spool", SqliteState(folder / "state.sqlite"), limit_bytes=1 << 20)
spool.append([RawBatch("s", b"one", datetime.now(UTC)), RawBatch("s", b"two", datetime.now(UTC))], Killed())
"""


@pytest.mark.slow
def test_killed_before_the_note_the_keys_are_in_the_spool(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", APPENDER, str(tmp_path)], check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    state = SqliteState(tmp_path / "state.sqlite")
    spool = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20)
    assert (payloads(spool), list(spool.kept_keys())) == ([b"one", b"two"], [("s", [b"k" * 16])])
    spool.close()
    state.close()
