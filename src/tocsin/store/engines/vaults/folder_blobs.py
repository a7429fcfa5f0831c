"""The blob store as a folder: each content in a file named by its SHA-256."""

import hashlib
import os
import re
import uuid
from pathlib import Path

from tocsin.store.ports import StoreError

_DIGEST = re.compile(r"[0-9a-f]{64}")


class FolderBlobs:
    """``BlobStore`` in ``folder/ab/abcdef…``; a blob is whole or absent, also after a crash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, content: bytes) -> str:
        """Keep ``content`` durably; the same content is kept once."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        if path.is_file() and path.stat().st_size == len(content):
            return digest
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_name(f".{digest}.{uuid.uuid4().hex}")
        try:
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)
        _flush_folder(self._folder)
        return digest

    def get(self, digest: str) -> bytes | None:
        """The content, None when it was never put; StoreError when the disk has changed it."""
        if not _DIGEST.fullmatch(digest):
            return None
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content).hexdigest() != digest:
            raise StoreError(f"blob {path} is damaged: restore it from a backup and check the disk")
        return content

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
