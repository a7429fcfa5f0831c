"""Backup, list and restore from the command line, as at three in the morning."""

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Ran
from tests.kept_home import KeptHome

Tocsin = Callable[..., Ran]


def test_a_data_folder_is_backed_up_listed_and_restored(
    tocsin: Tocsin, home: Path, tmp_path: Path
) -> None:
    place, new = tmp_path / "other-disk", tmp_path / "new"
    with KeptHome(home).fill():
        made = tocsin("admin", "backup", place, "--json")
        assert made.code == 0, made.err
        assert (made.json["events"], made.json["damaged"]) == (8, [])
        again = tocsin("admin", "backup", place, "--keep", 1)
    assert f"dropped: {made.json['id']}" in again.out
    assert "secret, and in it: digests of passwords" in again.out
    listed = tocsin("admin", "backups", place, "--verify", "--json")
    (one,) = listed.json["backups"]
    assert (listed.code, one["events"], one["unreadable"]) == (0, 8, [])
    assert "complete" in tocsin("admin", "backups", place).out
    told = tocsin("admin", "restore", place, "--home", new)
    assert told.code == 0, told.err
    assert "every checksum verified: 8 events in 2 segments" in told.out
    with KeptHome(new) as restored:
        assert restored.numbers() == [0] * 4 + [1] * 4
    verdict = tocsin("admin", "audit", "verify", "--json")
    assert (verdict.code, verdict.json["entries"]) == (0, 2)
    refused = tocsin("admin", "restore", place, "--home", new)
    assert refused.code == 2
    assert "is not empty" in refused.err


def test_a_damaged_backup_ends_with_exit_code_2_and_names_its_files(
    tocsin: Tocsin, home: Path, tmp_path: Path
) -> None:
    place = tmp_path / "other-disk"
    with KeptHome(home).fill(1) as kept:
        (segment,) = kept.events.segments(None, None)
        tocsin("admin", "backup", place)
    (place / "objects" / segment.checksum[:2] / segment.checksum).write_bytes(b"rot")
    listed = tocsin("admin", "backups", place, "--verify")
    assert listed.code == 2
    assert f"events/{segment.path}: object {segment.checksum} is not what was written" in listed.out
    told = tocsin("admin", "restore", place, "--home", tmp_path / "new")
    assert told.code == 2
    assert segment.path in told.err
    assert not (tmp_path / "new" / "state.sqlite").exists()


def test_without_a_target_it_says_what_to_give(tocsin: Tocsin, home: Path) -> None:
    told = tocsin("admin", "backup")
    assert told.code == 3
    assert "backup.target" in told.err


def test_where_there_is_no_data_folder_nothing_is_made(
    tocsin: Tocsin, home: Path, tmp_path: Path
) -> None:
    told = tocsin("admin", "backup", tmp_path / "other-disk")
    assert told.code == 2
    assert "--home" in told.err
    assert not (home / "backups.json").exists()
