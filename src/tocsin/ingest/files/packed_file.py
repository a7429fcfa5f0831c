"""Files that are read as a whole once nobody writes to them: packed ones, JSON arrays, EVTX."""

import gzip
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from zstandard import ZstdError

from tocsin.ingest.cutting.cutting import ByteStream, Cut, Maker
from tocsin.ingest.cutting.files import read_file
from tocsin.ingest.cutting.recognition import Shape
from tocsin.ingest.cutting.zstd_stream import ZSTD, ZstdStream
from tocsin.ingest.files.file_finding import There
from tocsin.ingest.files.file_fingerprint import HEAD_BYTES, TAIL_BYTES, digest
from tocsin.ingest.files.file_positions import READ_ONCE, FilePosition
from tocsin.ingest.files.tail_cutter import TailCutter
from tocsin.ingest.limits import BATCH_BYTES
from tocsin.ingest.records.w3c import is_header
from tocsin.model.record import Framing, RawBatch

_HEADED = (Framing.ZEEK_TSV, Framing.W3C)
_FAULTS = (OSError, EOFError, zlib.error, ZstdError)


def unpacked(file: BinaryIO) -> ByteStream:
    """What a packed file holds, from its start."""
    file.seek(0)
    is_zstd = file.read(len(ZSTD)) == ZSTD
    file.seek(0)
    return ZstdStream(file) if is_zstd else gzip.GzipFile(fileobj=file)


@dataclass(slots=True)
class _Waiting:
    """``holder`` is the followed file whose content it was seen to be."""

    changed: tuple[int, int]
    since: float
    holder: str = ""


class PackedFiles:
    """Packed files of one source that are new, until it is known what they hold."""

    def __init__(self, settled_s: float, clock: Callable[[], float]) -> None:
        self._settled_s = settled_s
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    def look(
        self, there: There, known: Sequence[FilePosition], followed: Container[str], source: str
    ) -> FilePosition | None:
        """The one of ``known`` whose content it begins with, or a position of its own.

        None as long as it changes, or a file of ``followed`` has the same content: that is read
        there, and packing tools remove it when they are done.
        """
        waiting = self._waiting.get(there.identity)
        if waiting is None or waiting.changed != there.changed:
            self._waiting[there.identity] = _Waiting(there.changed, self._clock())
            return None
        if waiting.holder or self._clock() - waiting.since < self._settled_s:
            return None
        found = _known_content(there.path, known)
        if found is None:
            del self._waiting[there.identity]
            return FilePosition(source, there.identity, str(there.path), state=READ_ONCE)
        if found.identity in followed:
            waiting.holder = found.identity
            return None
        del self._waiting[there.identity]
        return found

    def forget_holders(self) -> None:
        """A followed file has gone or was truncated: look again."""
        for waiting in self._waiting.values():
            waiting.holder = ""

    def rest(self, there: There, at: FilePosition, cutter: TailCutter) -> Iterator[list[Cut]]:
        """Records behind ``at``, which is moved before they are given."""
        maker = Maker(at.source, str(there.path), datetime.now(UTC))
        shape = _shape_of(at.header)
        carried = b""
        for block, is_last in _rest_of(there.path, at.offset):
            carried += block
            taken = cutter.cut(carried, at, maker, shape, is_last=is_last)
            carried = carried[taken.used_bytes :]
            at.offset += taken.used_bytes
            at.lines += taken.lines
            at.inside, at.header = taken.inside, taken.header
            yield taken.cuts


def _shape_of(header: str) -> Shape:
    if not header:
        return Shape.LINES
    return Shape.ZEEK if header.startswith(("#separator", "#fields\t")) else Shape.W3C


def _known_content(path: Path, positions: Sequence[FilePosition]) -> FilePosition | None:
    """The position whose content the packed file begins with, the furthest of them; or none."""
    wanted = sorted((one for one in positions if one.offset), key=lambda one: one.offset)
    best: FilePosition | None = None
    with path.open("rb") as file:
        stream = _Followed(unpacked(file))
        head = stream.head()
        for one in wanted:
            if not one.fingerprint.fits_head(head):
                continue
            if not stream.go_to(one.offset):
                break
            if digest(stream.tail) == one.tail:
                best = one
    return best


def _rest_of(path: Path, offset: int) -> Iterator[tuple[bytes, bool]]:
    """What the packed file holds behind ``offset``, and at last that it is over."""
    with path.open("rb") as file:
        stream = _Followed(unpacked(file))
        if stream.go_to(offset):
            while block := stream.read(BATCH_BYTES):
                yield block, False
    yield b"", True


def read_on(position: FilePosition, path: Path, received_at: datetime) -> Iterator[list[Cut]]:
    """Records of a whole file behind those that were handed on; moves the position with each."""
    for cut, _ in read_file(path, position.source, received_at):
        if not isinstance(cut, RawBatch):
            if not cut.ordinal or cut.ordinal > position.lines:
                position.lines = max(position.lines, cut.ordinal)
                yield [cut]
            continue
        lines = cut.payload.split(b"\n")
        top = _header_lines(lines) if cut.framing in _HEADED else 0
        last = cut.first_ordinal + len(lines) - top - 1
        if last <= position.lines:
            continue
        known = max(0, position.lines - cut.first_ordinal + 1)
        if known:
            payload = b"\n".join(lines[:top] + lines[top + known :])
            cut = replace(cut, payload=payload, first_ordinal=cut.first_ordinal + known)
        position.lines = last
        yield [cut]


def _header_lines(lines: Sequence[bytes]) -> int:
    return next((n for n, line in enumerate(lines) if not is_header(line)), len(lines))


class _Followed:
    """A stream that is gone through once, with what was there last kept in mind."""

    def __init__(self, stream: ByteStream) -> None:
        self._read: Callable[[int], bytes] = stream.read
        self._at = 0
        self._ahead = b""
        self.tail = b""

    def head(self) -> bytes:
        """The first bytes, without going on."""
        self._ahead = self._all(HEAD_BYTES)
        return self._ahead

    def go_to(self, offset: int) -> bool:
        """Leave so much behind; false when the content ends before."""
        while self._at < offset:
            block = self.read(min(1 << 20, offset - self._at))
            if not block:
                return False
            self._at += len(block)
            self.tail = (self.tail + block)[-TAIL_BYTES:]
        return True

    def read(self, size: int) -> bytes:
        if self._ahead:
            given, self._ahead = self._ahead[:size], self._ahead[size:]
            return given
        try:
            return self._read(size)
        except _FAULTS:
            return b""

    def _all(self, size: int) -> bytes:
        pieces = b""
        while len(pieces) < size and (block := self.read(size - len(pieces))):
            pieces += block
        return pieces
