"""Log files that the settings name are taken in, and a position moves only behind what is safe."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.server_process import ServerProcess, wait_until
from tocsin.api.application import create_api
from tocsin.app.senders.file_following import FileFollowing
from tocsin.app.settings.config import load_settings
from tocsin.app.settings.config_errors import ConfigError
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.files.file_positions import shown_positions
from tocsin.ingest.limits import RECORD_BYTES
from tocsin.model.intake import IntakeState
from tocsin.model.principal import Role
from tocsin.model.record import RawBatch
from tocsin.store.ports import SpoolFull
from tocsin.store.query import EventQuery


@contextmanager
def opened(home: Path, folder: Path) -> Iterator[Tocsin]:
    house = open_tocsin(
        load_settings(
            home=home,
            syslog__enabled=False,
            detect__shipped_pack=False,
            files=[{"source": "app", "paths": [str(folder / "*.log*")]}],
        )
    )
    try:
        yield house
    finally:
        house.files.stop()
        house.close()


def test_lines_are_stored_and_a_restart_goes_on_behind_them(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("first\nsecond\n")
    with opened(tmp_path / "home", tmp_path) as house:
        house.files.look()
        log.write_text("first\nsecond\nthird\n")
        house.files.look()
        house.flow.drain()
        assert house.events.count() == 3
        (intake,) = house.intakes()
        assert (intake.name, intake.state, intake.lag) == ("files/app", IntakeState.CONNECTED, 0)
        assert intake.position == "19 bytes of 1 file"
    log.rename(tmp_path / "a.log.1")
    log.write_text("fourth\n")
    with opened(tmp_path / "home", tmp_path) as house:
        house.files.look()
        house.flow.drain()
        assert house.events.count() == 4
        with house.state.read() as tx:
            (ledger,) = house.sources.sources(tx)
        assert (ledger.name, ledger.received, ledger.stored) == ("app", 4, 4)


def test_a_record_over_the_limit_is_in_quarantine_with_file_and_byte(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"short\n" + b"y" * (RECORD_BYTES + 1) + b"\nshort too\n")
    with opened(tmp_path / "home", tmp_path) as house:
        house.files.look()
        house.flow.drain()
        with house.state.read() as tx:
            (kept,) = house.sources.quarantined(tx).items
            (ledger,) = house.sources.sources(tx)
        assert kept.place == str(tmp_path / "a.log")
        assert "from byte 6 on" in kept.reason
        assert (ledger.received, ledger.stored, ledger.quarantined) == (3, 2, 1)


def test_a_full_spool_stops_reading_and_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("".join(f"{number}\n" for number in range(100)))
    taken: list[RawBatch] = []
    refusals = itertools.count()
    states: list[IntakeState] = []

    def accept(batches: Sequence[RawBatch]) -> int:
        if next(refusals) < 2:
            with house.state.read() as tx:
                assert shown_positions(tx) == []
            states.append(following.intakes()[0].state)
            raise SpoolFull("no room")
        taken.extend(batches)
        return 0

    with opened(tmp_path / "home", tmp_path) as house:
        following = FileFollowing(
            *(house.settings.files, house.state, accept, house.flow.add_unreadable),
            spool_limit_bytes=1 << 20,
        )
        following.look()
        following.stop()
        assert states == [IntakeState.CONNECTING, IntakeState.FULL]
        assert b"\n".join(one.payload for one in taken).split() == [b"%d" % n for n in range(100)]
        with house.state.read() as tx:
            (position,) = shown_positions(tx)
        assert (position.behind, position.lines) == (0, 100)


def test_paths_at_which_nothing_is_are_told(tmp_path: Path) -> None:
    with opened(tmp_path / "home", tmp_path) as house:
        house.files.look()
        (intake,) = house.intakes()
        assert intake.state is IntakeState.CONNECTING
        assert intake.error == f"nothing to read at {tmp_path}/*.log*"


def test_what_can_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.log").write_text("one\n")

    def refuse(path: Path) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("tocsin.ingest.files.file_watch.open_to_read", refuse)
    with opened(tmp_path / "home", tmp_path) as house:
        house.files.look()
        (intake,) = house.intakes()
        assert intake.state is IntakeState.FAILING
        assert intake.error == f"{tmp_path / 'a.log'} can't be read: Permission denied"
        monkeypatch.undo()
        house.files.look()
        (intake,) = house.intakes()
        assert (intake.state, intake.error) == (IntakeState.CONNECTED, "")


def test_the_api_tells_how_far_each_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("one\ntw")
    with opened(tmp_path / "home", tmp_path) as house:
        house.files.look()
        token = house.access.create_token(
            "engineer", [Role.ENGINEER], lifetime_s=60, by="test", now=datetime.now(UTC)
        )
        with TestClient(create_api(house)) as client:
            headers = {"Authorization": f"Bearer {token}"}
            told: dict[str, Any] = client.get("/api/v1/sources/files", headers=headers).json()
    (file,) = told["files"]
    assert (file["size"], file["offset"], file["behind"], file["records"]) == (6, 4, 2, 1)
    assert told["problems"] == {}


def test_two_tables_of_one_source_are_refused(tmp_path: Path) -> None:
    files = [{"source": "app", "paths": ["/var/log/a.log"]}] * 2
    with pytest.raises(ConfigError, match="two tables have the source 'app'"):
        load_settings(home=tmp_path, files=files)


def test_kill_9_loses_no_line(tmp_path: Path) -> None:
    """Real processes: what was written before, between and after is there, rotated or not."""
    log = tmp_path / "a.log"
    written: list[str] = []

    def write(count: int) -> None:
        with log.open("a") as file:
            for _ in range(count):
                written.append(f"line-{len(written)}")
                file.write(f"{written[-1]}\n")

    files = f'[{{"source": "app", "paths": ["{tmp_path}/a.log*"]}}]'
    server = ServerProcess(
        tmp_path / "home", TOCSIN_FILES=files, TOCSIN_DETECT__SHIPPED_PACK="false"
    )
    write(500)
    server.start()
    write(500)
    log.rename(tmp_path / "a.log.1")
    write(500)
    server.kill()
    write(100)
    log.rename(tmp_path / "a.log.2")
    write(100)
    with server:

        def all_is_read() -> bool:
            told = server.client.get("/api/v1/sources/files").json()["files"]
            return [file["behind"] for file in told] == [0, 0, 0]

        wait_until(all_is_read, "all files to be read")
    with opened(tmp_path / "home", tmp_path / "nowhere") as house:
        house.flow.drain()
        query = EventQuery(size=20_000)
        found = {str(one.native.get("message")) for one in house.events.search(query).events}
        assert found == set(written)
