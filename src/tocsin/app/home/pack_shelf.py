"""The packs in a data folder: each version whole in a folder of its own, one of them current."""

import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tocsin.app.home.pack_content import PackContent, PackRefused, UnknownPack

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CURRENT = "current"
_MANIFEST = "pack.json"
_UNFINISHED = ".new-"
_MOST_EARLIER = 2


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of one version of a pack.

    ``origin`` is the path or address it came from, ``sha256`` of its archive ("" for a folder),
    ``rules`` and ``refused`` how many of its documents are loaded and can't be used.
    ``key`` is the public key its archive was signed with ("" when it was not checked),
    ``signed_by`` the key's name and ``signer_says`` what the signature says of the archive;
    ``previous`` is the digest of the version that was current before.
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
    key: str = ""
    signed_by: str = ""
    signer_says: str = ""
    previous: str = ""
    folders: tuple[str, ...] = ()
    """Those its rules were taken from when it was added; an update takes the same."""


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
        try:
            return _read_manifest(self._folder / name / _CURRENT / _MANIFEST)
        except FileNotFoundError:
            there = ", ".join(self.names()) or "none"
            raise UnknownPack(f"{name}: no such pack; installed are: {there}") from None

    def earlier(self, name: str) -> list[Manifest]:
        """Versions that are kept to go back to, latest first."""
        found: list[Manifest] = []
        seen = {(last := self.current(name)).digest}
        while len(found) < _MOST_EARLIER and last.previous and last.previous not in seen:
            seen.add(last.previous)
            try:
                last = _read_manifest(self._folder / name / last.previous / _MANIFEST)
            except (FileNotFoundError, PackRefused):
                break
            found.append(last)
        return found

    def version(self, name: str, digest: str) -> Path:
        """The folder of a version that is kept."""
        return self._folder / name / digest

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
        """Switch to a version that was placed, in one rename; of others the latest two are kept."""
        home = self._folder / manifest.name
        _write_manifest(home / manifest.digest, manifest)
        link = home / f"{_UNFINISHED}link-{uuid.uuid4().hex}"
        link.symlink_to(manifest.digest, target_is_directory=True)
        link.replace(home / _CURRENT)
        self._discard_others(manifest.name)

    def _discard_others(self, name: str) -> None:
        kept = self._kept(name)
        for one in (self._folder / name).iterdir():
            if one.name not in kept and one.is_dir() and not one.is_symlink():
                shutil.rmtree(one, ignore_errors=True)

    def _kept(self, name: str) -> set[str]:
        return {self.current(name).digest, *(one.digest for one in self.earlier(name))}

    def discard(self, name: str, digest: str) -> None:
        """Take away a version that was placed and is not to become current."""
        home = self._folder / name
        if (home / _CURRENT).is_symlink():
            if os.readlink(home / _CURRENT) == digest:
                return
            with suppress(PackRefused):
                if digest in self._kept(name):
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


def _read_manifest(path: Path) -> Manifest:
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: tuple(facts.get(name, ())) for name in ("notices", "folders")}
        return Manifest(**{**facts, **lists})
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError) as error:
        raise PackRefused(f"{path}: the manifest is damaged: {error}") from error


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
