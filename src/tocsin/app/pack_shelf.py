"""The packs in a data folder: each version whole in a folder of its own, one of them current."""

import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tocsin.app.pack_content import PackContent, PackRefused

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CURRENT = "current"
_MANIFEST = "pack.json"
_UNFINISHED = ".new-"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of one version of a pack.

    ``origin`` is the path or address it came from, ``sha256`` of its archive ("" for a folder),
    ``rules`` and ``refused`` how many of its documents are loaded and can't be used.
    """

    name: str
    digest: str
    origin: str
    sha256: str = ""
    state: str = "active"
    by: str = ""
    at: str = ""
    files: int = 0
    rules: int = 0
    refused: int = 0
    notices: tuple[str, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    pinned: bool = False


class PackShelf:
    """Packs below ``home/packs``. Whoever reads ``current`` finds a whole version at any moment."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "packs"

    def names(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(one.parent.name for one in self._folder.glob(f"*/{_CURRENT}") if one.is_dir())

    def rule_paths(self) -> list[Path]:
        """The folder of each pack's rules; it stays the same over updates."""
        return [self._folder / name / _CURRENT for name in self.names()]

    def current(self, name: str) -> Manifest:
        """Raises PackRefused when no such pack is installed or its manifest is damaged."""
        path = self._folder / name / _CURRENT / _MANIFEST
        try:
            facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return Manifest(**{**facts, "notices": tuple(facts.get("notices", ()))})
        except FileNotFoundError:
            there = ", ".join(self.names()) or "none"
            raise PackRefused(f"{name}: no such pack; installed are: {there}") from None
        except (OSError, ValueError, TypeError) as error:
            raise PackRefused(f"{path}: the manifest is damaged: {error}") from error

    def place(self, name: str, content: PackContent) -> Path:
        """Write a version beside the current one, whole and durable, not yet current."""
        check_name(name)
        home = self._folder / name
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in home.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        done = home / content.digest
        if done.is_dir():
            return done
        draft = home / f"{_UNFINISHED}{uuid.uuid4().hex}"
        try:
            for path, data in content.files.items():
                file = draft / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            _sync(draft)
            draft.rename(done)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return done

    def make_current(self, manifest: Manifest) -> None:
        """Switch to a version that was placed, in one rename; the other versions go."""
        home = self._folder / manifest.name
        _write_manifest(home / manifest.digest, manifest)
        link = home / f"{_UNFINISHED}link-{uuid.uuid4().hex}"
        link.symlink_to(manifest.digest, target_is_directory=True)
        link.replace(home / _CURRENT)
        self.discard_others(manifest.name, manifest.digest)

    def discard_others(self, name: str, digest: str) -> None:
        """Take away every version but that one."""
        for one in (self._folder / name).iterdir():
            if one.name not in (_CURRENT, digest) and one.is_dir() and not one.is_symlink():
                shutil.rmtree(one, ignore_errors=True)

    def discard(self, name: str, digest: str) -> None:
        """Take away a version that was placed and is not to become current."""
        home = self._folder / name
        if (home / _CURRENT).is_symlink() and os.readlink(home / _CURRENT) == digest:
            return
        shutil.rmtree(home / digest, ignore_errors=True)
        if not any(home.iterdir()):
            home.rmdir()

    def pin(self, name: str, pinned: bool) -> Manifest:
        """A pinned pack is not updated."""
        manifest = replace(self.current(name), pinned=pinned)
        _write_manifest(self._folder / name / manifest.digest, manifest)
        return manifest

    def remove(self, name: str) -> Manifest:
        """Take the pack away: first out of use, then from the disk."""
        manifest = self.current(name)
        (self._folder / name / _CURRENT).unlink()
        shutil.rmtree(self._folder / name)
        return manifest


def check_name(name: str) -> None:
    """Raises PackRefused for a name that can't be a folder's."""
    if not _NAME.fullmatch(name):
        raise PackRefused(
            f"{name!r} can't be a pack's name: write lower-case letters, digits, . _ and -"
        )


def name_from(origin: str) -> str:
    """A name made of the last part of a path or address: ``sigma-core`` of ``…/Sigma_Core.zip``."""
    last = origin.rstrip("/").rpartition("/")[2].partition("?")[0].lower()
    bare = re.sub(r"\.(zip|tar|tgz|tar\.\w+)$", "", last)
    return re.sub(r"[^a-z0-9.]+", "-", bare).strip("-.")[:64] or "pack"


def installed_at(now: datetime) -> str:
    return now.isoformat().replace("+00:00", "Z")


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    draft = folder / f"{_MANIFEST}.new"
    draft.write_text(json.dumps(asdict(manifest), indent=2), encoding="utf-8")
    draft.replace(folder / _MANIFEST)


def _sync(folder: Path) -> None:
    """One call for all of it: a pack is thousands of small files."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.sync()
        os.fsync(handle)
    finally:
        os.close(handle)
