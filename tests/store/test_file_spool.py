"""The spool keeps what it acknowledged, in order, over crashes and full disks."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.model.record import Framing, RawBatch
from tocsin.store.engines.spool import file_spool
from tocsin.store.engines.spool.file_spool import FileSpool
from tocsin.store.engines.spool.spool_recent import RECENT_BYTES
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import SpoolFull, StoreError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVERYTHING = 1 << 40


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    opened = SqliteState(tmp_path / "state.sqlite")
    yield opened
    opened.close()


@pytest.fixture(params=[RECENT_BYTES, 0], ids=["recent", "from the disk"])
def spool(
    tmp_path: Path, state: SqliteState, request: pytest.FixtureRequest
) -> Iterator[FileSpool]:
    opened = FileSpool(tmp_path / "spool", state, limit_bytes=64 << 20, recent_bytes=request.param)
    yield opened
    opened.close()


def raw(payload: bytes, **more: object) -> RawBatch:
    return RawBatch(source="web", payload=payload, received_at=NOW, **more)  # type: ignore[arg-type]


def payloads(spool: FileSpool, after: int = 0) -> list[bytes]:
    return [entry.batch.payload for entry in spool.read(after, EVERYTHING)]


def last_segment(folder: Path) -> Path:
    return sorted(folder.glob("*.spool"))[-1]


def test_a_batch_comes_back_as_it_was_appended(spool: FileSpool) -> None:
    batch = RawBatch(
        source="syslog/wéb-1",
        payload=b"a\n\x00\xff",
        received_at=NOW.replace(microsecond=123456),
        framing=Framing.SYSLOG,
        place="tcp 10.0.0.1:99",
        first_ordinal=7,
        tenant="north",
        connector="linux",
    )
    position = spool.append([batch])
    (entry,) = spool.read(0, EVERYTHING)
    assert entry.batch == batch
    assert entry.position == position


def test_positions_grow_and_reading_goes_on_behind_them(spool: FileSpool) -> None:
    first = spool.append([raw(b"one"), raw(b"two")])
    second = spool.append([raw(b"three")])
    assert 0 < first < second
    assert payloads(spool, first) == [b"three"]
    assert payloads(spool, second) == []


def test_reading_stops_at_the_limit_but_always_gives_one_entry(spool: FileSpool) -> None:
    spool.append([raw(b"x" * 100), raw(b"y" * 100), raw(b"z" * 100)])
    assert [len(entry.batch.payload) for entry in spool.read(0, 10)] == [100]
    assert [len(entry.batch.payload) for entry in spool.read(0, 250)] == [100, 100]


def test_the_id_and_the_entries_survive_reopening(tmp_path: Path, state: SqliteState) -> None:
    first = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20)
    end = first.append([raw(b"kept")])
    first.close()
    again = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20)
    assert again.id == first.id
    assert payloads(again) == [b"kept"]
    assert again.append([raw(b"next")]) > end
    again.close()


def test_a_position_counts_only_when_its_transaction_commits(
    spool: FileSpool, state: SqliteState
) -> None:
    end = spool.append([raw(b"one")])
    assert spool.backlog_bytes() == end
    with state.begin() as tx:
        spool.commit(tx, end)
        tx.rollback()
    assert spool.committed() == 0
    with state.begin() as tx:
        spool.commit(tx, end)
    assert spool.committed() == end
    assert spool.backlog_bytes() == 0


def test_trim_deletes_only_files_that_are_wholly_committed(
    tmp_path: Path, state: SqliteState
) -> None:
    spool = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20)
    ends = [spool.append([raw(bytes([n]) * 200_000)]) for n in range(5)]
    assert len(list((tmp_path / "spool").glob("*.spool"))) > 2
    assert spool.trim() == 0
    with state.begin() as tx:
        spool.commit(tx, ends[2])
    assert spool.trim() > 0
    assert payloads(spool, ends[2]) == [b"\x03" * 200_000, b"\x04" * 200_000]
    spool.close()


def test_a_spool_over_its_limit_takes_nothing_until_something_is_stored(
    tmp_path: Path, state: SqliteState
) -> None:
    spool = FileSpool(tmp_path / "spool", state, limit_bytes=1000)
    end = spool.append([raw(b"a" * 600)])
    with pytest.raises(SpoolFull, match="limit of 1,000"):
        spool.append([raw(b"small"), raw(b"b" * 600)])
    assert payloads(spool) == [b"a" * 600]
    with state.begin() as tx:
        spool.commit(tx, end)
    spool.append([raw(b"c" * 600)])
    assert payloads(spool, end) == [b"c" * 600]
    spool.close()


@pytest.mark.parametrize("lost", [1, 5, 20, 100, 149])
def test_a_torn_tail_is_cut_off_and_the_rest_stays(
    tmp_path: Path, state: SqliteState, lost: int
) -> None:
    spool = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20)
    end = spool.append([raw(b"kept")])
    spool.append([raw(b"torn" * 10)])
    spool.close()
    path = last_segment(tmp_path / "spool")
    os.truncate(path, path.stat().st_size - lost)
    again = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20)
    assert payloads(again) == [b"kept"]
    assert path.stat().st_size == end
    again.append([raw(b"new")])
    assert payloads(again) == [b"kept", b"new"]
    again.close()


def test_an_entry_whose_bytes_have_changed_is_named_with_its_file(
    tmp_path: Path, state: SqliteState
) -> None:
    spool = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20, recent_bytes=0)
    end = spool.append([raw(b"first")])
    spool.append([raw(b"second")])
    with last_segment(tmp_path / "spool").open("r+b") as file:
        file.seek(end - 2)
        file.write(b"!!")
    with pytest.raises(StoreError, match=r"\.spool is damaged at byte 0"):
        payloads(spool)
    spool.close()


def test_what_is_committed_is_remembered_no_longer_and_still_read(
    tmp_path: Path, state: SqliteState
) -> None:
    spool = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20, recent_bytes=12)
    first = raw(b"first")
    ends = [spool.append([first])]
    assert next(iter(spool.read(0, EVERYTHING))).batch is first
    ends.append(spool.append([raw(b"second"), raw(b"third")]))
    assert next(iter(spool.read(0, EVERYTHING))).batch is not first
    with state.begin() as tx:
        spool.commit(tx, ends[0])
    assert payloads(spool) == [b"first", b"second", b"third"]
    assert payloads(spool, ends[0]) == [b"second", b"third"]
    assert payloads(spool, ends[1]) == []
    spool.close()


def test_positions_are_never_given_twice_even_when_the_files_are_lost(
    tmp_path: Path, state: SqliteState
) -> None:
    spool = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20)
    end = spool.append([raw(b"one")])
    with state.begin() as tx:
        spool.commit(tx, end)
    spool.close()
    last_segment(tmp_path / "spool").unlink()
    again = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20)
    assert again.append([raw(b"two")]) > end
    assert payloads(again, end) == [b"two"]
    again.close()


def test_many_writers_share_flushes_and_lose_nothing(
    spool: FileSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes = []
    real = os.fdatasync
    monkeypatch.setattr(
        file_spool.os, "fdatasync", lambda descriptor: (flushes.append(1), real(descriptor))
    )
    started = threading.Barrier(8)

    def write(writer: int) -> None:
        started.wait()
        for n in range(50):
            spool.append([raw(f"{writer}-{n}".encode())])

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = payloads(spool)
    assert sorted(found) == sorted(f"{w}-{n}".encode() for w in range(8) for n in range(50))
    assert 0 < len(flushes) <= 400
    for writer in range(8):
        mine = [p for p in found if p.startswith(b"%d-" % writer)]
        assert mine == [f"{writer}-{n}".encode() for n in range(50)]


def test_nothing_is_read_before_it_has_been_flushed(
    spool: FileSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[bytes]] = []
    real = os.fdatasync

    def look_first(descriptor: int) -> None:
        seen.append(payloads(spool))
        real(descriptor)

    monkeypatch.setattr(file_spool.os, "fdatasync", look_first)
    spool.append([raw(b"one")])
    assert seen == [[]]
    assert payloads(spool) == [b"one"]


def test_a_failed_flush_acknowledges_nothing_and_the_next_append_starts_clean(
    spool: FileSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.append([raw(b"kept")])
    with monkeypatch.context() as patch:

        def fail(_descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(file_spool.os, "fdatasync", fail)
        with pytest.raises(SpoolFull, match="disk under the spool"):
            spool.append([raw(b"lost")])
    spool.append([raw(b"later")])
    assert payloads(spool) == [b"kept", b"later"]


def test_a_hundred_megabyte_payload_goes_through(tmp_path: Path, state: SqliteState) -> None:
    spool = FileSpool(tmp_path / "spool", state, limit_bytes=256 << 20)
    big = b"x" * (100 << 20)
    spool.append([raw(b"before"), raw(big), raw(b"after")])
    sizes = [len(entry.batch.payload) for entry in spool.read(0, EVERYTHING)]
    assert sizes == [6, len(big), 5]
    spool.close()


FILLER = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from tocsin.model.record import RawBatch
from tocsin.store.engines.spool.file_spool import FileSpool
from tocsin.store.engines.spool.spool_recent import RECENT_BYTES
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import SpoolFull

folder = Path(sys.argv[1])
state = SqliteState(folder / "state.sqlite")
spool = FileSpool(folder / "spool", state, limit_bytes=1 << 30)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
taken = 0
try:
    while True:
        spool.append([RawBatch("s", b"%06d" % taken + b"p" * 30_000, datetime.now(UTC))])
        taken += 1
except SpoolFull as refusal:
    print(taken, refusal, sep="|")
"""


def test_a_full_disk_refuses_clearly_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", FILLER, str(tmp_path)], capture_output=True, text=True, check=True
    )
    taken, _, refusal = done.stdout.partition("|")
    assert int(taken) > 5
    assert "full" in refusal
    assert "Free space" in refusal
    state = SqliteState(tmp_path / "state.sqlite")
    spool = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 30)
    assert [p[:6] for p in payloads(spool)] == [b"%06d" % n for n in range(int(taken))]
    spool.close()
    state.close()


APPENDER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tocsin.model.record import RawBatch
from tocsin.store.engines.spool.file_spool import FileSpool
from tocsin.store.engines.spool.spool_recent import RECENT_BYTES
from tocsin.store.engines.state.sqlite_state import SqliteState

folder = Path(sys.argv[1])
state = SqliteState(folder / "state.sqlite")
spool = FileSpool(folder / "spool", state, limit_bytes=1 << 20)
n = int(sys.argv[2])
while True:
    end = spool.append([RawBatch("s", b"%08d" % n + b"p" * (n % 7000), datetime.now(UTC))])
    print(n, end, flush=True)
    n += 1
    if n % 50 == 0:
        with state.begin() as tx:
            spool.commit(tx, end)
        spool.trim()
"""


@pytest.mark.slow
def test_whatever_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    chance = random.Random(20260301)  # noqa: S311 - not for secrets
    following = 0
    for _ in range(4):
        acknowledged, next_number = _run_and_kill(tmp_path, following, chance.randint(3, 220))
        state = SqliteState(tmp_path / "state.sqlite")
        spool = FileSpool(tmp_path / "spool", state, limit_bytes=1 << 20)
        committed = spool.committed()
        found = {e.position: int(e.batch.payload[:8]) for e in spool.read(committed, EVERYTHING)}
        for number, position in acknowledged:
            if position > committed:
                assert found.pop(position) == number
        assert len(found) <= 1  # at most the one that was being acknowledged
        spool.close()
        state.close()
        following = next_number + 1


def _run_and_kill(folder: Path, first: int, after: int) -> tuple[list[tuple[int, int]], int]:
    """Kill the appender once it has acknowledged ``after`` entries; what it acknowledged."""
    with subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", APPENDER, str(folder), str(first)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    pairs = [(int(a), int(b)) for a, b in (line.split() for line in lines if line.endswith("\n"))]
    return pairs, pairs[-1][0] + 1
