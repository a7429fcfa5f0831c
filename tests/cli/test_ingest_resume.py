"""``tocsin ingest --resume`` in this process: what was in flight is stored once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tocsin.cli.commands import ingest
from tocsin.cli.commands.ingest import InFlight
from tocsin.ingest.files.taken_files import Taken, TakenFiles
from tocsin.ingest.limits import BATCH_RECORDS
from tocsin.model.record import RawBatch


@pytest.fixture(autouse=True)
def no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_DETECT__SHIPPED_PACK", "false")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_text("".join(f'{{"n": {n}}}\n' for n in range(BATCH_RECORDS + 5)))
    return path


def test_what_was_stored_and_not_noted_is_not_stored_again(
    tocsin: Callable[..., Ran], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = TakenFiles.note

    def end(book: TakenFiles, taken: Taken, position: int) -> None:
        if taken.batches:
            raise KeyboardInterrupt
        note(book, taken, position)

    with monkeypatch.context() as patch:
        patch.setattr(TakenFiles, "note", end)
        assert tocsin("ingest", log, "--resume").code != 0
    again = tocsin("ingest", log, "--resume", "--json").json
    assert again["records"] == BATCH_RECORDS + 5  # with what the run before left in the spool


def test_a_changed_file_is_named(tocsin: Callable[..., Ran], log: Path) -> None:
    log.write_text('{"n": 1}\n')
    tocsin("ingest", log, "--resume")
    log.write_text('{"n": 1}\n{"n": 2}\n')
    told = tocsin("ingest", log, "--resume")
    assert told.code == 2
    assert "app.log (then 9 bytes, now 18)" in " ".join(told.err.split())


def test_a_server_is_told_what_may_come_again(log: Path) -> None:
    batch = RawBatch("app", b"x", ingest.datetime.now(ingest.UTC), place=str(log))
    assert not InFlight(None, 0).holds(batch)
