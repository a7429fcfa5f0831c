"""Keeps one's own mappings in force: changed files are taken up while all runs."""

import contextlib
import os
import shutil
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from tocsin.app.access.audit import AuditLog
from tocsin.app.home.own_mappings import (
    CONNECTOR_NAME,
    FOLDER,
    OwnMappings,
    own_mapping_paths,
    read_own_mapping,
    read_own_mappings,
    shipped_mappings,
    together,
)
from tocsin.app.home.shipped import cache_folder
from tocsin.normalize.enrichment import Enricher
from tocsin.normalize.errors import MappingError, MappingProblem
from tocsin.normalize.mapping import Mapping
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.ports import StateStore

_log = structlog.get_logger()
STAYS = "; the version loaded before stays in force"
LARGEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Remapped:
    """What a reload did, by connector; ``kept`` are in force as they were: their file is bad."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def is_change(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def in_words(self) -> str:
        """``added door; kept as before gate``."""
        named = {"added": self.added, "changed": self.changed, "removed": self.removed}
        parts = [f"{what} {', '.join(names)}" for what, names in named.items() if names]
        if self.kept:
            parts.append(f"kept as before {', '.join(self.kept)}")
        return "; ".join(parts) or "nothing has changed"


class MappingKeeper:
    """Holds the normalizer with all mappings; one reload at a time, whoever asks for it."""

    def __init__(
        self, home: Path, state: StateStore, audit: AuditLog, enricher: Enricher | None = None
    ) -> None:
        """Reads all mappings; one's own that can't be used are left out and told of."""
        self._home = home
        self._state = state
        self._audit = audit
        self._one = threading.Lock()
        self._shipped = shipped_mappings(cache_folder())
        self._seen = self._files()
        self._own = read_own_mappings(home)
        self._told(self._own.problems)
        self.normalizer = Normalizer(together(self._own.by_connector, self._shipped), enricher)

    @property
    def own(self) -> OwnMappings:
        """One's own mappings in force, and what can't be."""
        return self._own

    def problems(self) -> list[str]:
        """What can't be put in force, with file and line."""
        return [str(problem) for problem in self._own.problems]

    def mapping_of(self, connector: str) -> Mapping | None:
        """The mapping in force; None for a connector that has none."""
        own = self._own.by_connector.get(connector)
        return own or next((one for one in self._shipped if one.connector == connector), None)

    def text_of(self, connector: str) -> str | None:
        """The file of one's own mapping as it is now; None where there is none."""
        path = self._home / FOLDER / connector / "mapping.yml"
        if not CONNECTOR_NAME.fullmatch(connector) or not path.is_file():
            return None
        return path.read_text(encoding="utf-8", errors="replace")

    def look(self, now: datetime) -> Remapped | None:
        """Take up what has changed in the folder since the last look."""
        if self._files() == self._seen:
            return None
        with self._one:
            return self._take_up("tocsin", now)

    def put(self, connector: str, text: str, *, by: str, now: datetime) -> Remapped:
        """Check a mapping, write it to the folder and put it in force, or raise ``MappingError``.

        The one it takes the place of is kept beside it as ``mapping.yml.before``.
        """
        folder = self._home / FOLDER / connector
        path = folder / "mapping.yml"
        with self._one:
            draft = _written(path, connector, text)
            try:
                read_own_mapping(draft, connector)
            except MappingError as error:
                draft.unlink()
                raise MappingError(
                    [MappingProblem(path, one.line, one.reason) for one in error.problems]
                ) from error
            if path.is_file():
                shutil.copyfile(path, folder / "mapping.yml.before")
            draft.replace(path)
            return self._take_up(by, now)

    def _take_up(self, by: str, now: datetime) -> Remapped:
        files = self._files()
        read, before = read_own_mappings(self._home), self._own
        bad = {problem.path.parent.name for problem in read.problems}
        kept = {name: one for name, one in before.by_connector.items() if name in bad}
        own = dict(sorted({**read.by_connector, **kept}.items()))
        told = Remapped(
            added=tuple(name for name in own if name not in before.by_connector),
            changed=tuple(
                name
                for name, one in own.items()
                if name in before.by_connector and before.by_connector[name] != one
            ),
            removed=tuple(name for name in before.by_connector if name not in own),
            kept=tuple(kept),
        )
        problems = tuple(
            MappingProblem(one.path, one.line, one.reason + STAYS)
            if one.path.parent.name in kept
            else one
            for one in read.problems
        )
        if told.is_change:
            self.normalizer.replace(together(own, self._shipped))
        self._own, self._seen = OwnMappings(own, problems), files
        self._told(problems)
        if told.is_change or problems != before.problems:
            self._note(told, by, now)
        return told

    def _files(self) -> dict[Path, tuple[int, int]]:
        """Every file that may count: a mapping may include others of its folder."""
        found = {}
        for folder in {path.parent for path in own_mapping_paths(self._home)}:
            for path in folder.glob("*.yml"):
                with contextlib.suppress(OSError):  # it went away between two looks
                    facts = path.stat()
                    found[path] = (facts.st_mtime_ns, facts.st_size)
        return found

    def _told(self, problems: tuple[MappingProblem, ...]) -> None:
        for problem in problems:
            _log.warning("mapping_not_used", problem=str(problem))

    def _note(self, told: Remapped, by: str, now: datetime) -> None:
        with self._state.begin() as tx:
            self._audit.append(
                tx,
                actor=by,
                action="mappings.reload",
                subject=told.in_words(),
                detail="\n".join(self.problems()),
                now=now,
            )
        _log.info("mappings_reloaded", by=by, told=told.in_words())


def _written(path: Path, connector: str, text: str) -> Path:
    """The text on disk beside where it is to be; raises ``MappingError``."""
    draft = path.with_name("mapping.yml.new")
    if not CONNECTOR_NAME.fullmatch(connector):
        reason = f"{connector!r} can't name a connector: lower-case letters, digits, underscores"
        raise MappingError([MappingProblem(path, 0, reason)])
    if len(text.encode()) > LARGEST_BYTES:
        raise MappingError([MappingProblem(path, 0, f"is larger than {LARGEST_BYTES:,} bytes")])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise MappingError(
            [MappingProblem(path, 0, f"can't be written: {error.strerror}")]
        ) from error
    return draft
