"""The spool as files: appended to, flushed to the disk for many writers at once, read in order."""

import errno
import itertools
import os
import threading
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog
from sqlalchemy import Connection, select, update

from tocsin.model.record import RawBatch
from tocsin.store.engines.spool import spool_segment as segment_file
from tocsin.store.engines.spool.spool_recent import RECENT_BYTES, RecentEntries
from tocsin.store.engines.spool.spool_tables import spool_offsets
from tocsin.store.ports import Note, SpoolEntry, SpoolFull, StateStore, StoreError

SEGMENT_BYTES = 64 << 20
_NOTED_AFTER_S = 600.0
"""So long after a file was written the keys in it are on the disk elsewhere, whatever happened."""
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_log = structlog.get_logger()


class FileSpool:
    """``WorkQueue`` in a folder; safe to share between threads, used by one process at a time.

    A position is the number of the byte behind an entry, counted from the spool's first byte
    ever, so reading on is a seek and the backlog a subtraction. An entry counts when it has been
    flushed; what a crash tore off behind that is cut away at the next start.
    """

    def __init__(
        self,
        folder: Path,
        state: StateStore,
        limit_bytes: int,
        *,
        recent_bytes: int = RECENT_BYTES,
    ) -> None:
        """``limit_bytes`` bounds what may wait, ``recent_bytes`` what of it is kept in memory.

        Raises StoreError when the folder can't be used.
        """
        self._folder = folder
        self._state = state
        self._limit_bytes = limit_bytes
        self._writing = threading.Lock()  # the tail of the file; held for the write alone
        self._flushing = threading.Lock()  # one fsync at a time; never taken while writing
        self._generation = 0
        self._tail, self._tail_start = -1, 0
        self._written = self._durable = 0
        self._recent = RecentEntries(recent_bytes)
        self._unnoted: list[int] = []
        """Where what is under keys begins, until the keys are noted; those files are not trimmed."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._id = _read_or_make_id(folder)
            self._known_committed = self.committed()
            self._open_tail()
        except OSError as error:
            raise StoreError(
                f"the spool in {folder} can't be opened ({error.strerror}); check the disk and "
                "the folder's rights"
            ) from error

    @property
    def id(self) -> str:
        return self._id

    def append(self, batches: Sequence[RawBatch], note: Note | None = None) -> int:
        with self._writing:
            start = self._written
            self._write(batches, note.fresh if note is not None else ())
            end, generation = self._written, self._generation
            if note is not None:
                self._unnoted.append(start)
        try:
            self._flush(end, generation)
            if note is not None:
                note.keep()
        finally:
            if note is not None:
                self._unnoted.remove(start)
        return end

    def kept_keys(self) -> Iterator[tuple[str, list[bytes]]]:
        paths = segment_file.segments(self._folder)
        written_at = [path.stat().st_mtime for path in paths]
        for path, at in zip(paths, written_at, strict=True):
            if at >= max(written_at) - _NOTED_AFTER_S:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    yield from segment_file.keys_in(descriptor, segment_file.segment_start(path))
                finally:
                    os.close(descriptor)

    def read(self, after: int, limit_bytes: int) -> Iterator[SpoolEntry]:
        durable = self._durable
        given, at = 0, after
        for number, path in enumerate(self._segments_from(after)):
            start = segment_file.segment_start(path)
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if number and start != at:
                    raise StoreError(_damaged(path, at - start))
                at = max(at, start)
                while at < durable and at - start < os.fstat(descriptor).st_size:
                    recent = self._recent.get(at)
                    if recent is not None:
                        given += len(recent.batch.payload)
                        if given > limit_bytes and at > after:
                            return
                        yield recent
                        at = recent.position
                        continue
                    frame = segment_file.read_frame(descriptor, start, at)
                    if frame is not None and frame.is_keys:
                        at = frame.end
                        continue
                    if given and (frame is None or given + frame.payload_bytes > limit_bytes):
                        return
                    if frame is None:
                        raise StoreError(_damaged(path, at - start))
                    batch = segment_file.read_batch(descriptor, start, frame)
                    if batch is None:
                        raise StoreError(_damaged(path, at - start))
                    given += len(batch.payload)
                    yield SpoolEntry(frame.end, batch)
                    at = frame.end
            finally:
                os.close(descriptor)

    def committed(self) -> int:
        with self._state.read() as connection:
            found = connection.execute(
                select(spool_offsets.c.position).where(spool_offsets.c.spool == self._id)
            ).scalar()
        return int(found or 0)

    def commit(self, transaction: Connection, position: int) -> None:
        moved = transaction.execute(
            update(spool_offsets).where(spool_offsets.c.spool == self._id).values(position=position)
        )
        if moved.rowcount == 0:
            transaction.execute(spool_offsets.insert().values(spool=self._id, position=position))
        self._recent.forget_before(position)

    def trim(self) -> int:
        behind = self.committed()
        behind = min([behind, *self._unnoted])  # in this order: what is committed may be unnoted
        paths = segment_file.segments(self._folder)
        freed = 0
        for path, following in itertools.pairwise(paths):
            if segment_file.segment_start(following) > behind:
                break
            freed += path.stat().st_size
            path.unlink()
        if freed:
            _sync_folder(self._folder)
        return freed

    def backlog_bytes(self) -> int:
        return max(0, self._durable - self.committed())

    def close(self) -> None:
        with self._flushing, self._writing:
            if self._tail >= 0:
                os.close(self._tail)
            self._tail = -1

    def _open_tail(self) -> None:
        """Open the last segment for appending, cutting off what a crash left half written."""
        paths = segment_file.segments(self._folder)
        start = segment_file.segment_start(paths[-1]) if paths else self._known_committed
        path = self._folder / segment_file.segment_name(start)
        self._tail = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = segment_file.whole_end(self._tail, start)
        torn = os.fstat(self._tail).st_size - (end - start)
        if torn:
            _log.warning("spool_tail_cut", file=str(path), at_byte=end - start, bytes=torn)
            os.ftruncate(self._tail, end - start)
        os.fsync(self._tail)
        _sync_folder(self._folder)
        self._tail_start, self._written, self._durable = start, end, end
        if (
            end < self._known_committed
        ):  # the files were lost or emptied: never give a position twice
            self._roll(self._known_committed)
            self._written = self._durable = self._known_committed

    def _write(self, batches: Sequence[RawBatch], keys: Sequence[bytes]) -> None:
        """Put all entries behind the others or leave the file as it was; ``_writing`` is held."""
        pieces: list[bytes] = []
        ends = [self._written]
        if keys and batches:
            ends[0] += segment_file.keys_frame_bytes(batches[0].source, keys)
        for batch in batches:
            entry = segment_file.frame(batch, ends[-1])
            ends.append(ends[-1] + sum(map(len, entry)))
            pieces += entry
        end = ends[-1]
        if keys and batches:
            about = (batches[0].source, keys, self._written, end - ends[0])
            pieces[:0] = segment_file.keys_frame(*about)
        self._check_room(end - self._written)
        at = self._written - self._tail_start
        try:
            _write_all(self._tail, pieces, at)
        except OSError as error:
            os.ftruncate(self._tail, at)
            raise self._refusal(error) from error
        self._written = end
        for batch, start, behind in zip(batches, ends, ends[1:], strict=False):
            self._recent.add(start, behind, batch)

    @property
    def _segment_bytes(self) -> int:
        return min(SEGMENT_BYTES, max(self._limit_bytes // 4, 1 << 16))

    def _check_room(self, size: int) -> None:
        if self._written + size - self._known_committed <= self._limit_bytes:
            return
        self._known_committed = self.committed()
        backlog = self._written - self._known_committed
        if backlog + size > self._limit_bytes:
            raise SpoolFull(
                f"the spool in {self._folder} holds {backlog:,} bytes that wait to be stored; "
                f"{size:,} more would pass its limit of {self._limit_bytes:,}. Send again later, "
                "or raise spool.limit_bytes"
            )

    def _flush(self, end: int, generation: int) -> None:
        """Return when everything up to ``end`` is on the disk; one caller flushes for all."""
        with self._flushing:
            if generation != self._generation:
                raise StoreError(
                    f"the spool in {self._folder} could not be flushed; nothing was taken in. "
                    "Check the disk, then send again"
                )
            if self._durable >= end:
                return
            try:
                if self._written - self._tail_start < self._segment_bytes:
                    self._sync()
                else:
                    with self._writing:  # nobody writes while the file changes
                        self._sync()
                        self._roll(self._written)
            except OSError as error:
                self._forget_unflushed()
                raise self._refusal(error) from error

    def _sync(self) -> None:
        target = self._written
        os.fdatasync(self._tail)
        self._durable = target

    def _roll(self, start: int) -> None:
        """Begin a new segment; the old one is flushed, so only the last can ever be torn."""
        path = self._folder / segment_file.segment_name(start)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _sync_folder(self._folder)
        except OSError as error:
            _log.warning("spool_segment_not_changed", file=str(path), reason=error.strerror)
            return
        os.close(self._tail)
        self._tail, self._tail_start = descriptor, start

    def _forget_unflushed(self) -> None:
        """After a failed flush nobody knows what was kept: cut back to what was acknowledged."""
        with self._writing:
            self._generation += 1
            self._recent.forget_behind(self._durable)
            os.ftruncate(self._tail, self._durable - self._tail_start)
            self._written = self._durable

    def _segments_from(self, after: int) -> list[Path]:
        paths = segment_file.segments(self._folder)
        starts = [segment_file.segment_start(path) for path in paths]
        first = max((n for n, start in enumerate(starts) if start <= after), default=0)
        return paths[first:]

    def _refusal(self, error: OSError) -> StoreError:
        if error.errno in _NO_SPACE:
            return SpoolFull(
                f"the disk under the spool {self._folder} is full ({error.strerror}); nothing was "
                "taken in. Free space or move the data folder, then send again"
            )
        return StoreError(
            f"the spool in {self._folder} can't be written ({error.strerror}); nothing was taken "
            "in. Check the disk, then send again"
        )


def _write_all(descriptor: int, pieces: list[bytes], at: int) -> None:
    for piece in pieces:
        left = memoryview(piece)
        while left:
            done = os.pwrite(descriptor, left, at)
            at, left = at + done, left[done:]


def _read_or_make_id(folder: Path) -> str:
    path = folder / "id"
    try:
        found = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        found = ""
    if not found:
        found = uuid.uuid4().hex
        draft = folder / "id.new"
        with draft.open("w", encoding="ascii") as file:
            file.write(found)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(folder)
    return found


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(path: Path, at_byte: int) -> str:
    return (
        f"spool file {path} is damaged at byte {at_byte}: its content is not what was written. "
        "Check the disk; move the file away to go on without it (its records are then lost)"
    )
