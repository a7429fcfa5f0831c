"""Looks after the files of one source: what has grown, was renamed, copied, emptied or is new."""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from tocsin.ingest.cutting.cutting import Cut
from tocsin.ingest.cutting.files import PACKED
from tocsin.ingest.cutting.recognition import HEAD_BYTES as SHOWN_BYTES
from tocsin.ingest.cutting.recognition import Shape
from tocsin.ingest.files.ended_content import EndedContent
from tocsin.ingest.files.file_finding import (
    There,
    are_siblings,
    beside,
    find_followed,
    found,
    shared_beginning,
)
from tocsin.ingest.files.file_fingerprint import HEAD_BYTES, ReadAt, begins_alike, fingerprint
from tocsin.ingest.files.file_positions import CUT, FOLLOWED, GONE, READ_ONCE, FilePosition
from tocsin.ingest.files.file_settings import FileSettings, compiled_start
from tocsin.ingest.files.followed_file import FollowedFile, open_to_read, reader_of
from tocsin.ingest.files.packed_file import PackedFiles, read_on
from tocsin.ingest.files.tail_cutter import TailCutter
from tocsin.ingest.limits import BATCH_BYTES

SETTLED_S = 2.0
"""What is read as a whole must have been left alone for so long."""
_LEFT_S = 30.0
"""So long a file that has lost its name is kept open after it last grew."""
_PATIENCE_S = 10.0
_RECENT_NS = 50_000_000
"""A file may change twice within a tick of the clock; what is so fresh is looked at again."""
_AT_ONCE = (Shape.JSON, Shape.EVTX, Shape.BINARY)
_MOST_COMPARED = 32
_log = structlog.get_logger()


class FileWatch:
    """Follows files by device, inode and content; a name says only where to look.

    ``look`` is one round over all of them; ``changes`` are the positions it moved. Nothing is
    read twice, whatever rotation does: renames keep the inode, copies and packed siblings are
    known by what they begin with. ``problems`` are paths that can't be read, with the reason.
    """

    def __init__(
        self,
        wanted: FileSettings,
        positions: Sequence[FilePosition],
        *,
        chunk_bytes: int = BATCH_BYTES,
        most_open: int = 256,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``positions`` are those that were kept for the source."""
        self._wanted = wanted
        self._chunk_bytes = chunk_bytes
        self._most_open = most_open
        self._clock = clock
        self._cutter = TailCutter(wanted.encoding, compiled_start(wanted.multiline_start))
        self._is_first = not positions
        followed = [one for one in positions if one.state in (FOLLOWED, READ_ONCE) and one.offset]
        self._files = {one.identity: FollowedFile(one, Path(one.path)) for one in followed}
        self._ended = EndedContent([one for one in positions if one.state in (CUT, GONE)])
        self._opened: dict[str, FollowedFile] = {}
        self._held: dict[str, tuple[str, float]] = {}
        self._packed = PackedFiles(SETTLED_S, clock)
        self._moved: dict[str, FilePosition] = {}
        self._dropped: set[str] = set()
        self._notes: dict[str, str] = {}
        self.source = wanted.source
        self.paths = wanted.paths
        self.problems: dict[str, str] = {}
        self.truncations = 0

    def look(self) -> Iterator[list[Cut]]:
        """What has come since the last look, each list behind a position that was moved for it."""
        self.problems = {}
        there = find_followed(self._wanted.paths, self._wanted.exclude)
        named = frozenset(there)
        for file in list(self._files.values()):
            one = there.pop(file.position.identity, None)
            yield from self._guarded(file.path, self._follow(file, one))
        for one in there.values():
            yield from self._guarded(one.path, self._begin(one))
        for position in list(self._ended.looked_for(self._clock())):
            yield from self._look_beside(position, named)
        self._is_first = False

    def take_changes(self) -> tuple[list[FilePosition], set[str]]:
        """Positions that moved since the last call, and identities that are no more."""
        kept = [*self._moved.values(), *self._ended.added.values()]
        dropped = self._dropped | self._ended.dropped
        self._moved, self._dropped = {}, set()
        self._ended.added, self._ended.dropped = {}, set()
        return kept, dropped

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _guarded(self, path: Path, steps: Iterator[list[Cut]]) -> Iterator[list[Cut]]:
        try:
            yield from steps
        except FileNotFoundError:
            return  # the next look tells where it went
        except OSError as error:
            self.problems[str(path)] = f"can't be read: {error.strerror}"

    def _follow(self, file: FollowedFile, one: There | None) -> Iterator[list[Cut]]:
        now, position = self._clock(), file.position
        there = one or _elsewhere(file)
        if there is None:
            self._end(file)
            return
        if there.path != file.path:
            file.path, position.path = there.path, str(there.path)
            self._move(position)
        if position.state == READ_ONCE:
            yield from self._read_once(file, there)
            return
        if there.changed != file.seen:
            file.seen, file.still_since, file.is_settled = there.changed, now, False
        left_s = now - file.still_since
        patience_s = min(self._wanted.partial_s, _PATIENCE_S if not there.links else math.inf)
        is_aged = left_s >= patience_s
        if file.is_settled and not (position.behind and is_aged):
            if one is None and left_s > _LEFT_S:
                self._end(file)
            return
        file.is_settled = time.time_ns() - there.mtime_ns >= _RECENT_NS
        yield from self._read(file, there, is_last=is_aged)

    def _read(self, file: FollowedFile, there: There, *, is_last: bool) -> Iterator[list[Cut]]:
        position = file.position
        self._open(file)
        if there.size < position.offset or not file.is_as_read():
            self._cut_short(file)
            yield from self._begin(there)
            return
        if position.size != there.size:
            position.size = there.size
            self._move(position)
        for cuts in file.take(self._cutter, self._chunk_bytes, is_last=is_last):
            self._move(position)
            yield cuts

    def _read_once(self, file: FollowedFile, there: There) -> Iterator[list[Cut]]:
        position = file.position
        if there.changed != file.seen:
            file.seen, file.still_since = there.changed, self._clock()
            if position.offset and not self._holds(there, position):
                self._forget(file)
                yield from self._begin(there)
        elif position.offset < there.size and self._clock() - file.still_since >= SETTLED_S:
            if not position.offset:
                self._stand_behind(position, there, min(HEAD_BYTES, there.size - 1))
            for cuts in read_on(position, there.path, datetime.now(UTC)):
                self._move(position)
                yield cuts
            self._stand_behind(position, there, there.size)

    def _holds(self, there: There, position: FilePosition) -> bool:
        """True when the file still begins with what was read of it as a whole."""
        descriptor = open_to_read(there.path)
        try:
            return position.fingerprint.fits(reader_of(descriptor))
        finally:
            os.close(descriptor)

    def _stand_behind(self, position: FilePosition, there: There, offset: int) -> None:
        """Know by its content a file that is read as a whole; all is read at the end of it."""
        descriptor = open_to_read(there.path)
        try:
            position.stand_behind(fingerprint(reader_of(descriptor), offset))
        finally:
            os.close(descriptor)
        position.size = there.size
        self._move(position)

    def _begin(self, there: There) -> Iterator[list[Cut]]:
        """A file that is not known; one without content tells nothing of itself yet."""
        if not there.size:
            return
        descriptor = open_to_read(there.path)
        try:
            if found(there.path, os.fstat(descriptor)).identity != there.identity:
                return
            read = reader_of(descriptor)
            head = read(SHOWN_BYTES, 0)
            if head.startswith(PACKED):
                yield from self._begin_packed(there)
                return
            position = self._position_in(there, read)
            if position is None:
                return
            if not position.offset and self._cutter.of(head).shape(head) in _AT_ONCE:
                position.state = READ_ONCE
            if self._is_first and self._wanted.start == "end":
                self._go_to_end(position, there, read)
        finally:
            os.close(descriptor)
        yield from self._follow(self._add(position), there)

    def _begin_packed(self, there: There) -> Iterator[list[Cut]]:
        alike = self._files_like(there.path)
        if any(file.is_deleted() and file.position.behind for file in alike):
            return  # it is read to its end first
        live = [file.position for file in alike]
        known = [*live, *self._ended.beside(there.path)]
        position = self._packed.look(there, known, {one.identity for one in live}, self.source)
        if position is None:
            return
        is_new = not position.offset
        if is_new and self._is_first and self._wanted.start == "end":
            self._go_to_end(position, there, lambda size, at: b"")
        if is_new or position.state == READ_ONCE:
            yield from self._follow(self._add(position), there)
            return
        yield from self._read_rest(there, position)

    def _read_rest(self, there: There, known: FilePosition) -> Iterator[list[Cut]]:
        """What a packed file holds behind content that was read before it was packed."""
        done = replace(known, identity=there.identity, path=str(there.path))
        yield from self._packed.rest(there, done, self._cutter)
        done.state = READ_ONCE
        self._ended.drop(known)
        self._add(done)
        self._stand_behind(done, there, there.size)

    def _position_in(self, there: There, read: ReadAt) -> FilePosition | None:
        """Where to begin; None: it is a copy of a file that is still followed, or may become one."""
        fresh = FilePosition(self.source, there.identity, str(there.path))
        if self._is_first:
            return fresh
        if self._is_copy(there, read):
            return None
        held_of, _ = self._held.pop(there.identity, ("", 0.0))
        known = self._ended.continued_in(there, read, held_of)
        if known is None:
            return fresh
        at = fingerprint(read, known.offset)
        told = replace(known, identity=there.identity, path=fresh.path, state=FOLLOWED, note="")
        told.stand_behind(at)
        return told

    def _is_copy(self, there: There, read: ReadAt) -> bool:
        """True while a followed file begins with the same content: that is read there.

        So is a copy that is being made, until the file is truncated or has gone; then the copy
        goes on where reading stood. What is too short to tell is taken for a file of its own
        after a while.
        """
        for file in self._files_like(there.path):
            position = file.position
            if not position.offset:
                continue
            if there.size < position.offset:
                self._open(file)
                is_alike = begins_alike(read, file.read_at, there.size)
                if not is_alike and file.is_as_read():
                    continue
            elif not position.fingerprint.fits(read):
                continue
            self._open(file)
            now_there = file.there()
            if now_there.links == 0:
                self._end(file)
                self._held.setdefault(there.identity, (position.identity, self._clock()))
                continue
            if not file.is_as_read():
                return True
            if there.size > now_there.size:
                continue
            _, since = self._held.setdefault(there.identity, (position.identity, self._clock()))
            if there.size >= HEAD_BYTES or self._clock() - since < _PATIENCE_S:
                return True
            del self._held[there.identity]
        return False

    def _look_beside(self, position: FilePosition, named: Iterable[str]) -> Iterator[list[Cut]]:
        """Copies under names nobody asked for may hold what came before a file was truncated."""
        for there in beside(Path(position.path)):
            if there.identity in named or there.identity in self._files or not there.size:
                continue
            yield from self._guarded(there.path, self._continue_in(there, position))

    def _continue_in(self, there: There, position: FilePosition) -> Iterator[list[Cut]]:
        descriptor = open_to_read(there.path)
        try:
            read = reader_of(descriptor)
            is_packed = read(SHOWN_BYTES, 0).startswith(PACKED)
            if not is_packed and not position.fingerprint.fits(read):
                return
        finally:
            os.close(descriptor)
        if not is_packed:
            self._ended.drop(position)
            told = replace(
                position, identity=there.identity, path=str(there.path), state=FOLLOWED, note=""
            )
            yield from self._follow(self._add(told), there)
        elif self._packed.look(there, [position], set(), self.source) is position:
            yield from self._read_rest(there, position)

    def _go_to_end(self, position: FilePosition, there: There, read: ReadAt) -> None:
        """Behind the last whole line, or behind all records of what is read as a whole."""
        if position.state == READ_ONCE:
            for _ in read_on(position, there.path, datetime.now(UTC)):
                pass
            self._stand_behind(position, there, there.size)
        else:
            start = max(0, there.size - SHOWN_BYTES) // 4 * 4
            end = start + self._cutter.of(read(2, 0)).last_newline(read(SHOWN_BYTES, start))
            position.stand_behind(fingerprint(read, end))

    def _cut_short(self, file: FollowedFile) -> None:
        position, now = file.position, datetime.now(UTC)
        self._ended.add(position, CUT, file.marks, self._clock())
        self._packed.forget_holders()
        self.truncations += 1
        note = (
            f"was truncated before {now:%Y-%m-%d %H:%M:%S} UTC, read up to byte {position.offset:,}"
        )
        _log.warning("file_truncated", source=self.source, file=position.path, note=note)
        self._notes[position.identity] = note
        self._forget(file)

    def _add(self, position: FilePosition) -> FollowedFile:
        position.note = self._notes.pop(position.identity, "")
        file = FollowedFile(position, Path(position.path))
        self._files[position.identity] = file
        self._move(position)
        return file

    def _end(self, file: FollowedFile) -> None:
        position = file.position
        self._forget(file)
        if position.state == FOLLOWED and position.offset:
            if position.behind:
                _log.warning("file_gone_unread", file=position.path, bytes=position.behind)
            self._ended.add(position, GONE, file.marks, self._clock())
        self._packed.forget_holders()

    def _forget(self, file: FollowedFile) -> None:
        file.close()
        identity = file.position.identity
        self._files.pop(identity, None)
        self._opened.pop(identity, None)
        self._moved.pop(identity, None)
        self._dropped.add(identity)

    def _move(self, position: FilePosition) -> None:
        self._moved[position.identity] = position
        self._dropped.discard(position.identity)

    def _files_like(self, path: Path) -> list[FollowedFile]:
        """Followed files of its folder, those named most like it first, then the latest."""
        alike = [
            file
            for file in self._files.values()
            if file.position.state == FOLLOWED
            and file.path.parent == path.parent
            and are_siblings(file.path.name, path.name)
        ]
        alike.sort(key=lambda file: file.position.changed_at, reverse=True)
        alike.sort(key=lambda file: shared_beginning(file.path.name, path.name), reverse=True)
        return alike[:_MOST_COMPARED]

    def _open(self, file: FollowedFile) -> None:
        """Files that were read last stay open, so that they are read to their end once deleted."""
        file.open()
        identity = file.position.identity
        self._opened.pop(identity, None)
        self._opened[identity] = file
        while len(self._opened) > self._most_open:
            self._opened.pop(next(iter(self._opened))).close()


def _elsewhere(file: FollowedFile) -> There | None:
    """A file that no pattern names any more: renamed, or deleted while it is still open."""
    opened = file.there() if file.descriptor >= 0 else None
    if opened is not None and not opened.links:
        return opened
    same = (one for one in beside(file.path) if one.identity == file.position.identity)
    return next(same, opened)
