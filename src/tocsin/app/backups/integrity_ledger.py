"""Remembers in the data folder what the last check of its integrity found."""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tocsin.app.backups.integrity import Integrity

_NAME = "integrity.json"


@dataclass(frozen=True, slots=True)
class LastCheck:
    """When, how many files were damaged still, and the events missing with them."""

    checked_at: datetime
    size_bytes: int
    damaged: tuple[dict[str, Any], ...]
    events_lost: int


def last_check(home: Path) -> LastCheck | None:
    """None before the first."""
    try:
        told = json.loads((home / _NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return LastCheck(
        checked_at=datetime.fromisoformat(told["checked_at"]),
        size_bytes=told["size_bytes"],
        damaged=tuple(told["damaged"]),
        events_lost=told["events_lost"],
    )


def note_check(home: Path, found: Integrity) -> None:
    told = found.as_json()
    told["damaged"] = [one for one in told["damaged"] if not one["mended"] and not one["given_up"]]
    told["events_lost"] = found.events_lost
    draft = home / f"{_NAME}.new"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(told, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(home / _NAME)
