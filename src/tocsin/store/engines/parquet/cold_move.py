"""Moves old segments to a bucket: sent, read back, named in the manifest, then deleted here."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from tocsin.store.engines.parquet.cold_shelf import forgotten
from tocsin.store.engines.parquet.segment_check import renamed
from tocsin.store.engines.parquet.segment_places import COLD, is_cold, is_here, moved_to
from tocsin.store.engines.state import manifest
from tocsin.store.ports import Segment, StateStore
from tocsin.store.vault import OnBytes, Unreadable, Vault, WrongContent

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Moved:
    """How many segments and bytes went to the bucket."""

    segments: int
    size_bytes: int


def move_cold(
    folder: Path, state: StateStore, vault: Vault, before: datetime, on_bytes: OnBytes
) -> Moved:
    """Move segments whose newest event is older than ``before``, the oldest first.

    A stop at any time leaves each segment here or there, whole: the manifest names the bucket only
    after what it holds was read back. Damaged segments stay. Raises VaultError.
    """
    with state.read() as tx:
        known = [one for one in manifest.between(tx, None, before) if one.last_time < before]
    held = vault.held()
    count = size = 0
    for segment in sorted(filter(is_here, known), key=lambda one: (one.last_time, one.id)):
        if _move(folder, state, vault, segment, held, on_bytes):
            count, size = count + 1, size + segment.size_bytes
    return Moved(count, size)


def drop_forgotten(folder: Path, state: StateStore, vault: Vault) -> int:
    """Drop objects of cold segments that were deleted here; how many.

    Only those: what else the bucket holds may be of the folder this one was restored from.
    """
    with forgotten(folder) as waiting:
        with state.read() as tx:
            named = {one.checksum for one in manifest.between(tx, None, None)}
        for checksum in waiting:
            if checksum not in named:
                vault.drop(checksum)
    return len(waiting)


def _move(
    folder: Path,
    state: StateStore,
    vault: Vault,
    segment: Segment,
    held: dict[str, int],
    on_bytes: OnBytes,
) -> bool:
    path = folder / segment.path
    try:
        if held.get(segment.checksum) != segment.size_bytes:
            vault.keep(path, path.stat().st_size, segment.checksum, on_bytes)
        _read_back(vault, segment, on_bytes)
    except FileNotFoundError:
        return False  # merged or deleted meanwhile, or lost: the check tells
    except (WrongContent, Unreadable) as error:
        _log.error("segment_not_moved", segment=segment.path, why=str(error))
        return False
    return renamed(folder, state, segment, replace(segment, path=moved_to(COLD, segment.path)))


def _read_back(vault: Vault, segment: Segment, on_bytes: OnBytes) -> None:
    running = hashlib.sha256()
    for piece in vault.read(segment.checksum):
        running.update(piece)
        on_bytes(len(piece))
    if running.hexdigest() != segment.checksum:
        vault.drop(segment.checksum)
        raise WrongContent(f"{vault.url}: segment {segment.path}", running.hexdigest())


def missing_there(vault: Vault, segments: Sequence[Segment]) -> list[Segment]:
    """Cold segments the bucket does not hold, or not in their size."""
    held = vault.held()
    return [one for one in segments if is_cold(one) and held.get(one.checksum) != one.size_bytes]
