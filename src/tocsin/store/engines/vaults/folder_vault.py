"""A vault as a folder, on another disk if it is to be of use: ``objects/ab/abcdef…`` and documents."""

import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tocsin.store.engines.parquet.segment_file import flush_folder
from tocsin.store.vault import MissingObject, OnBytes, Unreadable, VaultError, WrongContent

PIECE_BYTES = 1 << 20
_DRAFTS = ".unfinished"


class FolderVault:
    """``Vault`` in one folder; one process writes at a time, until ``close``."""

    def __init__(self, folder: Path, *, writing: bool = False) -> None:
        """``writing`` takes the folder for this process and clears what a killed one left.

        Raises VaultError when that can't be done or another process writes there.
        """
        self._folder = folder
        self._lock: int | None = None
        try:
            if writing:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                for part in (_DRAFTS, "objects", "documents"):
                    (folder / part).mkdir(exist_ok=True, mode=0o700)
                self._lock = self._hold()
                for draft in (folder / _DRAFTS).iterdir():
                    draft.unlink()
        except OSError as error:
            raise self._trouble(error) from error

    @property
    def url(self) -> str:
        return str(self._folder)

    def held(self) -> dict[str, int]:
        try:
            return {
                entry.name: entry.stat().st_size
                for shelf in self._entries(self._folder / "objects")
                for entry in self._entries(shelf)
            }
        except OSError as error:
            raise self._trouble(error) from error

    def keep(self, file: Path, length: int, expected: str | None, on_bytes: OnBytes) -> str:
        draft = self._draft()
        with opened(file) as source:
            try:
                checksum = _copy(pieces_of(source, length, file), draft, on_bytes)
                if expected is not None and checksum != expected:
                    raise WrongContent(str(file), checksum)
                self._place(draft, self._object(checksum))
            except OSError as error:
                raise self._trouble(error) from error
            finally:
                draft.unlink(missing_ok=True)
        return checksum

    def fetch(self, checksum: str, to: Path, on_bytes: OnBytes) -> None:
        write_whole(self.read(checksum), to, checksum, str(self._object(checksum)), on_bytes)

    def read(self, checksum: str) -> Iterator[bytes]:
        path = self._object(checksum)
        try:
            with path.open("rb") as source:
                while piece := source.read(PIECE_BYTES):
                    yield piece
        except FileNotFoundError:
            raise MissingObject(f"{path} is not there") from None
        except OSError as error:
            raise self._trouble(error) from error

    def drop(self, checksum: str) -> None:
        self._object(checksum).unlink(missing_ok=True)

    def documents(self) -> list[str]:
        folder = self._folder / "documents"
        return sorted(entry.name for entry in self._entries(folder))

    def write_document(self, name: str, content: bytes) -> None:
        draft = self._draft()
        try:
            draft.write_bytes(content)
            _flush_file(draft)
            self._place(draft, self._folder / "documents" / name)
        except OSError as error:
            raise self._trouble(error) from error

    def read_document(self, name: str) -> bytes | None:
        try:
            return (self._folder / "documents" / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._trouble(error) from error

    def drop_document(self, name: str) -> None:
        (self._folder / "documents" / name).unlink(missing_ok=True)

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _hold(self) -> int:
        handle = os.open(
            self._folder / "writing.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise VaultError(
                f"another process is writing to {self._folder}: wait until it is done"
            ) from None
        return handle

    def _object(self, checksum: str) -> Path:
        return self._folder / "objects" / checksum[:2] / checksum

    def _draft(self) -> Path:
        return self._folder / _DRAFTS / uuid.uuid4().hex

    def _place(self, draft: Path, path: Path) -> None:
        path.parent.mkdir(exist_ok=True, mode=0o700)
        draft.chmod(0o600)
        draft.replace(path)
        flush_folder(path.parent)
        flush_folder(path.parent.parent)

    @staticmethod
    def _entries(folder: Path) -> list[Path]:
        try:
            return list(folder.iterdir())
        except FileNotFoundError:
            return []

    def _trouble(self, error: OSError) -> VaultError:
        return VaultError(
            f"{self._folder} can't be used ({error.strerror}: {error.filename or self._folder}); "
            "check that its disk is there, has room and may be written"
        )


def write_whole(
    pieces: Iterator[bytes], to: Path, checksum: str, named: str, on_bytes: OnBytes
) -> None:
    """Write ``pieces`` to ``to`` when they make ``checksum``; else nothing, and WrongContent."""
    to.parent.mkdir(parents=True, exist_ok=True)
    draft = to.with_name(f".{uuid.uuid4().hex}.unfinished")
    try:
        found = _copy(pieces, draft, on_bytes)
        if found != checksum:
            raise WrongContent(named, found)
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)
    flush_folder(to.parent)


def _copy(pieces: Iterator[bytes], to: Path, on_bytes: OnBytes) -> str:
    running = hashlib.sha256()
    with to.open("wb") as file:
        for piece in pieces:
            running.update(piece)
            file.write(piece)
            on_bytes(len(piece))
        file.flush()
        os.fsync(file.fileno())
    return running.hexdigest()


def opened(file: Path) -> BinaryIO:
    """The file to be read; raises FileNotFoundError, else Unreadable."""
    try:
        return file.open("rb")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(f"{file} can't be read ({error.strerror})") from error


def pieces_of(source: BinaryIO, length: int, file: Path) -> Iterator[bytes]:
    """The first ``length`` bytes of ``source``, or fewer when there are no more."""
    left = length
    while left:
        try:
            piece = source.read(min(left, PIECE_BYTES))
        except OSError as error:
            raise Unreadable(f"{file} can't be read ({error.strerror})") from error
        if not piece:
            return
        left -= len(piece)
        yield piece


def _flush_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
