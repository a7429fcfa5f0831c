"""Compiled rules kept on disk, so that a start needs no parsing: JSON of our own form."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import structlog

from tocsin.detect.reading.pipeline_files import PipelineFile
from tocsin.detect.rules.rule_draft import Read
from tocsin.detect.rules.rule_form import read_back, written

_FORM = 4
"""Raise this whenever what a rule compiles to changes; older caches are then read no more."""

_log = structlog.get_logger()

Entries = Mapping[str, Sequence[Read]]


def digest_of(content: bytes) -> str:
    """What a rule file's compiled form is kept under."""
    return blake2b(content, digest_size=16).hexdigest()


def cache_file(folder: Path, roots: Sequence[Path], pipelines: Sequence[PipelineFile] = ()) -> Path:
    """The one file that keeps the rules of these folders and files, as these pipelines make them."""
    parts = [str(root.resolve()) for root in roots]
    parts += [part for one in pipelines for part in ("pipeline", one.path, one.text)]
    name = digest_of("\0".join(parts).encode())
    return folder / f"rules-{_FORM}-{name}.json"


class RuleCache:
    """Entries of an earlier load, decoded one by one when a file still has their digest."""

    def __init__(self, entries: dict[str, Any]) -> None:
        self._entries = entries

    @classmethod
    def read(cls, path: Path) -> "RuleCache":
        """The cache at ``path``; an absent or unreadable one is empty."""
        try:
            stored = orjson.loads(path.read_bytes())
            return cls(stored["entries"] if stored["form"] == _FORM else {})
        except FileNotFoundError:
            return cls({})
        except (OSError, ValueError, TypeError, KeyError) as error:
            _log.warning("rule cache ignored", path=str(path), reason=str(error))
            return cls({})

    def get(self, digest: str, path: str, text: str) -> list[Read] | None:
        """What the file ``path`` with that content compiled to, or None when not kept."""
        stored = self._entries.get(digest)
        if stored is None:
            return None
        try:
            return [read_back(one, path, text) for one in stored]
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None  # damaged: compile the file again

    def __len__(self) -> int:
        return len(self._entries)


def write_cache(path: Path, entries: Entries, texts: Mapping[str, str]) -> None:
    """Replace the cache at ``path``; a full or read-only disk costs only the next start's time."""
    stored = {
        "form": _FORM,
        "entries": {
            digest: [written(one, texts[digest]) for one in found]
            for digest, found in entries.items()
        },
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps(stored))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        _log.warning("rule cache not written", path=str(path), reason=str(error))
