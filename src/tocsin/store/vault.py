"""A place outside of the data folder that keeps files by their SHA-256, and documents by name."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from tocsin.store.errors import StoreError

OnBytes = Callable[[int], None]
"""Told of bytes as they go by; it may raise to stop the work."""


class VaultError(StoreError):
    """The place can't be reached, read or written; says where and what to do."""


class WrongContent(StoreError):
    """A file's bytes are not those its checksum was made of; ``checksum`` is what they make."""

    def __init__(self, what: str, checksum: str) -> None:
        super().__init__(f"{what} is not what was written (its SHA-256 is now {checksum})")
        self.checksum = checksum


class Unreadable(StoreError):
    """A file that is to be kept can't be read; says which and why."""


class MissingObject(StoreError):
    """The place does not hold what is asked for."""


class Vault(Protocol):
    """Objects are whole or absent whatever stops the writer; a second one of the same bytes is none.

    Checksums are lower-case hexadecimal SHA-256. Every call may raise ``VaultError``.
    """

    @property
    def url(self) -> str:
        """Where it is, as people give it."""
        ...

    def held(self) -> dict[str, int]:
        """Every object: checksum and size in bytes."""
        ...

    def keep(self, file: Path, length: int, expected: str | None, on_bytes: OnBytes) -> str:
        """Keep the first ``length`` bytes of ``file``; their checksum.

        Raises, and keeps nothing: ``WrongContent`` when that is not ``expected``,
        ``Unreadable``, and ``FileNotFoundError`` when there is no such file.
        """
        ...

    def fetch(self, checksum: str, to: Path, on_bytes: OnBytes) -> None:
        """Write the object to ``to``, durably; the file appears there only when it is whole.

        Raises ``MissingObject``, or ``WrongContent`` when it is not what was kept.
        """
        ...

    def read(self, checksum: str) -> Iterator[bytes]:
        """The object's bytes in pieces, as they are; raises ``MissingObject``."""
        ...

    def drop(self, checksum: str) -> None: ...

    def documents(self) -> list[str]:
        """The names of all documents, sorted."""
        ...

    def write_document(self, name: str, content: bytes) -> None:
        """Keep a document under its name; it replaces one of that name in one go."""
        ...

    def read_document(self, name: str) -> bytes | None: ...

    def drop_document(self, name: str) -> None: ...

    def close(self) -> None: ...
