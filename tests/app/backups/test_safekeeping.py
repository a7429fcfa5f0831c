"""Backups and checks are made when it is time, and health rules see when they are not."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.kept_home import KeptHome
from tocsin.app.backups.backup_generation import generation_ids
from tocsin.app.backups.backup_ledger import backup_records, note_failed, note_good
from tocsin.app.backups.integrity_ledger import last_check
from tocsin.app.backups.safekeeping import Safekeeping
from tocsin.app.pacing import Pace, Stopped
from tocsin.app.settings.config import Settings, load_settings
from tocsin.store.engines.vaults.folder_vault import FolderVault

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KeptHome]:
    with KeptHome(tmp_path / "home").fill() as home:
        yield home


@pytest.fixture
def settings(kept: KeptHome, tmp_path: Path) -> Settings:
    return load_settings(home=kept.folder, backup__target=str(tmp_path / "vault"), backup__keep=2)


def ids(tmp_path: Path) -> list[str]:
    return generation_ids(FolderVault(tmp_path / "vault"))


def numbers(keeping: Safekeeping) -> dict[str, float]:
    return {one.metric: one.value for one in keeping.measured()}


def good(kept: KeptHome, settings: Settings, at: datetime, damaged: int = 0) -> None:
    told = {"generation": "g", "events": 8, "size_bytes": 1, "damaged": damaged}
    note_good(kept.folder, settings.backup.target, at=at, **told)


def test_a_backup_is_made_when_its_time_has_come_and_old_ones_go(
    kept: KeptHome, settings: Settings, tmp_path: Path
) -> None:
    keeping = Safekeeping(settings, kept.state)
    keeping.look(datetime.now(UTC))
    (first,) = ids(tmp_path)
    keeping.look(datetime.now(UTC) + timedelta(hours=23))
    assert ids(tmp_path) == [first]
    for day in (1, 2):
        good(kept, settings, datetime.now(UTC) - timedelta(hours=25))
        keeping.look(datetime.now(UTC))
        assert len(ids(tmp_path)) == 2, day
    assert first not in ids(tmp_path)
    record = backup_records(kept.folder)[settings.backup.target]
    assert (record.generation, record.events, record.error) == (ids(tmp_path)[-1], 8, "")


def test_a_failed_one_is_told_and_tried_again_soon(
    kept: KeptHome, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "vault").write_text("not a folder")
    keeping = Safekeeping(settings, kept.state)
    keeping.look(datetime.now(UTC))
    record = backup_records(kept.folder)[settings.backup.target]
    assert record.failed_at is not None
    assert str(tmp_path / "vault") in record.error
    assert numbers(keeping)["backup_failing"] == 1
    (tmp_path / "vault").unlink()
    keeping.look(record.failed_at + timedelta(minutes=14))
    assert not (tmp_path / "vault").exists()
    keeping.look(record.failed_at + timedelta(minutes=15))
    assert len(ids(tmp_path)) == 1
    assert numbers(keeping)["backup_failing"] == 0


def test_the_age_of_the_last_good_one_is_measured(kept: KeptHome, settings: Settings) -> None:
    keeping = Safekeeping(settings, kept.state)
    assert numbers(keeping)["backup_age_share"] < 0.1
    good(kept, settings, datetime.now(UTC) - timedelta(hours=72))
    note_failed(kept.folder, settings.backup.target, at=datetime.now(UTC), error="the disk is away")
    assert round(numbers(keeping)["backup_age_share"], 1) == 3
    without = Safekeeping(load_settings(home=kept.folder), kept.state)
    assert numbers(without)["backup_age_share"] == 0


def test_a_clock_that_was_set_back_puts_no_backup_off(
    kept: KeptHome, settings: Settings, tmp_path: Path
) -> None:
    good(kept, settings, NOW + timedelta(days=400))
    Safekeeping(settings, kept.state).look(NOW)
    assert len(ids(tmp_path)) == 1


def test_a_check_is_made_in_its_time_and_damage_is_measured(kept: KeptHome) -> None:
    keeping = Safekeeping(load_settings(home=kept.folder), kept.state)
    keeping.look(datetime.now(UTC))
    assert last_check(kept.folder) is None
    (kept.folder / "events" / kept.events.segments(None, None)[0].path).write_bytes(b"")
    keeping.look(datetime.now(UTC) + timedelta(hours=169))
    found = last_check(kept.folder)
    assert found is not None
    assert (len(found.damaged), found.events_lost) == (1, 4)
    assert numbers(keeping)["damaged_files"] == 1


def test_one_may_be_asked_for_at_any_time(
    kept: KeptHome, settings: Settings, tmp_path: Path
) -> None:
    keeping = Safekeeping(settings, kept.state)
    good(kept, settings, datetime.now(UTC))
    assert keeping.ask_for_backup("ada")
    keeping.look(datetime.now(UTC))
    assert len(ids(tmp_path)) == 1
    assert not Safekeeping(load_settings(home=kept.folder), kept.state).ask_for_backup("ada")


def test_old_segments_go_to_their_bucket_and_a_bucket_that_refuses_is_told(
    kept: KeptHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bucket(*_told: object) -> FolderVault:
        return FolderVault(tmp_path / "bucket", writing=True)

    monkeypatch.setattr("tocsin.app.backups.safekeeping.open_bucket", bucket)
    settings = load_settings(home=kept.folder, cold__target="s3://old/tocsin")
    keeping = Safekeeping(settings, kept.state)
    (tmp_path / "bucket").write_text("not a bucket")
    keeping.look(datetime.now(UTC))
    assert numbers(keeping)["cold_failing"] == 1
    (tmp_path / "bucket").unlink()
    keeping.look(datetime.now(UTC) + timedelta(hours=1))
    assert numbers(keeping)["cold_failing"] == 1
    keeping.look(datetime.now(UTC) + timedelta(hours=7))
    assert numbers(keeping)["cold_failing"] == 0
    assert all(one.path.startswith("cold/") for one in kept.events.segments(None, None))


def test_what_a_killed_backup_held_is_let_go(kept: KeptHome) -> None:
    (kept.folder / ".backup" / "segments").mkdir(parents=True)
    Safekeeping(load_settings(home=kept.folder), kept.state).look(datetime.now(UTC))
    assert not (kept.folder / ".backup").exists()


def test_its_thread_ends_when_it_is_told_to(
    kept: KeptHome, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = threading.Event()
    keeping = Safekeeping(settings, kept.state)
    monkeypatch.setattr(keeping, "look", lambda _now: looking.set())
    keeping.start()
    assert looking.wait(60)
    keeping.stop()
    assert not [one for one in threading.enumerate() if one.name == "safekeeping"]


def test_work_that_is_to_stop_is_ended_between_two_pieces() -> None:
    stop = threading.Event()
    pace = Pace(stop, 1_000_000)
    pace.keep(1)
    stop.set()
    with pytest.raises(Stopped):
        pace.keep(10_000_000_000)
