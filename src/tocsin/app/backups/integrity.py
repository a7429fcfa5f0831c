"""Reads everything kept in a data folder to its end, and says what of it is damaged."""

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tocsin.app.access.audit import AuditLog
from tocsin.app.backups.backup_content import blobs
from tocsin.app.backups.giving_up import GivingUp, give_up
from tocsin.app.home.stores import rows_missing, stores_of
from tocsin.app.plain import as_json
from tocsin.store.engines.parquet.cold_move import missing_there
from tocsin.store.engines.parquet.segment_check import (
    SET_ASIDE,
    DamagedSegment,
    damaged_segments,
    mend,
    set_aside,
)
from tocsin.store.engines.parquet.segment_file import UNFINISHED
from tocsin.store.engines.parquet.segment_places import QUARANTINE, is_quarantined, moved_to
from tocsin.store.engines.spool import spool_segment as spool_file
from tocsin.store.engines.state import manifest
from tocsin.store.engines.state.sqlite_snapshot import faults
from tocsin.store.ports import Segment, StateStore
from tocsin.store.vault import MissingObject, OnBytes, Vault, VaultError, WrongContent

OnProgress = Callable[[str, int, int], None]
"""What is being read, bytes done, bytes in all; it may raise to stop."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file that can't be given back. Of a segment: the events lost with it, and of when and whom.

    ``mended`` says that a backup had it, ``quarantined`` that queries leave it out unread,
    ``given_up`` that nobody misses it any more.
    """

    kind: str
    path: str
    reason: str
    events: int = 0
    first_time: datetime | None = None
    last_time: datetime | None = None
    sources: tuple[str, ...] = ()
    mended: bool = False
    quarantined: bool = False
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Integrity:
    """What a check has found. ``strays`` are files no segment row names: the next start removes them."""

    checked_at: datetime
    segments: int
    events: int
    blobs: int
    size_bytes: int
    damaged: tuple[Damaged, ...]
    strays: int = 0

    @property
    def left(self) -> tuple[Damaged, ...]:
        """What is damaged still."""
        return tuple(one for one in self.damaged if not one.mended and not one.given_up)

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = as_json(self)
        return told

    @property
    def events_lost(self) -> int:
        return sum(one.events for one in self.left)


def check_integrity(
    home: Path,
    state: StateStore,
    *,
    quarantine: bool = False,
    backup: Vault | None = None,
    cold: Vault | None = None,
    giving_up: GivingUp | None = None,
    by: str = "cli",
    on_progress: OnProgress = lambda *_: None,
    on_read: OnBytes = lambda _: None,
) -> Integrity:
    """Check segments, blobs, spool and databases of a data folder, which may be in use.

    What is damaged is put back from ``backup`` when that has it; else, with ``quarantine``, a
    segment's file is set aside, and those of ``giving_up`` count no longer. All is noted in the
    audit chain. ``cold`` is the bucket of cold segments: it is asked what it holds, and nothing is
    read from it. Events that are not kept in the folder are counted where they are. ``on_read``
    hears of bytes, and may wait.
    """
    with state.read() as tx:
        counting = sorted(manifest.between(tx, None, None), key=lambda one: one.first_time)
    is_elsewhere = bool(stores_of(home).events)
    segments = [] if is_elsewhere else counting
    kept = list(blobs(home))
    total = sum(one.size_bytes for one in segments) + sum(size for _, size in kept)
    done = 0

    def count(what: str, size: int) -> None:
        nonlocal done
        done += size
        on_progress(what, done, total)
        on_read(size)

    found = list(
        damaged_segments(
            home / "events", state, segments, lambda one: count("segments", one.size_bytes)
        )
    )
    damaged = [_lacking(*one) for one in rows_missing(home, state)]
    for one in found:
        told = _treated(home, state, one, quarantine, backup)
        if giving_up is not None and giving_up.names(one.segment):
            told = _given_up(state, told, giving_up, by)
        damaged.append(told)
    damaged += _blobs(home, kept, backup, partial(count, "blobs"))
    damaged += [*_missing_in(cold, segments), *_databases(home), *_spool(home)]
    result = Integrity(
        checked_at=datetime.now(UTC),
        segments=len(counting),
        events=sum(one.rows for one in counting),
        blobs=len(kept),
        size_bytes=total,
        damaged=tuple(damaged),
        strays=0 if is_elsewhere else _strays(home, state),
    )
    _note(state, result, by)
    return result


def _of(segment: Segment, reason: str) -> Damaged:
    return Damaged(
        *("segment", f"events/{segment.path}", reason, segment.rows),
        *(segment.first_time, segment.last_time, segment.sources),
        quarantined=is_quarantined(segment),
    )


def _lacking(segment: Segment, missing: int) -> Damaged:
    reason = f"lacks {missing:,} of {segment.rows:,} events"
    return replace(_of(segment, reason), path=f"writes {segment.path}", events=missing)


def _given_up(state: StateStore, told: Damaged, giving_up: GivingUp, by: str) -> Damaged:
    """The segment is as the manifest names it by now: it may just have been set aside."""
    if told.mended:
        return told
    with state.read() as tx:
        known = {f"events/{one.path}": one for one in manifest.between(tx, None, None)}
    aside = f"events/{moved_to(QUARANTINE, told.path.removeprefix('events/'))}"
    segment = known.get(told.path) or known.get(aside)
    if segment is None:
        return told
    done = give_up(*(state, segment, told.reason, giving_up.because), by=by, now=datetime.now(UTC))
    return replace(told, given_up=done)


def _treated(
    home: Path, state: StateStore, found: DamagedSegment, quarantine: bool, backup: Vault | None
) -> Damaged:
    segment, one = found.segment, _of(found.segment, found.reason)
    if backup is not None and mend(home / "events", state, segment, backup):
        return replace(one, mended=True, quarantined=False)
    if quarantine and not one.quarantined:
        moved = set_aside(home / "events", state, segment)
        if moved is not None:
            return replace(one, quarantined=True)
    return one


def _blobs(
    home: Path, kept: Iterable[tuple[Path, int]], backup: Vault | None, on_read: OnBytes
) -> Iterator[Damaged]:
    for path, size in kept:
        reason = _blob_fault(path)
        if reason:
            yield _mended_blob(home, path, reason, backup)
        on_read(size)


def _blob_fault(path: Path) -> str:
    try:
        with path.open("rb") as file:
            is_whole = hashlib.file_digest(file, "sha256").hexdigest() == path.name
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"can't be read ({error.strerror})"
    return "" if is_whole else "is not what was written"


def _mended_blob(home: Path, path: Path, reason: str, backup: Vault | None) -> Damaged:
    one = Damaged("blob", path.relative_to(home).as_posix(), reason)
    if backup is not None:
        try:
            backup.fetch(path.name, path, lambda _: None)
        except (MissingObject, WrongContent):
            return one
        return replace(one, mended=True)
    return one


def _missing_in(cold: Vault | None, segments: list[Segment]) -> list[Damaged]:
    if cold is None:
        return []
    try:
        missing = missing_there(cold, segments)
    except VaultError as error:
        return [Damaged("bucket", cold.url, str(error))]
    return [_of(one, f"is not in {cold.url} as it was sent") for one in missing]


def _databases(home: Path) -> list[Damaged]:
    return [
        Damaged("database", name, wrong)
        for name in ("state.sqlite", "runs/runs.sqlite")
        if (home / name).is_file()
        for wrong in faults(home / name)[:5]
    ]


def _spool(home: Path) -> list[Damaged]:
    """Files of the spool that end before their end; the last one may, as it is being written."""
    found = []
    for path, following in itertools.pairwise(spool_file.segments(home / "spool")):
        start = end = spool_file.segment_start(path)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # stored and trimmed meanwhile
        try:
            for frame in spool_file.whole_frames(descriptor, start):
                end = frame.end
        finally:
            os.close(descriptor)
        if end < spool_file.segment_start(following):
            reason = f"is damaged at byte {end - start}: records that wait there can't be stored"
            found.append(Damaged("spool", path.relative_to(home).as_posix(), reason))
    return found


def _strays(home: Path, state: StateStore) -> int:
    """Files left by a crash. What is about to count is among them for a moment, so only counted."""
    folder = home / "events"
    there = [*folder.glob("*/*.parquet"), *folder.glob(f"*/*{UNFINISHED}")]
    with state.read() as tx:
        counting = manifest.paths(tx)
    return sum(path.relative_to(folder).as_posix() not in counting for path in there)


def _note(state: StateStore, result: Integrity, by: str) -> None:
    changed = [
        one for one in result.damaged if one.mended or (one.quarantined and one.reason != SET_ASIDE)
    ]
    if not changed:
        return
    told = "; ".join(f"{one.path} {'mended' if one.mended else 'quarantined'}" for one in changed)
    with state.begin() as tx:
        AuditLog().append(
            tx,
            actor=by,
            action="store.checked",
            subject="events",
            detail=f"{len(result.damaged)} damaged, {result.events_lost} events lost: {told}",
            now=result.checked_at,
        )
