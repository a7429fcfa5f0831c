"""Old segments lie in a bucket; searches find them there, and say what they can't have."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.kept_home import KeptHome
from tests.store.conftest import NOON
from tocsin.app.backups.backup import make_backup
from tocsin.app.backups.integrity import check_integrity
from tocsin.app.backups.restore import restore
from tocsin.app.home.cold_place import cold_options, note_cold
from tocsin.app.home.stores import open_events
from tocsin.app.settings.cold_settings import ColdSettings
from tocsin.model.lane import Lane
from tocsin.store.engines.parquet.cold_move import Moved, drop_forgotten, move_cold
from tocsin.store.engines.parquet.cold_shelf import note_forgotten
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.vaults.folder_vault import FolderVault
from tocsin.store.keeping import CountedFrom, Expiry
from tocsin.store.ports import Damage, ReplayQuery
from tocsin.store.query import EventQuery
from tocsin.store.vault import VaultError

LATER = NOON + timedelta(days=1)


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[FolderVault]:
    """What a bucket does a folder does as well: both are held to one suite."""
    opened = FolderVault(tmp_path / "bucket", writing=True)
    yield opened
    opened.close()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KeptHome]:
    with KeptHome(tmp_path / "home").fill(3) as home:
        yield home


@pytest.fixture
def events(kept: KeptHome, bucket: FolderVault) -> Iterator[ParquetEvents]:
    opened = ParquetEvents(kept.folder / "events", kept.state, cold=lambda: bucket)
    yield opened
    opened.close()


def move(kept: KeptHome, bucket: FolderVault) -> Moved:
    return move_cold(kept.folder / "events", kept.state, bucket, LATER, lambda _: None)


def files(kept: KeptHome) -> list[Path]:
    return sorted((kept.folder / "events").rglob("*.parquet"))


def numbers(events: ParquetEvents, query: EventQuery) -> tuple[int, list[int], tuple[str, ...]]:
    page = events.search(query)
    return page.total, sorted(one.native["n"] for one in page.events), page.problems


def test_old_segments_move_and_are_found_where_they_are(
    kept: KeptHome, bucket: FolderVault, events: ParquetEvents
) -> None:
    before = [(one.id, one.checksum, one.rows) for one in events.segments(None, None)]
    moved = move(kept, bucket)
    assert moved.segments == 3
    assert files(kept) == []
    assert sorted(bucket.held()) == sorted(checksum for _, checksum, _ in before)
    assert [(one.id, one.checksum, one.rows) for one in events.segments(None, None)] == before
    assert numbers(events, EventQuery("native.n:1", size=10)) == (4, [1] * 4, ())
    assert events.top_values(EventQuery(), "source", 5)[0].count == 12
    some = events.search(EventQuery(size=1)).events[0]
    assert events.get(some.event_id) is not None
    assert check_integrity(kept.folder, kept.state).damaged == ()
    assert events.merge_small() == 0
    assert move(kept, bucket).segments == 0


def test_young_ones_stay(kept: KeptHome, bucket: FolderVault) -> None:
    middle = NOON + timedelta(seconds=70)
    moved = move_cold(kept.folder / "events", kept.state, bucket, middle, lambda _: None)
    assert moved.segments == 2
    assert len(files(kept)) == 1


def test_no_more_is_fetched_than_there_is_room_for_and_the_rest_is_told(
    kept: KeptHome, bucket: FolderVault
) -> None:
    room = int(2.5 * max(one.size_bytes for one in kept.events.segments(None, None)))
    move(kept, bucket)
    events = ParquetEvents(
        kept.folder / "events", kept.state, cold=lambda: bucket, cold_cache_bytes=room
    )
    total, found, problems = numbers(events, EventQuery("native.n:>=0", size=100))
    assert (total, len(found), len(problems)) == (8, 8, 1)
    assert "4 events of sensor" in problems[0]
    assert "cold.cache_bytes" in problems[0]
    for wanted in (0, 1, 2, 0):
        start = NOON + timedelta(seconds=60 * wanted)
        one_minute = EventQuery("native.n:>=0", start, start + timedelta(seconds=60))
        assert numbers(events, one_minute) == (4, [wanted] * 4, ())
        assert sum(path.stat().st_size for path in files(kept)) <= room
    events.close()


def test_a_bucket_that_is_away_costs_only_what_lies_there(
    kept: KeptHome, bucket: FolderVault
) -> None:
    middle = NOON + timedelta(seconds=70)
    move_cold(kept.folder / "events", kept.state, bucket, middle, lambda _: None)
    asked = []

    def away() -> FolderVault:
        asked.append(1)
        raise VaultError("s3://bucket can't be reached (no route)")

    events = ParquetEvents(kept.folder / "events", kept.state, cold=away)
    total, found, problems = numbers(events, EventQuery("native.n:>=0", size=100))
    assert (total, found) == (4, [2] * 4)
    assert len(problems) == 2
    assert "can't be reached" in problems[0]
    assert len(asked) == 1
    assert numbers(kept.events, EventQuery("native.n:>=0"))[1:] == (
        [2] * 4,
        kept.events.search(EventQuery("native.n:>=0")).problems,
    )
    assert "cold.target" in kept.events.search(EventQuery("native.n:>=0")).problems[0]
    events.close()


def test_what_the_bucket_has_lost_is_told(
    kept: KeptHome, bucket: FolderVault, events: ParquetEvents
) -> None:
    lost = events.segments(None, None)[0]
    move(kept, bucket)
    bucket.drop(lost.checksum)
    (told,) = check_integrity(kept.folder, kept.state, cold=bucket).damaged
    assert (told.events, told.sources) == (4, ("sensor",))
    total, found, (problem,) = numbers(events, EventQuery("native.n:>=0", size=100))
    assert (total, found) == (8, [1] * 4 + [2] * 4)
    assert lost.path in problem


def test_a_copy_here_that_was_damaged_is_fetched_anew(
    kept: KeptHome, bucket: FolderVault, events: ParquetEvents
) -> None:
    move(kept, bucket)
    asked = EventQuery("native.n:1", size=10)
    assert numbers(events, asked)[0] == 4
    for path in files(kept):
        path.write_bytes(b"PAR1 nonsense")
    assert numbers(events, asked) == (4, [1] * 4, ())


def test_a_damaged_segment_is_not_moved(kept: KeptHome, bucket: FolderVault) -> None:
    bad = kept.events.segments(None, None)[0]
    (kept.folder / "events" / bad.path).write_bytes(b"nonsense")
    assert move(kept, bucket).segments == 2
    assert bad.checksum not in bucket.held()
    assert [one.path for one in kept.events.segments(None, None)].count(bad.path) == 1


def test_a_stop_between_sending_and_naming_leaves_all_of_it_here(
    kept: KeptHome, bucket: FolderVault, events: ParquetEvents
) -> None:
    def stop(_size: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move_cold(kept.folder / "events", kept.state, bucket, LATER, stop)
    assert len(files(kept)) == 3
    assert move(kept, bucket).segments == 3
    assert numbers(events, EventQuery(size=100))[0] == 12


def test_a_stop_between_naming_and_deleting_leaves_a_file_that_is_swept(
    kept: KeptHome, bucket: FolderVault, events: ParquetEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def stop(path: Path, **how: bool) -> None:
        if "events" in path.parts:
            raise KeyboardInterrupt
        unlink(path, **how)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", stop)
        with pytest.raises(KeyboardInterrupt):
            move(kept, bucket)
    assert len(files(kept)) == 3
    assert numbers(events, EventQuery(size=100))[0] == 12
    kept.events.close()
    assert events.sweep_orphans() == 1
    assert numbers(events, EventQuery(size=100))[::2] == (12, ())


def test_replay_brings_them_too(kept: KeptHome, bucket: FolderVault, events: ParquetEvents) -> None:
    move(kept, bucket)
    damage: list[Damage] = []
    lane = Lane("test", "plain", product="test")
    batches = list(events.replay(ReplayQuery(), lambda _: lane, damage.append))
    assert (sum(map(len, batches)), damage) == (12, [])
    for path in files(kept):
        path.unlink()
    assert list(kept.events.replay(ReplayQuery(), lambda _: lane, damage.append)) == []
    assert len(damage) == 3
    assert "cold.target" in damage[0].reason


def test_retention_deletes_them_here_and_there(
    kept: KeptHome, bucket: FolderVault, events: ParquetEvents
) -> None:
    events.lots()
    move(kept, bucket)
    received = NOON + timedelta(hours=1, seconds=1)
    expiry = Expiry("default", "sensor", received, CountedFrom.INTAKE)
    with events.expiring([expiry]) as step, kept.state.begin() as tx:
        step.delete(tx)
    assert events.count() == 8
    assert drop_forgotten(kept.folder / "events", kept.state, bucket) == 1
    assert len(bucket.held()) == 2
    assert drop_forgotten(kept.folder / "events", kept.state, bucket) == 0


def test_what_is_deleted_while_objects_are_dropped_is_dropped_the_next_time(
    kept: KeptHome, bucket: FolderVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, dropped = kept.folder / "events", []

    def drop(checksum: str) -> None:
        if not dropped:
            note_forgotten(folder, "b" * 64)
        dropped.append(checksum)
        if len(dropped) == 2:
            raise VaultError("the bucket went away")

    monkeypatch.setattr(bucket, "drop", drop)
    note_forgotten(folder, "a" * 64)
    assert drop_forgotten(folder, kept.state, bucket) == 1
    with pytest.raises(VaultError):
        drop_forgotten(folder, kept.state, bucket)
    assert drop_forgotten(folder, kept.state, bucket) == 1
    assert drop_forgotten(folder, kept.state, bucket) == 0
    assert dropped == ["a" * 64, "b" * 64, "b" * 64]


def test_a_backup_names_them_and_a_restored_folder_finds_them(
    kept: KeptHome, bucket: FolderVault, tmp_path: Path
) -> None:
    middle = NOON + timedelta(seconds=70)
    move_cold(kept.folder / "events", kept.state, bucket, middle, lambda _: None)
    vault = FolderVault(tmp_path / "vault", writing=True)
    made = make_backup(kept.folder, vault)
    assert (made.events, len(made.elsewhere), made.damaged) == (12, 2, ())
    told = restore(vault, tmp_path / "new")
    assert sum(one.events for one in told.elsewhere) == 8
    vault.close()
    with KeptHome(tmp_path / "new") as new:
        events = ParquetEvents(new.folder / "events", new.state, cold=lambda: bucket)
        assert numbers(events, EventQuery(size=100))[:2] == (12, [0] * 4 + [1] * 4 + [2] * 4)
        events.close()


def test_every_reader_of_the_data_folder_knows_the_bucket(
    kept: KeptHome, bucket: FolderVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def open_bucket(*told: object) -> FolderVault:
        asked.append(told)
        return bucket

    monkeypatch.setattr("tocsin.app.home.cold_place.open_bucket", open_bucket)
    assert cold_options(kept.folder) == {}
    note_cold(kept.folder, ColdSettings(target="s3://old/x", region="eu-1", cache_bytes=1 << 21))
    note_cold(kept.folder, ColdSettings())
    move(kept, bucket)
    events = open_events(kept.folder, kept.state)
    assert events.search(EventQuery("native.n:1", size=10)).total == 4
    assert asked == [("s3://old/x", None, "eu-1")]
    events.close()
