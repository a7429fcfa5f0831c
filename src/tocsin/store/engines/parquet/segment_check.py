"""Reads segments to their end and says which are not what was written; mends or sets them aside."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from sqlalchemy import update

from tocsin.store.engines.parquet.segment_file import checksum, flush_folder
from tocsin.store.engines.parquet.segment_places import (
    QUARANTINE,
    is_cold,
    is_here,
    is_quarantined,
    moved_back,
    moved_to,
)
from tocsin.store.engines.state import manifest
from tocsin.store.ports import Segment, StateStore
from tocsin.store.tables import segments as segments_table
from tocsin.store.vault import MissingObject, Vault, WrongContent

_log = structlog.get_logger()
GONE = "is gone"
CHANGED = "is not what was written"
SET_ASIDE = "is in quarantine"


@dataclass(frozen=True, slots=True)
class DamagedSegment:
    """A segment whose events are missing from every answer, and why."""

    segment: Segment
    reason: str


def damaged_segments(
    folder: Path,
    state: StateStore,
    segments: Iterable[Segment],
    on_segment: Callable[[Segment], None] = lambda _: None,
) -> Iterator[DamagedSegment]:
    """Those of ``segments`` that count and can't be given back; each file is read to its end.

    ``on_segment`` is told of each that was looked at; it may wait, or raise to stop.
    """
    for segment in segments:
        reason = fault(folder, segment)
        if reason and _counts(state, segment):
            yield DamagedSegment(segment, reason)
        on_segment(segment)


def fault(folder: Path, segment: Segment) -> str:
    """What is wrong with the file of a segment; "" when nothing is, or it lies in the bucket."""
    path = folder / segment.path
    if is_quarantined(segment):
        return SET_ASIDE
    try:
        if checksum(path) != segment.checksum:
            return CHANGED
        rows = pq.read_metadata(path).num_rows
    except FileNotFoundError:
        return "" if is_cold(segment) else GONE
    except (OSError, pa.ArrowException) as error:
        return f"can't be read ({str(error).partition(chr(10))[0]})"
    return "" if rows == segment.rows else f"has {rows:,} events where {segment.rows:,} count"


def set_aside(folder: Path, state: StateStore, segment: Segment) -> Segment | None:
    """Move the file to quarantine: queries say what is missing without trying it each time.

    The segment goes on counting, so that nobody takes less for all. None when it has changed
    meanwhile. At a stop in between the file has two names, and the next sweep removes one.
    """
    moved = replace(segment, path=moved_to(QUARANTINE, segment.path))
    (folder / moved.path).parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError, FileExistsError):  # it is gone; it was linked before a stop
        os.link(folder / segment.path, folder / moved.path)
    return moved if renamed(folder, state, segment, moved) else None


def mend(folder: Path, state: StateStore, segment: Segment, vault: Vault) -> bool:
    """Put the file back as it was written, from a backup; False when the backup has it not."""
    where = moved_back(segment.path)
    mended = replace(segment, path=where)
    try:
        vault.fetch(segment.checksum, folder / where, lambda _: None)
    except (MissingObject, WrongContent):
        return False
    return where == segment.path or renamed(folder, state, segment, mended)


def renamed(folder: Path, state: StateStore, old: Segment, new: Segment) -> bool:
    """Let the manifest name the new path, then remove what is under the other one."""
    (folder / new.path).parent.mkdir(parents=True, exist_ok=True)
    flush_folder((folder / new.path).parent)
    here = segments_table.c
    with state.begin() as tx:
        moved = tx.execute(
            update(segments_table)
            .where(here.id == old.id, here.path == old.path)
            .values(path=new.path)
        )
        is_named = moved.rowcount == 1
    (folder / (old.path if is_named else new.path)).unlink(missing_ok=True)
    return is_named


def _counts(state: StateStore, segment: Segment) -> bool:
    with state.read() as tx:
        return segment.path in manifest.paths(tx)


class KnownDamage:
    """Keeps damaged segments out of merges: they would stop the others, or be hidden by them."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def may_merge(self, segment: Segment) -> bool:
        return is_here(segment) and segment.id not in self._ids

    def is_whole(self, folder: Path, group: Sequence[Segment]) -> bool:
        """Reads each file; False when one is not what was written, which is then left out."""
        for segment in group:
            reason = fault(folder, segment)
            if reason:
                self._ids.add(segment.id)
                advice = "mend it from a backup: tocsin admin check --mend-from BACKUP"
                _log.error("segment_not_merged", segment=segment.path, why=reason, advice=advice)
        return all(self.may_merge(segment) for segment in group)
