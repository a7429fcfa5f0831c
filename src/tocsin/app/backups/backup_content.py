"""What of a data folder goes into a backup, held still while it is copied."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, create_engine

from tocsin.store.engines.parquet.segment_places import is_cold
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.sqlite_snapshot import snapshot
from tocsin.store.migrations import chain
from tocsin.store.ports import Segment, StoreError

WORK = ".backup"
"""Folder below the data folder in which a running backup holds what others may delete."""
_LEFT_OUT = frozenset(
    {"lock", "run.json", "run.json.new", "cache", "uploads", WORK, ".restoring", "backup.lock"}
    | {"events", "blobs", "spool", "runs"}
    | {"state.sqlite", "state.sqlite-wal", "state.sqlite-shm"}
)
_SECRET_NAMES = ("stores.json", "*.pem", "*.key", "*secret*", "*token*", "*password*")
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to be copied: where it counts, where it is read from, how much of it."""

    path: str
    source: Path
    size_bytes: int
    expected: str | None = None
    mode: int = 0o600
    link: str = ""
    segment: Segment | None = None


@dataclass(slots=True)
class Still:
    """One moment of a data folder: files to copy, and the segments that count in its state."""

    revision: str
    segments: list[Segment]
    files: list[Wanted] = field(default_factory=list)


def hold_still(home: Path, on_step: Callable[[str, float], None]) -> Still:
    """Take one consistent moment of a data folder that may be in use; nobody waits for it.

    In this order: the spool (what is acknowledged and not yet stored), the runs, the state, so
    that none is ahead of what it rests on. Files that others delete are linked in ``WORK`` first.
    Raises StoreError when it can't be done.
    """
    work = home / WORK
    forget_hold(home)
    (work / "spool").mkdir(parents=True, mode=0o700)
    (work / "segments").mkdir()
    try:
        _link_spool(home, work)
        files = []
        if (home / "runs" / "runs.sqlite").is_file():
            snapshot(home / "runs" / "runs.sqlite", work / "runs.sqlite")
            files.append(_plain("runs/runs.sqlite", work / "runs.sqlite"))
        still = _state_and_segments(home, work, on_step)
        _link_spool(home, work)
    except OSError as error:
        raise StoreError(
            f"{home} can't be held still for a backup ({error.strerror}: {error.filename}); "
            "free space on its disk and check its rights"
        ) from error
    files.append(_plain("state.sqlite", work / "state.sqlite"))
    files += [_plain(f"spool/{path.name}", path) for path in sorted((work / "spool").iterdir())]
    files += _others(home)
    still.files += files
    return still


def forget_hold(home: Path) -> None:
    """Let go of what a backup, this or a killed one, held."""
    shutil.rmtree(home / WORK, ignore_errors=True)


def blobs(home: Path) -> Iterator[tuple[Path, int]]:
    """Path and size of every blob; its name is its checksum."""
    for path in sorted((home / "blobs").glob("[0-9a-f][0-9a-f]/[0-9a-f]*")):
        with suppress(FileNotFoundError):
            yield path, path.stat().st_size


def _link_spool(home: Path, work: Path) -> None:
    for path in [*sorted((home / "spool").glob("*.spool")), home / "spool" / "id"]:
        if not (work / "spool" / path.name).exists():
            _link(path, work / "spool" / path.name)


def _state_and_segments(home: Path, work: Path, on_step: Callable[[str, float], None]) -> Still:
    """The state, and a link to each segment it names; anew while merging took one away."""
    database = work / "state.sqlite"
    for _ in range(_TRIES):
        database.unlink(missing_ok=True)
        snapshot(home / "state.sqlite", database, lambda share: on_step("state", share))
        revision, segments = _named(database)
        still, moved = Still(revision, segments), False
        for segment in segments:
            if is_cold(segment):
                continue
            held, path = work / "segments" / segment.id, home / "events" / segment.path
            if not held.exists() and not _link(path, held):
                moved = moved or not _counts_still(home, segment)
            still.files.append(
                Wanted(
                    *(f"events/{segment.path}", held, segment.size_bytes, segment.checksum),
                    segment=segment,
                )
            )
        if not moved:
            return still
    raise StoreError(f"segments of {home} kept changing while a backup began: try again")


def _named(database: Path) -> tuple[str, list[Segment]]:
    engine = create_engine(URL.create("sqlite+pysqlite", database=str(database)))
    try:
        with engine.connect() as connection:
            return chain.current_revision(connection) or "", manifest.between(
                connection, None, None
            )
    finally:
        engine.dispose()


def _counts_still(home: Path, segment: Segment) -> bool:
    """True when a segment whose file is gone is lost, and was not merged away meanwhile."""
    engine = create_engine(URL.create("sqlite+pysqlite", database=str(home / "state.sqlite")))
    try:
        with engine.connect() as connection:
            return segment.path in manifest.paths(connection)
    finally:
        engine.dispose()


def _link(path: Path, to: Path) -> bool:
    """Give the file a second name, or copy it where the file system can't; False: it is gone."""
    try:
        os.link(path, to)
    except FileNotFoundError:
        return False
    except OSError:
        try:
            shutil.copyfile(path, to)
        except FileNotFoundError:
            return False
    return True


def _others(home: Path) -> Iterator[Wanted]:
    """Everything else: rules, mappings, packs, keys, and what was taken in."""
    for path in sorted(home.iterdir()):
        if path.name not in _LEFT_OUT:
            yield from _walk(home, path)
    if (home / "runs" / "executor-id").is_file():
        yield _plain("runs/executor-id", home / "runs" / "executor-id")


def _walk(home: Path, path: Path) -> Iterator[Wanted]:
    try:
        told = path.lstat()
        if stat.S_ISLNK(told.st_mode):
            name = path.relative_to(home).as_posix()
            yield Wanted(name, path, 0, link=os.readlink(path))
        elif stat.S_ISDIR(told.st_mode):
            for inner in sorted(path.iterdir()):
                yield from _walk(home, inner)
        elif stat.S_ISREG(told.st_mode):
            yield _plain(path.relative_to(home).as_posix(), path)
    except FileNotFoundError:
        return  # gone since the folder was listed: it does not count


def _plain(name: str, path: Path) -> Wanted:
    told = path.stat()
    return Wanted(name, path, told.st_size, mode=stat.S_IMODE(told.st_mode))


def secrets_in(files: list[Wanted]) -> tuple[str, ...]:
    """What in a backup must stay secret, in words."""
    keys = [one.path for one in files if any(Path(one.path).match(name) for name in _SECRET_NAMES)]
    return ("digests of passwords, sessions and tokens (state.sqlite)", *keys)
