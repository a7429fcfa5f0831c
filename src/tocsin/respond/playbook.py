"""Loads CACAO 2.0 playbooks: whole and understood, or refused with every reason."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tocsin.respond.cacao import Document, moment
from tocsin.respond.playbook_checks import faults_of
from tocsin.respond.playbook_graph import Fault

_LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PlaybookProblem:
    """Why a playbook can't be run. ``where`` is the place inside (``workflow.action--….agent``).

    ``is_valid`` tells a playbook that breaks CACAO 2.0 (False) from one that asks for something
    the platform can't do (True).
    """

    path: str
    where: str
    reason: str
    is_valid: bool = False

    def __str__(self) -> str:
        kind = "not supported" if self.is_valid else "not valid"
        return f"{self.path}: {self.where or 'playbook'}: {self.reason} ({kind})"


@dataclass(frozen=True, slots=True)
class Playbook:
    """A playbook that can be walked. ``digest`` is the SHA-256 of ``text``, its exact bytes."""

    id: str
    name: str
    description: str
    digest: str
    document: Document
    text: str = field(repr=False)
    path: str = ""

    def not_in_force(self, now: datetime) -> str:
        """Why the playbook may not be started at ``now``, empty when it may."""
        document = self.document
        if document.valid_from is not None and now < moment(document.valid_from):
            return f"it is valid from {document.valid_from} on"
        if document.valid_until is not None and now >= moment(document.valid_until):
            return f"it was valid until {document.valid_until}"
        return ""


def load_playbook(path: Path) -> Playbook | tuple[PlaybookProblem, ...]:
    """The playbook in a file, or why it can't be used (never empty)."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            return (PlaybookProblem(str(path), "", f"is larger than {_LARGEST_BYTES} bytes"),)
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return (PlaybookProblem(str(path), "", f"can't be read: {error}"),)
    return read_playbook(text, str(path))


def read_playbook(text: str, path: str = "") -> Playbook | tuple[PlaybookProblem, ...]:
    """The playbook a text holds, or why it can't be used (never empty)."""
    try:
        content = json.loads(text, object_pairs_hook=_without_duplicates)
        document = Document.model_validate(content)
    except ValidationError as error:
        return tuple(
            PlaybookProblem(
                path,
                ".".join(str(part) for part in fault["loc"]),
                fault["msg"].removeprefix("Value error, "),
            )
            for fault in error.errors(include_url=False, include_context=False)
        )
    except (ValueError, RecursionError) as error:
        return (PlaybookProblem(path, "", f"is not a JSON object: {error}"),)
    faults = faults_of(document)
    if faults:
        return tuple(_problem(path, fault) for fault in faults)
    return Playbook(
        id=document.id,
        name=document.name,
        description=document.description,
        digest=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        document=document,
        text=text,
        path=path,
    )


def lint(paths: Iterable[Path]) -> list[PlaybookProblem]:
    """Every problem of the playbooks in files and folders, files in order of their names."""
    problems: list[PlaybookProblem] = []
    for path in _files(paths):
        loaded = load_playbook(path)
        if not isinstance(loaded, Playbook):
            problems.extend(loaded)
    return problems


def load_playbooks(paths: Iterable[Path]) -> tuple[list[Playbook], list[PlaybookProblem]]:
    """All playbooks that can be used, the newest version of each id, and all problems."""
    newest: dict[str, Playbook] = {}
    problems: list[PlaybookProblem] = []
    for path in _files(paths):
        loaded = load_playbook(path)
        if not isinstance(loaded, Playbook):
            problems.extend(loaded)
            continue
        other = newest.get(loaded.id)
        if other is None or moment(loaded.document.modified) > moment(other.document.modified):
            newest[loaded.id] = loaded
    return sorted(newest.values(), key=lambda playbook: playbook.name), problems


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        found.extend(sorted(path.rglob("*.json")) if path.is_dir() else [path])
    return found


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the property {twice!r} appears twice in one object")
    return dict(pairs)


def _problem(path: str, fault: Fault) -> PlaybookProblem:
    return PlaybookProblem(path, fault.where, fault.reason, fault.is_valid)
