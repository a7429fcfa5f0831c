"""One log file that is followed: what is open of it, and where reading goes on."""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tocsin.ingest.cutting.cutting import Cut, Maker
from tocsin.ingest.cutting.recognition import HEAD_BYTES, Shape
from tocsin.ingest.files.file_finding import There, found
from tocsin.ingest.files.file_fingerprint import Fingerprint, ReadAt, fingerprint
from tocsin.ingest.files.file_positions import FilePosition
from tocsin.ingest.files.tail_cutter import TailCutter
from tocsin.ingest.limits import RECORD_BYTES

_MARKS = 16


def open_to_read(path: Path) -> int:
    """Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)


def reader_of(descriptor: int) -> ReadAt:
    return lambda size, at: os.pread(descriptor, size, at)


@dataclass(slots=True)
class FollowedFile:
    """``seen`` is how it was at the last look, ``still_since`` from when on it has been so.

    ``is_settled`` says that it was read since, and could not change without showing it.
    ``marks`` are fingerprints of where reading stood lately.
    """

    position: FilePosition
    path: Path
    descriptor: int = -1
    seen: tuple[int, int] | None = None
    still_since: float = 0.0
    is_settled: bool = False
    shape: Shape | None = None
    cutter: TailCutter | None = None
    marks: deque[Fingerprint] = field(default_factory=lambda: deque(maxlen=_MARKS))

    def open(self) -> None:
        """Raises OSError; an open file stays the same whatever becomes of its name."""
        if self.descriptor < 0:
            descriptor = open_to_read(self.path)
            if found(self.path, os.fstat(descriptor)).identity != self.position.identity:
                os.close(descriptor)
                raise FileNotFoundError(2, "another file has its name now", str(self.path))
            self.descriptor = descriptor

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def read_at(self, size: int, at: int) -> bytes:
        return os.pread(self.descriptor, size, at)

    def there(self) -> There:
        """As the open file is now."""
        return found(self.path, os.fstat(self.descriptor))

    def is_deleted(self) -> bool:
        """True when nothing but our having it open keeps its content."""
        return self.descriptor >= 0 and not self.there().links

    def is_as_read(self) -> bool:
        """False when the content before the position is not what was read (any more)."""
        return self.position.fingerprint.fits(self.read_at)

    def take(self, cutter: TailCutter, chunk_bytes: int, *, is_last: bool) -> Iterator[list[Cut]]:
        """Whole records behind the position, which is moved before they are given.

        Stops where the file ends, or was changed while it was read: then the next look tells how.
        """
        while True:
            block = self.read_at(chunk_bytes, self.position.offset)
            cuts, used = self._cut(block, cutter, is_last=is_last and len(block) < chunk_bytes)
            if not used and len(block) == chunk_bytes and chunk_bytes <= RECORD_BYTES:
                block = self.read_at(RECORD_BYTES + 1, self.position.offset)
                cuts, used = self._cut(block, cutter, is_last=False)
            if not used:
                return
            yield cuts

    def _cut(self, block: bytes, cutter: TailCutter, *, is_last: bool) -> tuple[list[Cut], int]:
        position = self.position
        if not block:
            return [], 0
        if self.shape is None:
            head = block if not self.position.offset else self.read_at(HEAD_BYTES, 0)
            self.cutter = cutter.of(head)
            self.shape = self.cutter.shape(head[:HEAD_BYTES])
        now = datetime.now(UTC)
        maker = Maker(position.source, position.path, now)
        taken = (self.cutter or cutter).cut(block, position, maker, self.shape, is_last=is_last)
        if not taken.used_bytes:
            return [], 0
        told = fingerprint(
            _laid_over(self.read_at, position.offset, block), position.offset + taken.used_bytes
        )
        if told.offset < 0 or not self.is_as_read():
            self.is_settled = False
            return [], 0
        position.stand_behind(told)
        position.lines += taken.lines
        position.inside, position.header = taken.inside, taken.header
        position.size = max(position.size, told.offset)
        position.changed_at = now
        self.marks.append(told)
        return taken.cuts, taken.used_bytes


def _laid_over(read: ReadAt, offset: int, block: bytes) -> ReadAt:
    """The file with what was read of it from ``offset`` on, whatever has become of it since."""

    def read_both(size: int, at: int) -> bytes:
        before = read(min(size, offset - at), at) if at < offset else b""
        start = max(0, at - offset)
        return before + block[start : start + size - len(before)]

    return read_both
