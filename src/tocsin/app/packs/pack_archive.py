"""Reads rule packs from archives nobody vouches for: no member leaves the pack or fills the disk."""

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from tocsin.app.home.pack_content import (
    LARGEST_FILE_BYTES,
    MOST_MEMBERS,
    PackRefused,
    is_wanted,
    safe_path,
    within_bounds,
)

MOST_UNPACKED_BYTES = 1024**3
_OPENERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"BZh": bz2.open,
}
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
)


def read_archive(path: Path) -> dict[str, bytes]:
    """Wanted files of a .zip, .tar, .tar.gz, .tar.xz or .tar.bz2 by path, told by its content.

    Raises PackRefused for links and devices, names that lead out, too many or too large members,
    more unpacked bytes than any pack has, and damage.
    """
    with path.open("rb") as file:
        start = file.read(512)
    try:
        if start.startswith(b"PK"):
            return _read_zip(path)
        opener = next((one for magic, one in _OPENERS.items() if start.startswith(magic)), None)
        if opener is None and start[257:262] != b"ustar":
            hint = "; it is a web page" if b"<html" in start.lower() else ""
            raise PackRefused(f"{path.name}: neither .zip nor .tar, .tar.gz, .tar.xz{hint}")
        with path.open("rb") if opener is None else opener(path, "rb") as stream:
            return _read_tar(cast("IO[bytes]", _Bounded(stream)))
    except PackRefused:
        raise
    except _BROKEN as error:
        raise PackRefused(f"{path.name}: the archive is damaged: {error}") from error


class _Bounded:
    """Reads a stream and stops what unpacks to more than any pack has."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MOST_UNPACKED_BYTES

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self._left -= len(found)
        if self._left < 0:
            raise PackRefused(f"the archive unpacks to more than {MOST_UNPACKED_BYTES >> 30} GiB")
        return found


def _read_tar(stream: IO[bytes]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as archive:
        for number, member in enumerate(archive, 1):
            _counted(number)
            name = safe_path(member.name)
            if not (member.isfile() or member.isdir()):
                kind = "a link" if member.issym() or member.islnk() else "no file"
                raise PackRefused(f"member {member.name!r} is {kind}; a pack holds files only")
            if not member.isfile() or not is_wanted(name):
                continue
            _small(member.name, member.size)
            extracted = archive.extractfile(member)
            content = extracted.read() if extracted is not None else b""
            _add(files, name, content, total)
            total += len(content)
    return files


def _read_zip(path: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    with zipfile.ZipFile(path) as archive:
        for number, member in enumerate(archive.infolist(), 1):
            _counted(number)
            name = safe_path(member.filename)
            mode = member.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = "a link" if stat.S_ISLNK(mode) else "no file"
                raise PackRefused(f"member {member.filename!r} is {kind}; a pack holds files only")
            if member.is_dir() or not name or not is_wanted(name):
                continue
            if member.flag_bits & 1:
                raise PackRefused(f"member {member.filename!r} is encrypted")
            _small(member.filename, member.file_size)
            with archive.open(member) as stream:
                content = stream.read(LARGEST_FILE_BYTES + 1)
            _small(member.filename, len(content))
            _add(files, name, content, total)
            total += len(content)
    return files


def _counted(number: int) -> None:
    if number > MOST_MEMBERS:
        raise PackRefused(f"the archive has more than {MOST_MEMBERS:,} members")


def _small(name: str, size_bytes: int) -> None:
    if size_bytes > LARGEST_FILE_BYTES:
        raise PackRefused(
            f"member {name!r} unpacks to {size_bytes:,} bytes; no rule file is larger than "
            f"{LARGEST_FILE_BYTES:,}"
        )


def _add(files: dict[str, bytes], name: str, content: bytes, total_bytes: int) -> None:
    if name in files:
        raise PackRefused(f"member {name!r} is there twice")
    within_bounds(content, total_bytes)
    files[name] = content
