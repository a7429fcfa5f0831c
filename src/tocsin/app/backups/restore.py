"""Puts a backup into an empty data folder, every byte checked before it counts."""

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, create_engine

from tocsin.app.backups.backup_generation import (
    Absent,
    BackedFile,
    BackupError,
    Generation,
    generation_ids,
    read_generation,
)
from tocsin.app.home.home import Home
from tocsin.app.home.unfinished_restore import RESTORING
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.sqlite_snapshot import faults
from tocsin.store.migrations import chain
from tocsin.store.vault import MissingObject, Vault, WrongContent

_TREE, _CHECKED, _FROM = "tree", "checked", "from"
_MAY_BE_THERE = frozenset({RESTORING, "lock", "lost+found"})
_STATE = "state.sqlite"
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in the new data folder; ``left_out`` was damaged and is not."""

    generation: str
    home: Path
    events: int
    segments: int
    files: int
    size_bytes: int
    left_out: tuple[Absent, ...] = ()
    elsewhere: tuple[Absent, ...] = ()


def restore(
    vault: Vault,
    home: Path,
    generation_id: str | None = None,
    *,
    without_damaged: bool = False,
    on_progress: OnProgress = lambda *_: None,
) -> Restored:
    """Restore a generation (None: the latest) to ``home``, which must be empty.

    Everything is copied and checked beside its place first; a stop at any time leaves a folder no
    server starts on, and the same command goes on with it. ``without_damaged`` leaves out events
    and blobs that can't be given back. Raises BackupError that names what is wrong.
    """
    chosen = _chosen(vault, generation_id)
    if chosen.revision not in chain.known_revisions():
        raise BackupError(
            f"backup {chosen.id} was made by Tocsin {chosen.version}, which is newer than this one "
            f"(its state is at revision {chosen.revision}): restore it with that version"
        )
    work = home / RESTORING
    _check_empty(home, work, chosen.id)
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    held = Home(home, restoring=True)
    try:
        (work / _FROM).write_text(chosen.id, encoding="ascii")
        lost: tuple[Absent, ...] = ()
        if not (work / _CHECKED).exists():
            lost = _fetch(vault, chosen, work / _TREE, without_damaged, on_progress)
            _check(chosen, work / _TREE, lost)
            (work / _CHECKED).touch()
        _move_in(work / _TREE, home)
        shutil.rmtree(work)
    except OSError as error:
        raise BackupError(
            f"{home} can't be written ({error.strerror}: {error.filename}): free space or check "
            "its rights, then give the same command again; it goes on where it stopped"
        ) from error
    finally:
        held.release()
    return Restored(
        *(chosen.id, home, chosen.events, chosen.segments, len(chosen.files), chosen.size_bytes),
        left_out=(*chosen.damaged, *lost),
        elsewhere=chosen.elsewhere,
    )


def damaged_files(
    vault: Vault, generation: Generation, on_bytes: Callable[[int], None] = lambda _: None
) -> list[Absent]:
    """The files of a backup that could not be given back: each object is read to its end."""
    found, judged = [], dict[str, str]()
    for one in generation.files:
        if one.link:
            continue
        if one.checksum not in judged:
            judged[one.checksum] = _fault(vault, one, on_bytes)
        if judged[one.checksum]:
            found.append(Absent(one.path, judged[one.checksum]))
    return found


def _fault(vault: Vault, one: BackedFile, on_bytes: Callable[[int], None]) -> str:
    running = hashlib.sha256()
    try:
        for piece in vault.read(one.checksum):
            running.update(piece)
            on_bytes(len(piece))
    except MissingObject as error:
        return str(error)
    if running.hexdigest() != one.checksum:
        return f"object {one.checksum} is not what was written"
    return ""


def _chosen(vault: Vault, generation_id: str | None) -> Generation:
    if generation_id is None:
        ids = generation_ids(vault)
        if not ids:
            raise BackupError(f"{vault.url} holds no complete backup: check the place")
        generation_id = ids[-1]
    return read_generation(vault, generation_id)


def _check_empty(home: Path, work: Path, generation_id: str) -> None:
    if not home.is_dir():
        return
    begun = (work / _FROM).read_text(encoding="ascii") if (work / _FROM).is_file() else None
    if begun is not None and begun != generation_id:
        raise BackupError(
            f"{home}: restoring backup {begun} was begun here and not finished; go on with "
            f"--generation {begun}, or give another --home"
        )
    is_moving = (work / _CHECKED).exists()
    others = sorted(path.name for path in home.iterdir() if path.name not in _MAY_BE_THERE)
    if others and not is_moving:
        raise BackupError(
            f"{home} is not empty ({', '.join(others[:5])}): nothing was changed. Give a new folder "
            "with --home, and put it in the place of the old one once it is restored"
        )


def _fetch(
    vault: Vault,
    chosen: Generation,
    tree: Path,
    without_damaged: bool,
    on_progress: OnProgress,
) -> tuple[Absent, ...]:
    total = sum(one.size_bytes for one in chosen.files)
    done, damaged = 0, list[Absent]()

    def count(size: int) -> None:
        nonlocal done
        done += size
        on_progress("restoring", done, total)

    for one in chosen.files:
        path, before = tree / one.path, done
        if one.link:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(one.link)
            continue
        try:
            if not _is_there(path, one):
                vault.fetch(one.checksum, path, count)
            path.chmod(one.mode)
        except (WrongContent, MissingObject) as error:
            damaged.append(Absent(one.path, str(error)))
        done = before + one.size_bytes
        on_progress("restoring", done, total)
    needed = [one for one in damaged if not one.path.startswith(("events/", "blobs/"))]
    if needed or (damaged and not without_damaged):
        raise BackupError(_refusal(vault, chosen, damaged, may_go_on=not needed))
    return tuple(damaged)


def _is_there(path: Path, one: BackedFile) -> bool:
    """True when a run before this one has brought it already."""
    with suppress(FileNotFoundError):
        if path.stat().st_size == one.size_bytes:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == one.checksum
    return False


def _refusal(vault: Vault, chosen: Generation, damaged: list[Absent], *, may_go_on: bool) -> str:
    shown = "\n".join(f"  {one.path}: {one.reason}" for one in damaged[:20])
    more = f"\n  and {len(damaged) - 20} more" if len(damaged) > 20 else ""
    others = [one for one in generation_ids(vault) if one != chosen.id]
    advice = f"take another generation ({', '.join(others[-3:]) or 'there is none'})"
    if may_go_on:
        advice += ", or restore all the rest with --without-damaged"
    return (
        f"backup {chosen.id} in {vault.url} is damaged; {len(damaged)} of its files can't be given "
        f"back:\n{shown}{more}\nNothing was put in place. Check the disk, {advice}"
    )


def _check(chosen: Generation, tree: Path, lost: tuple[Absent, ...]) -> None:
    """What was copied is a data folder that holds together, and counts what was counted."""
    for name in (_STATE, "runs/runs.sqlite"):
        wrong = faults(tree / name) if (tree / name).is_file() else []
        if wrong:
            raise BackupError(f"{name} of backup {chosen.id} is damaged: {wrong[0]}")
    engine = create_engine(URL.create("sqlite+pysqlite", database=str(tree / _STATE)))
    try:
        with engine.connect() as connection:
            segments, events = manifest.between(connection, None, None), manifest.rows(connection)
    finally:
        engine.dispose()
    if (len(segments), events) != (chosen.segments, chosen.events):
        raise BackupError(
            f"backup {chosen.id} counts {chosen.events} events in {chosen.segments} segments, its "
            f"state {events} in {len(segments)}: take another generation"
        )
    known = {one.path.removeprefix("events/") for one in (*lost, *chosen.damaged)}
    known |= {one.path for one in chosen.elsewhere}
    for segment in segments:
        if segment.path not in known and not (tree / "events" / segment.path).is_file():
            raise BackupError(f"backup {chosen.id} lacks segment {segment.path}: take another one")


def _move_in(tree: Path, home: Path) -> None:
    """Everything to its place, the state last: without it the folder is no data folder."""
    names = [path.name for path in tree.iterdir() if path.name != _STATE]
    for name in [*sorted(names), *([_STATE] if (tree / _STATE).exists() else [])]:
        (tree / name).replace(home / name)
    handle = os.open(home, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
