"""A generation of a backup: what it holds, and the document that says so."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tocsin.app.plain import as_json
from tocsin.store.ports import StoreError
from tocsin.store.vault import Vault

FORMAT = 1
_PREFIX = "generation-"
_SUFFIX = ".json"


class BackupError(StoreError):
    """A backup can't be made, read or restored as asked."""


@dataclass(frozen=True, slots=True)
class BackedFile:
    """A file of the data folder: ``path`` in it, and the object that has its bytes.

    A symbolic link has ``link``, where it points to, and no object.
    """

    path: str
    checksum: str
    size_bytes: int
    mode: int = 0o600
    link: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """A file that counts and is not in the backup: why, and of a segment which events are in it."""

    path: str
    reason: str
    events: int = 0
    first_time: datetime | None = None
    last_time: datetime | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Generation:
    """One complete backup. ``events`` and ``segments`` are those of its state.

    ``damaged`` could not be read when it was made; ``elsewhere`` lie in the bucket of cold
    segments and stay there.
    """

    id: str
    begun_at: datetime
    finished_at: datetime
    version: str
    revision: str
    events: int
    segments: int
    files: tuple[BackedFile, ...]
    secrets: tuple[str, ...]
    damaged: tuple[Absent, ...] = ()
    elsewhere: tuple[Absent, ...] = ()
    new_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        """What it takes to restore it; generations share objects."""
        return sum({one.checksum: one.size_bytes for one in self.files}.values())

    def summary(self) -> dict[str, Any]:
        """What a list shows of it."""
        return {
            "id": self.id,
            "begun_at": self.begun_at,
            "finished_at": self.finished_at,
            "version": self.version,
            "events": self.events,
            "segments": self.segments,
            "files": len(self.files),
            "size_bytes": self.size_bytes,
            "new_bytes": self.new_bytes,
            "secrets": self.secrets,
            "damaged": self.damaged,
            "elsewhere": len(self.elsewhere),
        }


def write_generation(vault: Vault, generation: Generation) -> None:
    """From this moment on the backup counts."""
    body = as_json(asdict(generation))
    told = {"format": FORMAT, "checksum": _checksum(body), "generation": body}
    vault.write_document(f"{_PREFIX}{generation.id}{_SUFFIX}", json.dumps(told).encode())


def generation_ids(vault: Vault) -> list[str]:
    """Ids of complete backups, oldest first."""
    return [
        name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        for name in vault.documents()
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    ]


def read_generation(vault: Vault, generation_id: str) -> Generation:
    """Raises BackupError when it is not there, damaged, or of a newer Tocsin."""
    name = f"{_PREFIX}{generation_id}{_SUFFIX}"
    content = vault.read_document(name)
    if content is None:
        known = ", ".join(generation_ids(vault)[-5:]) or "none"
        raise BackupError(
            f"{vault.url} has no backup {generation_id!r}; the latest there are: {known}"
        )
    try:
        told = json.loads(content)
        written_by = int(told["format"])
        body, checksum = told["generation"], told["checksum"]
    except (ValueError, KeyError, TypeError):
        raise BackupError(_damaged(vault, name)) from None
    if written_by > FORMAT:
        raise BackupError(
            f"backup {generation_id} in {vault.url} was made by a newer Tocsin "
            f"(format {written_by}, this one knows {FORMAT}): restore it with that version"
        )
    if _checksum(body) != checksum:
        raise BackupError(_damaged(vault, name))
    return _generation(body)


def drop_generation(vault: Vault, generation_id: str) -> None:
    """Its objects stay until ``drop_unnamed``."""
    vault.drop_document(f"{_PREFIX}{generation_id}{_SUFFIX}")


def _generation(body: Mapping[str, Any]) -> Generation:
    values = dict(body)
    values["files"] = tuple(BackedFile(**one) for one in values["files"])
    values["secrets"] = tuple(values["secrets"])
    for name in ("damaged", "elsewhere"):
        values[name] = tuple(_absent(one) for one in values[name])
    for name in ("begun_at", "finished_at"):
        values[name] = datetime.fromisoformat(values[name])
    return Generation(**values)


def _absent(told: Mapping[str, Any]) -> Absent:
    times = {
        name: datetime.fromisoformat(told[name]) if told[name] else None
        for name in ("first_time", "last_time")
    }
    return Absent(**{**told, **times, "sources": tuple(told["sources"])})


def _checksum(body: object) -> str:
    plain = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _damaged(vault: Vault, name: str) -> str:
    return (
        f"{vault.url}: the document {name} is damaged, so this backup can't be told: take another "
        "generation (tocsin admin backups) and check the disk"
    )
