"""Follows the log files that the settings name: reads, spools, and only then moves positions."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog

from tocsin.app.plain import as_json
from tocsin.ingest.cutting.cutting import Cut
from tocsin.ingest.files.file_positions import FilePosition, keep_positions, load_positions
from tocsin.ingest.files.file_settings import FileSettings
from tocsin.ingest.files.file_watch import FileWatch
from tocsin.ingest.limits import BATCH_BYTES
from tocsin.model.intake import Intake, IntakeState
from tocsin.model.record import RawBatch, Unreadable
from tocsin.store.ports import StateStore, StoreError

_INTERVAL_S = 0.5
_IDLE_SHARE = 20
"""Looking takes at most this part of the time, however many files there are."""
_MOST_OPEN = 512
_MOST_TOLD = 3
_FIRST_RETRY_S = 0.05
_LONGEST_RETRY_S = 2.0
_log = structlog.get_logger()


def files_json(positions: Iterable[FilePosition]) -> list[dict[str, Any]]:
    """Positions as people and programs are shown them."""
    return [
        {
            **{"source": one.source, "path": one.path, "state": one.state, "size": one.size},
            **{"offset": one.offset, "behind": one.behind, "records": one.lines},
            "last_read": as_json(one.changed_at) if one.offset else None,
            "note": one.note,
        }
        for one in positions
    ]


class _Stopped(Exception):
    """The platform ends while records wait for room; they are read again at the next start."""


class FileFollowing:
    """One thread over all files; a full spool stops reading, and nothing is lost or dropped.

    A position is kept after what lies before it was flushed to the disk: when the process is
    killed in between, what was read since then is read again.
    """

    def __init__(
        self,
        files: Sequence[FileSettings],
        state: StateStore,
        accept: Callable[[Sequence[RawBatch]], int],
        set_aside: Callable[[Sequence[Unreadable]], None],
        *,
        spool_limit_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``accept`` makes batches durable or raises StoreError; ``set_aside`` keeps the unreadable."""
        self._state = state
        self._accept = accept
        self._set_aside = set_aside
        self._full = ""
        self._portion_bytes = min(BATCH_BYTES, max(1, spool_limit_bytes // 4))
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._watches: list[FileWatch] = []
        with state.read() as tx:
            for one in files:
                kept = load_positions(tx, one.source)
                most = max(8, _MOST_OPEN // len(files))
                watch = FileWatch(
                    one, kept, chunk_bytes=self._portion_bytes, most_open=most, clock=clock
                )
                self._watches.append(watch)

    def start(self) -> None:
        if self._watches:
            self._thread = threading.Thread(target=self._run, name="files")
            self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for watch in self._watches:
            watch.close()

    def problems(self) -> dict[str, dict[str, str]]:
        """What can't be read, and why: by source, then by path."""
        told = {watch.source: dict(watch.problems) for watch in self._watches}
        return {source: problems for source, problems in told.items() if problems}

    def intakes(self) -> list[Intake]:
        """How it is going with the files of each source."""
        with self._state.read() as tx:
            return [
                self._intake(watch, load_positions(tx, watch.source)) for watch in self._watches
            ]

    def _intake(self, watch: FileWatch, positions: Sequence[FilePosition]) -> Intake:
        there = [one for one in positions if one.is_there]
        problems = [f"{path} {reason}" for path, reason in sorted(watch.problems.items())]
        state = IntakeState.CONNECTED if there else IntakeState.CONNECTING
        if problems or self._full:
            state = IntakeState.FAILING if problems else IntakeState.FULL
        elif not there:
            problems = [f"nothing to read at {', '.join(watch.paths)}"]
        files = "1 file" if len(there) == 1 else f"{len(there):,} files"
        return Intake(
            f"files/{watch.source}",
            "files",
            watch.source,
            state,
            error="; ".join(problems[:_MOST_TOLD]) or self._full,
            position=f"{sum(one.offset for one in there):,} bytes of {files}",
            lag=sum(one.behind for one in there),
            unit="bytes",
            last_at=max((one.changed_at for one in there if one.offset), default=None),
        )

    def look(self) -> int:
        """One round over all files; how many batches it brought."""
        return sum(self._look_at(watch) for watch in self._watches)

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            came = 0
            try:
                came = self.look()
            except _Stopped:
                return
            except Exception:
                _log.exception("files_not_read", retry_s=_LONGEST_RETRY_S)
                self._stop.wait(_LONGEST_RETRY_S)
            spent_s = time.monotonic() - began
            self._stop.wait(0.0 if came else max(_INTERVAL_S, spent_s * _IDLE_SHARE))

    def _look_at(self, watch: FileWatch) -> int:
        count, size, portion = 0, 0, list[Cut]()
        for cuts in watch.look():
            portion += cuts
            count += len(cuts)
            size += sum(len(cut.payload) for cut in cuts)
            if size >= self._portion_bytes:
                self._take_in(watch, portion)
                size, portion = 0, []
                if self._stop.is_set():
                    return count
        self._take_in(watch, portion)
        return count

    def _take_in(self, watch: FileWatch, cuts: Sequence[Cut]) -> None:
        batches = [cut for cut in cuts if isinstance(cut, RawBatch)]
        if batches:
            self._append(batches)
        unreadable = [cut for cut in cuts if isinstance(cut, Unreadable)]
        if unreadable:
            self._set_aside(unreadable)
        kept, dropped = watch.take_changes()
        if kept or dropped:
            with self._state.begin() as tx:
                keep_positions(tx, watch.source, kept, dropped)

    def _append(self, batches: Sequence[RawBatch]) -> None:
        pause_s = _FIRST_RETRY_S
        while True:
            try:
                self._accept(batches)
            except StoreError as error:  # SpoolFull, or a disk that may come back
                self._full = str(error)
                _log.warning("files_wait", reason=str(error), retry_s=pause_s)
                if self._stop.wait(pause_s):
                    raise _Stopped from error
                pause_s = min(pause_s * 2, _LONGEST_RETRY_S)
            else:
                self._full = ""
                return
