"""Remembers in the data folder how its backups went: when the last good one was, what failed."""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from tocsin.app.plain import as_json

_NAME = "backups.json"


@dataclass(frozen=True, slots=True)
class BackupRecord:
    """How it went with one target. ``failed_at`` and ``error`` are None and "" once one is good."""

    target: str
    good_at: datetime | None = None
    generation: str = ""
    events: int = 0
    size_bytes: int = 0
    damaged: int = 0
    failed_at: datetime | None = None
    error: str = ""


def backup_records(home: Path) -> dict[str, BackupRecord]:
    """By target; empty when none was ever made."""
    try:
        told = json.loads((home / _NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {one["target"]: _record(one) for one in told}


def note_good(
    home: Path,
    target: str,
    *,
    at: datetime,
    generation: str,
    events: int,
    size_bytes: int,
    damaged: int,
) -> None:
    _keep(home, BackupRecord(target, at, generation, events, size_bytes, damaged))


def note_failed(home: Path, target: str, *, at: datetime, error: str) -> None:
    known = backup_records(home).get(target, BackupRecord(target))
    _keep(home, replace(known, failed_at=at, error=error))


def _keep(home: Path, record: BackupRecord) -> None:
    records = {**backup_records(home), record.target: record}
    draft = home / f"{_NAME}.new"
    told = [as_json(asdict(one)) for one in records.values()]
    with draft.open("w", encoding="utf-8") as file:
        json.dump(told, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(home / _NAME)


def _record(told: dict[str, object]) -> BackupRecord:
    values = dict(told)
    for name in ("good_at", "failed_at"):
        moment = values[name]
        values[name] = datetime.fromisoformat(moment) if isinstance(moment, str) else None
    return BackupRecord(**values)  # type: ignore[arg-type]
