"""Puts stored segments where any engine that reads Parquet finds a whole set of them."""

import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from tocsin.app.backups.backup import absent
from tocsin.app.backups.backup_generation import Absent, BackupError
from tocsin.app.home.one_at_a_time import alone
from tocsin.store.engines.parquet.segment_check import fault
from tocsin.store.engines.parquet.segment_file import checksum, flush_folder
from tocsin.store.engines.parquet.segment_places import is_here, is_quarantined
from tocsin.store.engines.state import manifest
from tocsin.store.ports import Segment, StateStore

CURRENT = "current"
_SETS = "sets"
_LIST = "segments.ndjson"
_TRIES = 10
_KEPT = 2
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """A set of segments: every event once. ``left_out`` are cold or damaged."""

    folder: Path
    segments: int
    events: int
    size_bytes: int
    copied_bytes: int
    left_out: tuple[Absent, ...]


def export_segments(
    home: Path,
    state: StateStore,
    target: Path,
    start: datetime | None = None,
    end: datetime | None = None,
    on_progress: OnProgress = lambda _done, _total: None,
) -> Exported:
    """Make ``target/current`` a folder with the segments of now, as Parquet files.

    It changes in one go, so a query that lists it sees each event once; the set before stays until
    the next export, for queries that read it still. Files are linked where the disk is the same,
    else copied, and each copy is checked. Segments are whole: some of their events may lie outside
    ``start <= time < end``. Raises BackupError.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        with alone(target / ".lock", f"an export to {target} is being made already"):
            for draft in (target / _SETS).glob(".*"):  # of one that was killed
                shutil.rmtree(draft)
            return _export(home, state, target, start, end, on_progress)
    except OSError as error:
        raise BackupError(
            f"{target} can't be written ({error.strerror}: {error.filename}); check that its disk "
            "is there, has room and may be written"
        ) from error


def _export(
    home: Path,
    state: StateStore,
    target: Path,
    start: datetime | None,
    end: datetime | None,
    on_progress: OnProgress,
) -> Exported:
    if (target / CURRENT).exists() and not (target / CURRENT).is_symlink():
        raise BackupError(f"{target / CURRENT} is not of an export: give another folder")
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    made = target / _SETS / f".{name}"
    made.mkdir(parents=True)
    try:
        for _ in range(_TRIES):
            with state.read() as tx:
                segments = manifest.between(tx, start, end)
            copied, left_out = _fill(home, target, made, segments, on_progress)
            with state.read() as tx:
                counting = manifest.paths(tx)
            if all(one.path in counting for one in segments):
                break
        else:
            raise BackupError("segments kept changing while they were exported: try again")
        exported = [one for one in segments if (made / f"{one.id}.parquet").exists()]
        _write_list(made, exported)
        _switch(target, made, name)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Exported(
        *(target / CURRENT, len(exported), sum(one.rows for one in exported)),
        *(sum(one.size_bytes for one in exported), copied, tuple(left_out)),
    )


def _fill(
    home: Path, target: Path, made: Path, segments: Sequence[Segment], on_progress: OnProgress
) -> tuple[int, list[Absent]]:
    """Exactly these segments in ``made``; bytes copied, and what could not be given."""
    wanted = {f"{one.id}.parquet" for one in segments}
    for path in made.iterdir():
        if path.name not in wanted:
            path.unlink()
    copied, left_out = 0, []
    done, total = 0, sum(one.size_bytes for one in segments)
    for one in segments:
        if not is_here(one):
            where = "is in quarantine" if is_quarantined(one) else "lies in the cold bucket"
            left_out.append(absent(one, where))
        elif not (made / f"{one.id}.parquet").exists():
            size, reason = _bring(home / "events" / one.path, target, made, one)
            copied += size
            if reason:
                left_out.append(absent(one, reason))
        done += one.size_bytes
        on_progress(done, total)
    return copied, left_out


def _bring(path: Path, target: Path, made: Path, segment: Segment) -> tuple[int, str]:
    to = made / f"{segment.id}.parquet"
    before = target / CURRENT / to.name
    for known in (path, before):
        try:
            os.link(known.resolve(), to)
        except OSError:
            continue
        return 0, ""
    reason = fault(path.parent.parent, segment)
    if reason:
        return 0, reason
    draft = made / f".{uuid.uuid4().hex}"
    shutil.copyfile(path, draft)
    if checksum(draft) != segment.checksum:
        draft.unlink()
        return 0, "is not what was written"
    draft.replace(to)
    return segment.size_bytes, ""


def _write_list(made: Path, segments: Sequence[Segment]) -> None:
    lines = [
        orjson.dumps(
            {
                "file": f"{one.id}.parquet",
                "events": one.rows,
                "size_bytes": one.size_bytes,
                "first_time": one.first_time,
                "last_time": one.last_time,
                "sources": one.sources,
                "lanes": one.lanes,
                "sha256": one.checksum,
            }
        )
        for one in sorted(segments, key=lambda one: (one.first_time, one.id))
    ]
    (made / _LIST).write_bytes(b"".join(line + b"\n" for line in lines))


def _switch(target: Path, made: Path, name: str) -> None:
    """Let ``current`` name the new set, then drop sets nobody should read any more."""
    made.replace(target / _SETS / name)
    flush_folder(target / _SETS)
    link = target / f".{name}"
    link.symlink_to(Path(_SETS) / name)
    link.replace(target / CURRENT)
    flush_folder(target)
    sets = sorted(path for path in (target / _SETS).iterdir() if not path.name.startswith("."))
    for old in sets[:-_KEPT]:
        shutil.rmtree(old)
