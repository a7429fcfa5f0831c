"""Reads files and folders of logs, whatever their format, as raw batches."""

import codecs
import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from zstandard import ZstdError

from tocsin.ingest.cutting.cutting import ByteStream, Cut, Maker
from tocsin.ingest.cutting.lines import cut_stream
from tocsin.ingest.cutting.recognition import HEAD_BYTES, Shape, recognize
from tocsin.ingest.cutting.zstd_stream import ZSTD, ZstdStream
from tocsin.ingest.errors import IngestError

Progress = Callable[[int, int], None]
GZIP = b"\x1f\x8b"
PACKED = (GZIP, ZSTD)
_BOM = b"\xef\xbb\xbf"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_paths(
    paths: Sequence[Path | str],
    source: str | None,
    received_at: datetime,
    on_progress: Progress | None = None,
) -> Iterator[Cut]:
    """Raw batches of all files in ``paths`` (folders with all that is below them, by name).

    What can't be cut into records comes as Unreadable, with the file as its place. ``source``
    None names each file's source after the file. ``on_progress`` gets the bytes read and the
    bytes in all, as they lie on the disk. Raises IngestError before anything is read when a path
    is missing or can't be opened.
    """
    files = [file for path in paths for file in files_below(Path(path))]
    total = sum(_size(file) for file in files)
    done = 0
    for file in files:
        size = _size(file)
        for cut, at in read_file(file, source or source_name(file), received_at):
            yield cut
            if on_progress is not None:
                on_progress(done + min(at, size), total)
        done += size
        if on_progress is not None:
            on_progress(done, total)


def source_name(path: Path) -> str:
    """The source a file is taken for when nobody says: its name up to the first dot."""
    stem = path.name.lstrip(".").partition(".")[0]
    return stem or path.name


def files_below(path: Path) -> list[Path]:
    """The file itself, or all files of the folder by name; raises IngestError."""
    try:
        if path.is_dir():
            walked = os.walk(path, onerror=_raise)
            found = [Path(folder) / name for folder, _, names in walked for name in names]
            return sorted(file for file in found if file.is_file())
        with path.open("rb"):
            return [path]
    except OSError as error:
        raise IngestError(
            f"{path} can't be read ({error.strerror}); give a file or folder that exists and that "
            "this user may read"
        ) from error


def _raise(error: OSError) -> None:
    raise error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def read_file(path: Path, source: str, received_at: datetime) -> Iterator[tuple[Cut, int]]:
    """Raw batches of one file, or what is unreadable of it, each with the bytes read so far."""
    maker = Maker(source, str(path), received_at)
    try:
        file = path.open("rb")
    except OSError as error:
        yield maker.unreadable(0, f"the file can't be opened: {error.strerror}", b""), 0
        return
    with file:
        for cut in read_opened(file, maker):
            yield cut, file.tell()


def read_opened(
    file: BinaryIO, maker: Maker, unpacked_limit_bytes: int | None = None
) -> Iterator[Cut]:
    """Raw batches of what ``file`` holds from its start, and what is unreadable of it.

    Content is read up to ``unpacked_limit_bytes``; that there was more comes out Unreadable.
    """
    opened = _Opened(file, unpacked_limit_bytes)
    shape = recognize(opened.head)
    if shape is Shape.BINARY:
        reason = f"binary of no known format; the first {len(opened.head):,} bytes are kept"
        file.seek(0, os.SEEK_END)
        yield maker.unreadable(1, reason, opened.head)
        return
    yield from cut_stream(opened, shape, maker)
    if opened.fault:
        yield maker.unreadable(0, opened.fault, b"")


class _Opened:
    """A file's content: out of gzip or zstd, UTF-16 as UTF-8, without a byte order mark.

    A fault on the way (a gzip file cut off, say) ends the content and is told in ``fault``.
    """

    def __init__(self, file: BinaryIO, limit_bytes: int | None = None) -> None:
        self._stream = _unpacked(file)
        self._limit_bytes = limit_bytes
        self._decoder: codecs.IncrementalDecoder | None = None
        self._given = 0
        self.fault = ""
        head = self._raw(HEAD_BYTES)
        while len(head) < HEAD_BYTES and (more := self._raw(HEAD_BYTES - len(head))):
            head += more
        if head.startswith(UTF16):
            self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
            head = self._utf8(head)
        self.head = head.removeprefix(_BOM)
        self._pending = self.head

    def read(self, size: int) -> bytes:
        if self._pending:
            given, self._pending = self._pending[:size], self._pending[size:]
            return given
        block = self._raw(size)
        if self._decoder is None:
            return block
        while block and not (text := self._utf8(block)):
            block = self._raw(size)
        return text if block else self._utf8(b"", final=True)

    def _raw(self, size: int) -> bytes:
        if self.fault:
            return b""
        try:
            block = self._stream.read(size)
        except (OSError, EOFError, zlib.error, ZstdError) as error:
            self.fault = (
                f"the file can't be read on after {self._given:,} bytes of content: {error}"
            )
            return b""
        self._given += len(block)
        if self._limit_bytes is not None and self._given > self._limit_bytes:
            self.fault = f"its content goes on after the limit of {self._limit_bytes:,} bytes"
            return b""
        return block

    def _utf8(self, block: bytes, *, final: bool = False) -> bytes:
        if self._decoder is None:
            return block
        return self._decoder.decode(block, final).encode("utf-8", "replace")


def _unpacked(file: BinaryIO) -> ByteStream:
    magic = file.read(len(ZSTD))
    file.seek(0)
    if magic == ZSTD:
        return ZstdStream(file)
    return _Unzipped(file) if magic.startswith(GZIP) else file


class _Unzipped:
    """Gzip content, read in small steps, so that a fault costs nothing that came before it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=file)
        self._fault: Exception | None = None

    def read(self, size: int) -> bytes:
        pieces: list[bytes] = []
        while size and self._fault is None:
            try:
                piece = self._file.read1(size)
            except (OSError, EOFError, zlib.error) as error:
                self._fault = error
                break
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
        if self._fault is not None and not pieces:
            raise self._fault
        return b"".join(pieces)
