"""A backup of a data folder in use is whole or does not count, and comes back byte for byte."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.kept_home import KeptHome
from tocsin.app.backups.backup import let_go_of_killed, make_backup, thin_out
from tocsin.app.backups.backup_generation import BackupError, generation_ids, read_generation
from tocsin.app.backups.restore import damaged_files, restore
from tocsin.app.home.home import Home
from tocsin.app.home.one_at_a_time import Busy
from tocsin.app.home.stores import Stores, keep_stores
from tocsin.store.engines.vaults.folder_vault import FolderVault
from tocsin.store.errors import StoreError
from tocsin.store.vault import VaultError

KILLED_AT_EVERY_STEP = """
import os, signal, sys
from pathlib import Path
from tocsin.app.backups.backup import make_backup
from tocsin.app.backups.backup_generation import generation_ids, read_generation
from tocsin.app.backups.restore import damaged_files, restore
from tocsin.store.engines.vaults.folder_vault import FolderVault
what, place, home = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
def work(left):
    def die_in_time(*_):
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    flush = os.fsync
    os.fsync = lambda descriptor: (flush(descriptor), die_in_time())
    vault = FolderVault(place, writing=what == "backup")
    if what == "backup":
        make_backup(home, vault, die_in_time)
    else:
        restore(vault, home, on_progress=die_in_time)
before = generation_ids(FolderVault(place))
for step in range(0, 1000, int(sys.argv[4])):
    child = os.fork()
    if not child:
        try:
            work(step)
        finally:
            os._exit(0)
    if os.waitpid(child, 0)[1] != signal.SIGKILL:
        break
    vault = FolderVault(place)
    there = generation_ids(vault)
    if what == "backup" and there != before:
        break
    for one in there:
        assert damaged_files(vault, read_generation(vault, one)) == []
    assert not (home / "state.sqlite").exists() or what == "backup" or step > 9
print(step)
"""


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KeptHome]:
    with KeptHome(tmp_path / "home").fill() as home:
        yield home


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[FolderVault]:
    opened = FolderVault(tmp_path / "vault", writing=True)
    yield opened
    opened.close()


def killed_at_every_step(what: str, vault: Path, home: Path) -> int:
    """How often it was killed, at one flush or word of progress after the other."""
    every = 4 if what == "backup" else 9
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", KILLED_AT_EVERY_STEP, what, str(vault), str(home), str(every)],
        check=True,
        env=os.environ,
        capture_output=True,
    )
    return int(ended.stdout) // every


def objects(vault: FolderVault, prefix: str = "") -> list[Path]:
    return sorted((Path(vault.url) / "objects").glob(f"{prefix}*/*"))


def spoil(vault: FolderVault, path: str) -> str:
    """Change a byte of the object that a file of the latest backup is in."""
    latest = read_generation(vault, generation_ids(vault)[-1])
    (checksum,) = [one.checksum for one in latest.files if one.path == path]
    file = Path(vault.url) / "objects" / checksum[:2] / checksum
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    return checksum


def test_all_that_is_kept_comes_back(kept: KeptHome, vault: FolderVault, tmp_path: Path) -> None:
    made = make_backup(kept.folder, vault)
    assert (made.events, made.segments, made.damaged) == (8, 2, ())
    told = restore(vault, tmp_path / "new")
    assert (told.events, told.left_out) == (8, ())
    with KeptHome(tmp_path / "new") as new:
        assert new.numbers() == kept.numbers() == [0] * 4 + [1] * 4
        assert new.waiting() == [b"not stored yet"]
        assert new.spool.id == kept.spool.id
        assert [one.checksum for one in new.events.segments(None, None)] == [
            one.checksum for one in kept.events.segments(None, None)
        ]
    assert sorted(path.name for path in (tmp_path / "new" / "blobs").glob("*/*")) == sorted(
        path.name for path in (kept.folder / "blobs").glob("*/*")
    )
    assert (tmp_path / "new" / "rules" / "latest").read_text() == "title: One's own\n"
    assert stat.S_IMODE((tmp_path / "new" / "signing-key.pem").stat().st_mode) == 0o600
    assert (tmp_path / "new" / "runs" / "executor-id").read_text() == "executor-1"
    with closing(sqlite3.connect(tmp_path / "new" / "runs" / "runs.sqlite")) as runs:
        assert runs.execute("SELECT name FROM steps").fetchall() == [("contain",)]
    assert not (tmp_path / "new" / "cache").exists()
    assert not (kept.folder / ".backup").exists()


def test_it_says_what_in_it_is_secret(kept: KeptHome, vault: FolderVault) -> None:
    assert make_backup(kept.folder, vault).secrets == (
        "digests of passwords, sessions and tokens (state.sqlite)",
        "signing-key.pem",
    )
    for path in (Path(vault.url) / "objects", *objects(vault)):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_only_what_is_new_is_copied(kept: KeptHome, vault: FolderVault) -> None:
    make_backup(kept.folder, vault)
    immutable = {one.checksum for one in kept.events.segments(None, None)}
    before = {path.name: path.stat().st_ino for path in objects(vault)}
    new = kept.store(2)
    sent: list[int] = []
    again = make_backup(kept.folder, vault, on_copied=sent.append)
    whole = sum(one.size_bytes for one in kept.events.segments(None, None))
    assert new.size_bytes <= sum(sent) <= again.size_bytes - (whole - new.size_bytes)
    after = {path.name: path.stat().st_ino for path in objects(vault)}
    changing = {one.checksum for one in again.files if one.path.startswith(("state", "runs/"))}
    assert after.keys() - before.keys() - changing == {new.checksum}
    assert all(after[one] == before[one] for one in immutable)


def test_merging_trimming_and_storing_go_on_meanwhile(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    steps: list[str] = []

    def meanwhile(what: str, _done: int, _total: int) -> None:
        steps.append(what)
        if steps.count("copying") == 1 and what == "copying":
            before = {one.path for one in kept.events.segments(None, None)}
            kept.store(7)
            assert kept.events.merge_small() == 3
            assert not any((kept.folder / "events" / path).exists() for path in before)
            with kept.state.begin() as tx:
                kept.spool.commit(tx, kept.receive(b"more"))
            kept.spool.trim()

    made = make_backup(kept.folder, vault, meanwhile)
    assert "copying" in steps
    assert (made.events, made.damaged) == (8, ())
    restore(vault, tmp_path / "new")
    with KeptHome(tmp_path / "new") as new:
        assert new.numbers() == [0] * 4 + [1] * 4
        assert new.waiting()[0] == b"not stored yet"
    assert kept.numbers() == [0] * 4 + [1] * 4 + [7] * 4


def test_segments_that_are_merged_while_it_begins_are_looked_up_anew(
    kept: KeptHome, vault: FolderVault
) -> None:
    kept.store(2)
    told: list[str] = []

    def merge_once(what: str, done: int, _total: int) -> None:
        if what == "state" and done == 100 and not told:
            told.append(what)
            assert kept.events.merge_small() == 3

    made = make_backup(kept.folder, vault, merge_once)
    assert told
    assert (made.events, made.segments, made.damaged) == (12, 1, ())


def test_kills_leave_the_backups_there_were_and_the_next_one_is_whole(
    kept: KeptHome, tmp_path: Path
) -> None:
    vault = FolderVault(tmp_path / "vault", writing=True)
    first = make_backup(kept.folder, vault)
    vault.close()
    kept.store(2)
    kept.receive(b"more")
    assert killed_at_every_step("backup", tmp_path / "vault", kept.folder) > 3
    vault = FolderVault(tmp_path / "vault", writing=True)
    latest = make_backup(kept.folder, vault)
    assert generation_ids(vault)[0] == first.id
    assert (latest.events, damaged_files(vault, latest)) == (12, [])
    assert list((tmp_path / "vault" / ".unfinished").iterdir()) == []
    assert not (kept.folder / ".backup").exists()
    vault.close()


def test_what_was_copied_before_a_stop_is_not_copied_again(
    kept: KeptHome, vault: FolderVault
) -> None:
    class Enough(Exception):
        pass

    def stop(what: str, done: int, total: int) -> None:
        if what == "copying" and done > total * 0.3:
            raise Enough

    with pytest.raises(Enough):
        make_backup(kept.folder, vault, stop)
    assert generation_ids(vault) == []
    there = {path.name: path.stat().st_mtime_ns for path in objects(vault)}
    assert there
    make_backup(kept.folder, vault)
    after = {path.name: path.stat().st_mtime_ns for path in objects(vault)}
    segments = {one.checksum for one in kept.events.segments(None, None)}
    assert all(after[name] == there[name] for name in there.keys() & segments)


def test_kills_while_restoring_lose_nothing_and_it_goes_on(kept: KeptHome, tmp_path: Path) -> None:
    vault = FolderVault(tmp_path / "vault", writing=True)
    make_backup(kept.folder, vault)
    vault.close()
    new = tmp_path / "new"
    assert killed_at_every_step("restore", tmp_path / "vault", new) >= 3
    Home(new).release()
    with KeptHome(new) as opened:
        assert opened.numbers() == kept.numbers()
        assert opened.waiting() == kept.waiting()


def test_no_server_starts_on_what_is_restored_in_part(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    make_backup(kept.folder, vault)

    def look(*_: object) -> None:
        with pytest.raises(StoreError, match="once more"):
            Home(tmp_path / "new")

    restore(vault, tmp_path / "new", on_progress=look)
    Home(tmp_path / "new").release()


def test_a_stop_while_everything_is_put_in_its_place_is_gone_on_with(
    kept: KeptHome, vault: FolderVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_backup(kept.folder, vault)
    real, moves = Path.replace, []

    def fails(self: Path, target: Path) -> Path:
        if ".restoring" in self.parts and target.parent == tmp_path / "new":
            moves.append(target.name)
            if len(moves) == 3:
                raise OSError(28, "No space left on device", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(BackupError, match="same command again"):
        restore(vault, tmp_path / "new")
    assert not (tmp_path / "new" / "state.sqlite").exists()
    monkeypatch.undo()
    restore(vault, tmp_path / "new")
    assert moves[:2] != []
    with KeptHome(tmp_path / "new") as new:
        assert new.numbers() == kept.numbers()


def test_a_folder_that_is_not_empty_is_left_alone(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    make_backup(kept.folder, vault)
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.txt").write_text("mine")
    with pytest.raises(BackupError, match=r"not empty \(precious.txt\)"):
        restore(vault, other)
    assert [path.name for path in other.iterdir()] == ["precious.txt"]
    with pytest.raises(BackupError, match="not empty"):
        restore(vault, kept.folder)


def test_a_damaged_backup_names_its_files_and_puts_nothing_in_place(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    make_backup(kept.folder, vault)
    bad = kept.events.segments(None, None)[0]
    spoil(vault, f"events/{bad.path}")
    with pytest.raises(BackupError, match=bad.path) as caught:
        restore(vault, tmp_path / "new")
    assert "--without-damaged" in str(caught.value)
    assert not (tmp_path / "new" / "state.sqlite").exists()
    told = restore(vault, tmp_path / "new", without_damaged=True)
    assert [one.path for one in told.left_out] == [f"events/{bad.path}"]
    with KeptHome(tmp_path / "new") as new:
        assert new.events.count() == 8


def test_a_state_that_is_damaged_is_never_put_in_place(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    made = make_backup(kept.folder, vault)
    spoil(vault, "state.sqlite")
    assert [one.path for one in damaged_files(vault, made)] == ["state.sqlite"]
    with pytest.raises(BackupError, match=r"state\.sqlite"):
        restore(vault, tmp_path / "new", without_damaged=True)


def test_a_backup_of_a_newer_version_is_refused(
    kept: KeptHome, vault: FolderVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_backup(kept.folder, vault)
    monkeypatch.setattr("tocsin.store.migrations.chain.known_revisions", lambda: {"0001"})
    with pytest.raises(BackupError, match=f"{made.version}, which is newer"):
        restore(vault, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_of_a_later_form_is_refused(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    made = make_backup(kept.folder, vault)
    file = Path(vault.url) / "documents" / f"generation-{made.id}.json"
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(BackupError, match="newer Tocsin"):
        restore(vault, tmp_path / "new")


def test_a_document_that_was_changed_does_not_count(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    made = make_backup(kept.folder, vault)
    file = Path(vault.url) / "documents" / f"generation-{made.id}.json"
    file.write_text(file.read_text().replace('"events": 8', '"events": 9'))
    with pytest.raises(BackupError, match="is damaged"):
        restore(vault, tmp_path / "new")


def test_a_segment_that_is_damaged_here_is_named_and_the_rest_is_saved(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    bad, good = kept.events.segments(None, None)
    (kept.folder / "events" / bad.path).write_bytes(b"PAR1 nonsense")
    made = make_backup(kept.folder, vault)
    (named,) = made.damaged
    assert (named.path, named.events, named.sources) == (bad.path, 4, ("sensor",))
    assert good.checksum in {one.checksum for one in made.files}
    assert [one.path for one in restore(vault, tmp_path / "new").left_out] == [bad.path]


def test_a_segment_that_was_good_at_the_last_backup_is_in_the_next_though_damaged_here(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    make_backup(kept.folder, vault)
    bad = kept.events.segments(None, None)[0]
    (kept.folder / "events" / bad.path).unlink()
    assert make_backup(kept.folder, vault).damaged == ()
    restore(vault, tmp_path / "new")
    with KeptHome(tmp_path / "new") as new:
        assert new.numbers() == [0] * 4 + [1] * 4


def test_old_backups_go_with_what_only_they_named(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    made = []
    for position in range(2, 6):
        kept.store(position)
        kept.events.merge_small()
        made.append(make_backup(kept.folder, vault).id)
    assert thin_out(vault, 2) == made[:2]
    assert generation_ids(vault) == made[2:]
    named = {
        file.checksum
        for one in made[2:]
        for file in read_generation(vault, one).files
        if file.size_bytes
    }
    assert {path.name for path in objects(vault)} >= named
    assert restore(vault, tmp_path / "new", made[2]).events == 20
    assert thin_out(vault, 2) == []


def test_the_last_backup_without_damage_outlives_its_time(
    kept: KeptHome, vault: FolderVault
) -> None:
    good = make_backup(kept.folder, vault).id
    bad = kept.store(2)
    (kept.folder / "events" / bad.path).write_bytes(b"")
    later = [make_backup(kept.folder, vault).id for _ in range(3)]
    assert thin_out(vault, 1) == later[:2]
    assert generation_ids(vault) == [good, later[2]]


def test_a_place_is_of_one_data_folder(kept: KeptHome, vault: FolderVault, tmp_path: Path) -> None:
    make_backup(kept.folder, vault)
    with (
        KeptHome(tmp_path / "other") as other,
        pytest.raises(VaultError, match="place of their own"),
    ):
        make_backup(other.folder, vault)


def test_a_second_backup_at_the_same_time_is_refused(
    kept: KeptHome, vault: FolderVault, tmp_path: Path
) -> None:
    def another(what: str, _done: int, _total: int) -> None:
        let_go_of_killed(kept.folder)
        assert (kept.folder / ".backup").exists()
        with pytest.raises(Busy, match="already"):
            make_backup(kept.folder, vault)

    make_backup(kept.folder, vault, another)
    with pytest.raises(VaultError, match="another process"):
        FolderVault(tmp_path / "vault", writing=True)


def test_a_full_disk_under_the_backups_is_told_and_nothing_counts(
    kept: KeptHome, vault: FolderVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tocsin.store.engines.vaults.folder_vault.os.fsync", full)
    with pytest.raises(VaultError, match="No space left"):
        make_backup(kept.folder, vault)
    monkeypatch.undo()
    assert generation_ids(vault) == []
    assert not (kept.folder / ".backup").exists()


def test_a_place_in_the_data_folder_is_refused(kept: KeptHome) -> None:
    inside = FolderVault(kept.folder / "backups", writing=True)
    with pytest.raises(BackupError, match="lies in the data folder"):
        make_backup(kept.folder, inside)
    inside.close()


def test_stores_elsewhere_are_not_passed_over(kept: KeptHome, vault: FolderVault) -> None:
    keep_stores(kept.folder, Stores(events="clickhouse://events:secret@db:8123/tocsin"))
    made = make_backup(kept.folder, vault)
    assert [one.path for one in made.elsewhere] == ["events"]
    assert "stores.json" in made.secrets
    keep_stores(kept.folder, Stores(state="postgresql://tocsin@db/tocsin"))
    with pytest.raises(BackupError, match="pg_dump"):
        make_backup(kept.folder, vault)
