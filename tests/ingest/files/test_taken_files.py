"""A reading of files that was cut off goes on where it was, whatever moment that happened in."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.ingest.cutting.cutting import Cut
from tocsin.ingest.errors import IngestError
from tocsin.ingest.files.taken_files import TakenFiles, read_on
from tocsin.ingest.limits import BATCH_RECORDS
from tocsin.model.record import RawBatch

NOW = datetime(2026, 3, 4, 9, tzinfo=UTC)
LINES = 2 * BATCH_RECORDS + 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("a.log", "b.log"):
        (logs / name).write_text("".join(f"{name} line {n}\n" for n in range(LINES)))
    return logs


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "home" / "taken-files.jsonl"


class Killed(Exception):
    """Ends a reading as a signal would."""


def take(
    folder: Path, ledger: Path, stored: list[Cut], *, most: int = 99, in_flight: bool = False
) -> None:
    """Store cuts until ``most``; ``in_flight``: one more is stored and not noted."""
    cuts = read_on(
        [folder], None, NOW, TakenFiles(ledger), stored.__contains__, lambda: len(stored)
    )
    for number, cut in enumerate(cuts):
        if number == most and not in_flight:
            raise Killed
        stored.append(cut)
        if number == most:
            raise Killed


def lines(stored: list[Cut]) -> list[bytes]:
    return [
        line for cut in stored if isinstance(cut, RawBatch) for line in cut.payload.splitlines()
    ]


@pytest.mark.parametrize("in_flight", [False, True])
def test_each_record_is_taken_once_wherever_it_ended(
    folder: Path, ledger: Path, in_flight: bool
) -> None:
    stored: list[Cut] = []
    ends = 0
    while True:
        try:
            take(folder, ledger, stored, most=1, in_flight=in_flight)
            break
        except Killed:
            ends += 1
    assert ends >= 3
    assert len(lines(stored)) == 2 * LINES
    assert len(set(lines(stored))) == 2 * LINES


def test_what_is_finished_is_not_read_again(folder: Path, ledger: Path) -> None:
    stored: list[Cut] = []
    take(folder, ledger, stored)
    (folder / "c.log").write_text("one more\n")
    before = len(stored)
    take(folder, ledger, stored)
    assert lines(stored[before:]) == [b"one more"]


def test_the_same_content_stored_before_without_a_ledger_counts_for_nothing(
    folder: Path, ledger: Path
) -> None:
    stored: list[Cut] = []
    take(folder, ledger.with_name("other"), stored)
    before = len(stored)
    take(folder, ledger, stored)
    assert len(stored) == 2 * before


def test_a_file_that_has_changed_is_refused_by_name(folder: Path, ledger: Path) -> None:
    stored: list[Cut] = []
    take(folder, ledger, stored)
    (folder / "a.log").write_text("other\n")
    with pytest.raises(IngestError, match=r"a\.log \(then [\d,]+ bytes, now 6\)"):
        take(folder, ledger, stored)


def test_a_torn_line_of_the_ledger_counts_for_nothing(folder: Path, ledger: Path) -> None:
    stored: list[Cut] = []
    with pytest.raises(Killed):
        take(folder, ledger, stored, most=2)
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:-20])
    take(folder, ledger, stored)
    assert len(set(lines(stored))) == len(lines(stored)) == 2 * LINES
    assert len(ledger.read_bytes().splitlines()) < len(whole.splitlines()) + 10
