"""Parts of files that can be read apart from each other, by several processes."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from tocsin.ingest.cutting.cutting import Cut, Maker
from tocsin.ingest.cutting.evtx_cutter import CHUNK_BYTES, HEADER_BYTES, cut_chunks, records_named
from tocsin.ingest.cutting.files import PACKED, UTF16, read_file, source_name
from tocsin.ingest.cutting.line_cutter import cut_lines
from tocsin.ingest.cutting.recognition import HEAD_BYTES, Shape, recognize
from tocsin.model.record import Unreadable

_BLOCK_BYTES = 1 << 16
_LARGE_SLICES = 4
"""A file of more slices is large; its smallest slice is this part of the others."""
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slice:
    """The records of a file that begin in its bytes from ``start`` up to ``end`` (None: all).

    ``received_at`` is the file's own time of change: records without a year or a time get theirs
    from it, the same in every run.
    """

    path: str
    source: str
    received_at: datetime
    size_bytes: int
    shape: Shape = Shape.LINES
    start: int = 0
    end: int | None = None


def find_files(paths: Iterable[Path]) -> tuple[list[Path], list[Unreadable]]:
    """All files below ``paths``, by name, each once; and the folders that can't be listed."""
    files: dict[Path, None] = {}
    problems: list[Unreadable] = []

    def failed(error: OSError) -> None:
        place = str(error.filename)
        reason = f"the folder can't be read: {error.strerror}"
        problems.append(Unreadable(place, place, 0, reason, b""))

    for path in paths:
        if not path.is_dir():
            files[path] = None
            continue
        walked = os.walk(path, onerror=failed)
        inside = [Path(folder) / name for folder, _, names in walked for name in names]
        files.update(dict.fromkeys(sorted(file for file in inside if file.is_file())))
    return list(files), problems


def slices_of(path: Path, slice_bytes: int, now: datetime) -> Iterator[Slice]:
    """The file in slices of about ``slice_bytes``; whole when it is small or can't be cut.

    The last ones of a large file are smaller, so that who share the work end together.
    Text of one record a line and Windows event logs can be cut; what is compressed, in UTF-16, a
    JSON array or under a header (Zeek) is read from its start. Raises OSError.
    """
    with path.open("rb") as file:
        told = os.fstat(file.fileno())
        size = told.st_size
        changed = datetime.fromtimestamp(int(told.st_mtime), UTC)
        received_at = changed if _OLDEST < changed <= now else now
        source = source_name(path)
        whole = Slice(str(path), source, received_at, size)
        if size <= slice_bytes * 3 // 2 or (step := _step(file)) is None:
            yield whole
            return
    shape, start, unit = step
    while start < size:
        end = min(start + _width(size, start, slice_bytes, unit), size)
        yield Slice(str(path), source, received_at, end - start, shape, start, end)
        start = end


def _width(size: int, start: int, slice_bytes: int, unit: int) -> int:
    """How many bytes the slice from ``start`` on has, in whole units (one at least)."""
    width = slice_bytes
    if size > _LARGE_SLICES * slice_bytes:
        width = max(min(width, (size - start) // 2), width // _LARGE_SLICES)
    return max(1, width // unit) * unit


def _step(file: BinaryIO) -> tuple[Shape, int, int] | None:
    """What the file is, where its first slice begins and the unit of slices; None: no slices."""
    head = file.read(HEAD_BYTES)
    if head.startswith((*PACKED, *UTF16)):
        return None
    shape = recognize(head.removeprefix(b"\xef\xbb\xbf"))
    if shape is Shape.EVTX:
        return shape, HEADER_BYTES, CHUNK_BYTES
    return (shape, 0, 1) if shape is Shape.LINES else None


def read_slice(part: Slice) -> Iterator[tuple[Cut, int]]:
    """Raw batches of the slice, or what is unreadable, each with the bytes read so far.

    Numbers of records count from 1 in the slice. A file that can't be read (any more) comes out
    Unreadable.
    """
    if part.end is None:
        yield from read_file(Path(part.path), part.source, part.received_at)
        return
    maker = Maker(part.source, part.path, part.received_at)
    try:
        with Path(part.path).open("rb") as file:
            if part.shape is Shape.EVTX:
                file.seek(part.start)
                chunks = _Bounded(file, part.end - part.start)
                before = (part.start - HEADER_BYTES) // CHUNK_BYTES
                for cut in cut_chunks(chunks, maker, before):
                    yield cut, file.tell() - part.start
            else:
                lines = _LineRange(file, part.start, part.end)
                for cut in cut_lines(lines, maker):
                    yield cut, min(file.tell(), part.end) - part.start
    except OSError as error:
        reason = f"the file can't be read on after its byte {part.start:,}: {error.strerror}"
        yield maker.unreadable(0, reason, b""), part.size_bytes


def lines_in(part: Slice) -> int:
    """How many lines begin in the slice of a file that is cut by lines."""
    count = 0
    with Path(part.path).open("rb") as file:
        lines = _LineRange(file, part.start, part.end or 0)
        while block := lines.read(1 << 20):
            count += block.count(b"\n")
    return count


def records_in(part: Slice) -> int:
    """How many records the chunks of a slice of a Windows event log say they hold."""
    with Path(part.path).open("rb") as file:
        count = 0
        for at in range(part.start, part.end or 0, CHUNK_BYTES):
            file.seek(at)
            count += records_named(file.read(24))
        return count


class _Bounded:
    """The next bytes of a file, so many and no more."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int) -> bytes:
        block = self._file.read(min(size, self._left))
        self._left -= len(block)
        return block


class _LineRange:
    """The lines that begin in a range of bytes; the last one whole."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self._end = end
        self._at = start
        self._ended = False
        if start:
            self._at = self._first_line_from(start - 1)
            self._ended = self._at >= end
            file.seek(self._at)

    def read(self, size: int) -> bytes:
        if self._ended:
            return b""
        if self._at < self._end:
            block = self._file.read(min(size, self._end - self._at))
            self._at += len(block)
            if not block or (self._at >= self._end and block.endswith(b"\n")):
                self._ended = True
            return block
        block = self._file.read(min(size, _BLOCK_BYTES))
        newline = block.find(b"\n")
        self._ended = not block or newline >= 0
        self._at += len(block)
        return block[: newline + 1] if newline >= 0 else block

    def _first_line_from(self, at: int) -> int:
        """Where the line after the first newline from ``at`` on begins; the end when none does."""
        self._file.seek(at)
        while at < self._end:
            block = self._file.read(min(_BLOCK_BYTES, self._end - at))
            if not block:
                break
            newline = block.find(b"\n")
            if newline >= 0:
                return at + newline + 1
            at += len(block)
        return self._end
