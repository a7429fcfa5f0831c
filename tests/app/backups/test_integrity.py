"""What a disk has changed is named with the events it costs, set aside, and mended from a backup."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.kept_home import KeptHome
from tocsin.app.access.audit import AuditLog
from tocsin.app.backups.backup import make_backup
from tocsin.app.backups.giving_up import ALL, GivingUp, NotGivenUp
from tocsin.app.backups.integrity import check_integrity
from tocsin.app.backups.integrity_ledger import last_check, note_check
from tocsin.app.storage.holds import HoldBook
from tocsin.store.engines.parquet.segment_check import damaged_segments
from tocsin.store.engines.vaults.folder_vault import FolderVault
from tocsin.store.ports import Segment
from tocsin.store.query import EventQuery


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KeptHome]:
    with KeptHome(tmp_path / "home").fill() as home:
        yield home


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[FolderVault]:
    opened = FolderVault(tmp_path / "vault", writing=True)
    yield opened
    opened.close()


def spoil(kept: KeptHome, which: int = 0) -> Segment:
    """Change one byte in the middle of a segment's file."""
    segment = kept.events.segments(None, None)[which]
    path = kept.folder / "events" / segment.path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return segment


def test_all_is_well_when_nothing_was_changed(kept: KeptHome) -> None:
    seen: list[tuple[str, int, int]] = []
    found = check_integrity(kept.folder, kept.state, on_progress=lambda *told: seen.append(told))
    assert (found.segments, found.events, found.blobs, found.damaged) == (2, 8, 1, ())
    assert seen[-1][1] == seen[-1][2] == found.size_bytes


def test_a_changed_byte_is_named_with_what_is_missing(kept: KeptHome) -> None:
    bad = spoil(kept, 1)
    (one,) = check_integrity(kept.folder, kept.state).damaged
    assert (one.kind, one.path, one.events) == ("segment", f"events/{bad.path}", 4)
    assert one.reason == "is not what was written"
    assert (one.first_time, one.last_time, one.sources) == (
        bad.first_time,
        bad.last_time,
        ("sensor",),
    )


@pytest.mark.parametrize("what", ["gone", "rows"])
def test_files_are_held_to_the_manifest(kept: KeptHome, what: str) -> None:
    segment = kept.events.segments(None, None)[0]
    if what == "gone":
        (kept.folder / "events" / segment.path).unlink()
    else:
        with closing(sqlite3.connect(kept.folder / "state.sqlite")) as state:
            state.execute("UPDATE segments SET rows = 5 WHERE id = ?", (segment.id,))
            state.commit()
    (one,) = check_integrity(kept.folder, kept.state).damaged
    assert one.reason == {"gone": "is gone", "rows": "has 4 events where 5 count"}[what]


def test_a_segment_merged_while_it_was_looked_for_is_not_damaged(kept: KeptHome) -> None:
    kept.store(2)
    before = kept.events.segments(None, None)
    assert kept.events.merge_small() == 3
    assert list(damaged_segments(kept.folder / "events", kept.state, before)) == []


def test_blobs_spool_and_databases_are_read_too(kept: KeptHome) -> None:
    (blob,) = (kept.folder / "blobs").glob("*/*")
    blob.write_bytes(b"evidencE")
    (file,) = (kept.folder / "spool").glob("*.spool")
    size = file.stat().st_size
    (kept.folder / "spool" / f"{size:020d}.spool").touch()
    torn = bytearray(file.read_bytes())
    torn[-1] ^= 1
    file.write_bytes(torn)
    runs = kept.folder / "runs" / "runs.sqlite"
    content = bytearray(runs.read_bytes())
    content[4096:4200] = b"\xff" * 104
    runs.write_bytes(content)
    found = {one.kind: one for one in check_integrity(kept.folder, kept.state).damaged}
    assert set(found) == {"blob", "spool", "database"}
    assert found["spool"].reason.startswith("is damaged at byte 0")
    assert found["database"].path == "runs/runs.sqlite"


def test_what_is_set_aside_is_left_out_unread_and_every_answer_says_so(kept: KeptHome) -> None:
    bad = spoil(kept)
    (one,) = check_integrity(kept.folder, kept.state, quarantine=True).damaged
    assert one.quarantined
    assert not (kept.folder / "events" / bad.path).exists()
    page = kept.events.search(EventQuery())
    assert page.total == 4
    (problem,) = page.problems
    assert "4 events of sensor, 2026-03-01 12:00 to 2026-03-01 12:00 UTC, are missing" in problem
    assert sum(bucket.count for bucket in kept.events.histogram(EventQuery(), 3)) == 4
    told = kept.events.sql("select count(*) from events", 1)
    assert told.rows == [(4,)]
    assert told.problems == (problem,)
    assert kept.events.search(EventQuery(start=bad.last_time.replace(hour=23))).problems == ()
    assert kept.events.sweep_orphans() == 0
    (again,) = check_integrity(kept.folder, kept.state, quarantine=True).damaged
    assert again.reason == "is in quarantine"
    assert kept.events.count() == 8


@pytest.mark.parametrize("quarantine", [True, False])
def test_a_segment_that_is_given_up_is_missed_no_more_and_the_audit_chain_tells_of_it(
    kept: KeptHome, quarantine: bool
) -> None:
    bad = spoil(kept)
    sound = kept.events.segments(None, None)[1]
    both = GivingUp(frozenset({bad.id, sound.id}), "the disk died, no backup has it")
    found = check_integrity(
        kept.folder, kept.state, quarantine=quarantine, giving_up=both, by="lea"
    )
    assert [(one.given_up, one.events) for one in found.damaged] == [(True, 4)]
    assert found.left == ()
    assert kept.events.segments(None, None) == [sound], "what is sound is not given up"
    assert kept.events.search(EventQuery()).problems == ()
    assert kept.events.count() == 4
    with kept.state.read() as tx:
        (told,) = (one for one in AuditLog().page(tx).items if one.action == "store.give_up")
    assert told.actor == "lea"
    assert "4 events of sensor, of 2026-03-01T12:00:00Z to" in told.detail
    assert told.detail.endswith("because: the disk died, no backup has it")
    note_check(kept.folder, found)
    known = last_check(kept.folder)
    assert known is not None
    assert known.damaged == ()


def test_what_may_be_under_a_hold_is_not_given_up(kept: KeptHome) -> None:
    bad = spoil(kept)
    holds = HoldBook(kept.state, AuditLog())
    holds.place("Case 4", "a court", by="lea", now=bad.last_time, sources=["sens*"], tenant="other")
    with pytest.raises(NotGivenUp, match="the hold 'Case 4' may be about"):
        check_integrity(kept.folder, kept.state, giving_up=GivingUp(frozenset({ALL}), "it is lost"))
    assert bad in kept.events.segments(None, None)


@pytest.mark.parametrize("set_aside_before", [True, False])
def test_what_a_backup_has_is_put_back(
    kept: KeptHome, vault: FolderVault, set_aside_before: bool
) -> None:
    make_backup(kept.folder, vault)
    bad = spoil(kept)
    (kept.folder / "events" / kept.events.segments(None, None)[1].path).unlink()
    (blob,) = (kept.folder / "blobs").glob("*/*")
    blob.write_bytes(b"")
    if set_aside_before:
        check_integrity(kept.folder, kept.state, quarantine=True)
    found = check_integrity(kept.folder, kept.state, backup=vault)
    assert [one.mended for one in found.damaged] == [True, True, True]
    assert found.left == ()
    assert kept.numbers() == [0] * 4 + [1] * 4
    assert kept.events.segments(None, None)[0].path == bad.path
    assert check_integrity(kept.folder, kept.state).damaged == ()
    assert kept.events.sweep_orphans() == 0
    with kept.state.read() as tx:
        assert AuditLog().verify(tx).ok
        assert "mended" in AuditLog().page(tx).items[0].detail


def test_what_no_backup_has_stays_named(kept: KeptHome, vault: FolderVault) -> None:
    make_backup(kept.folder, vault)
    kept.store(2)
    spoil(kept, 2)
    found = check_integrity(kept.folder, kept.state, backup=vault, quarantine=True)
    (one,) = found.left
    assert (one.quarantined, found.events_lost) == (True, 4)


def test_merging_goes_on_around_what_is_damaged_and_carries_none_of_it_on(
    kept: KeptHome,
) -> None:
    bad = spoil(kept)
    for position in range(2, 5):
        kept.store(position)
    assert kept.events.merge_small() == 0
    assert kept.events.merge_small() == 4
    left = kept.events.segments(None, None)
    assert sorted(one.rows for one in left) == [4, 16]
    assert bad.checksum in {one.checksum for one in left}
    assert [one.path for one in check_integrity(kept.folder, kept.state).damaged] == [
        f"events/{bad.path}"
    ]


def test_the_last_check_is_remembered(kept: KeptHome) -> None:
    assert last_check(kept.folder) is None
    bad = spoil(kept)
    found = check_integrity(kept.folder, kept.state)
    note_check(kept.folder, found)
    told = last_check(kept.folder)
    assert told is not None
    assert (told.checked_at, told.events_lost) == (found.checked_at, 4)
    assert told.damaged[0]["path"] == f"events/{bad.path}"
