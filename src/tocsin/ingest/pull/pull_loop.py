"""The one loop that every pull runs under: takes, waits for the disk, confirms, tries again."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from tocsin.ingest.cutting.cutting import Cut
from tocsin.ingest.limits import BATCH_BYTES
from tocsin.ingest.pull.pull import Portion, Pulled, PullError
from tocsin.model.intake import Intake, IntakeState
from tocsin.model.record import RawBatch, Unreadable
from tocsin.store.ports import StoreError

LONGEST_RETRY_S = 60.0
_GROUP_BYTES = 2 * BATCH_BYTES
_HOLD_EVERY_S = 2.0
_LAG_EVERY_S = 10.0
_log = structlog.get_logger()

Open = Callable[[], Pulled]
Accept = Callable[[Sequence[RawBatch]], object]
SetAside = Callable[[Sequence[Unreadable]], None]


class _Stopped(Exception):
    """The loop ends while a portion is at work; it is not confirmed."""


class PullLoop:
    """Pulls from one place until told to stop; nothing is confirmed before it is on disk.

    While the disk has no room nothing more is pulled. What goes wrong is told in ``look`` and
    tried again, after pauses that grow to a minute and differ by chance.
    """

    def __init__(
        self,
        intake: Intake,
        open_: Open,
        accept: Accept,
        set_aside: SetAside,
        *,
        first_retry_s: float = 1.0,
    ) -> None:
        """``accept`` returns when batches are durable, or raises StoreError: it is asked again.

        ``set_aside`` keeps what can't be read, as durably.
        """
        self._intake = intake
        self._open = open_
        self._accept = accept
        self._set_aside = set_aside
        self._first_retry_s = first_retry_s
        self._stop = threading.Event()
        self._looking = threading.Lock()
        self._held_at = self._lag_at = 0.0

    def look(self) -> Intake:
        """How it is going at this moment; from any thread."""
        with self._looking:
            return self._intake

    def stop(self) -> None:
        """Ask ``run`` to end; it does within seconds."""
        self._stop.set()

    def run(self) -> None:
        """Pull until ``stop``."""
        pause_s = self._first_retry_s
        while not self._stop.is_set():
            before = self.look().portions
            try:
                self._pull()
            except _Stopped:
                return
            except (PullError, StoreError) as error:
                asked_s = getattr(error, "retry_after_s", 0.0)
                self._failed(str(error))
            except Exception as error:
                asked_s = 0.0
                self._failed(f"{type(error).__name__}: {error}")
                _log.exception("pull_failed", intake=self._intake.name)
            else:
                return
            if self.look().portions > before:
                pause_s = self._first_retry_s
            wait_s = max(asked_s, pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            self._stop.wait(wait_s)
            pause_s = min(pause_s * 2, LONGEST_RETRY_S)

    def _pull(self) -> None:
        pulled = self._open()
        try:
            while not self._stop.is_set():
                portion = pulled.next()
                if portion is None:
                    self._tell_lag(pulled)
                    self._went_well()
                    self._stop.wait(pulled.idle_s)
                elif not self._stop.is_set():
                    self._take(pulled, portion)
        finally:
            pulled.close()

    def _take(self, pulled: Pulled, portion: Portion) -> None:
        self._held_at = time.monotonic()
        for batches, asides in _groups(portion.cuts):
            if asides:
                self._durably(pulled, portion, lambda kept=asides: self._set_aside(kept))  # type: ignore[misc]
            if batches:
                self._durably(pulled, portion, lambda sent=batches: self._accept(sent))  # type: ignore[misc]
        pulled.confirm(portion)
        self._went_well(portion.place)
        self._tell_lag(pulled)

    def _durably(self, pulled: Pulled, portion: Portion, keep: Callable[[], object]) -> None:
        """Ask until it is done: a full spool is what slows us."""
        pause_s = 0.05
        while True:
            if self._stop.is_set():
                raise _Stopped
            if time.monotonic() - self._held_at >= _HOLD_EVERY_S:
                pulled.hold(portion)
                self._held_at = time.monotonic()
            try:
                keep()
            except StoreError as error:  # SpoolFull, or a disk that may come back
                self._change(state=IntakeState.FULL, error=str(error))
                self._stop.wait(pause_s)
                pause_s = min(pause_s * 2, 2.0)
            else:
                return

    def _tell_lag(self, pulled: Pulled) -> None:
        now = time.monotonic()
        if now - self._lag_at >= _LAG_EVERY_S or not self._lag_at:
            self._lag_at = now
            self._change(lag=pulled.lag())

    def _went_well(self, place: str = "") -> None:
        told: dict[str, object] = {"state": IntakeState.CONNECTED, "error": ""}
        if place:
            intake = self.look()
            told |= {"position": place, "portions": intake.portions + 1}
            told["last_at"] = datetime.now(UTC)
        self._change(**told)

    def _failed(self, error: str) -> None:
        _log.warning("pull_waits", intake=self._intake.name, reason=error)
        self._change(state=IntakeState.FAILING, error=error)

    def _change(self, **changes: object) -> None:
        with self._looking:
            if changes.get("state", self._intake.state) != self._intake.state:
                changes["since"] = datetime.now(UTC)
            self._intake = replace(self._intake, **changes)  # type: ignore[arg-type]


def _groups(cuts: Iterable[Cut]) -> Iterator[tuple[list[RawBatch], list[Unreadable]]]:
    """What can be made durable at once: batches up to a few megabytes, and what is unreadable."""
    batches: list[RawBatch] = []
    asides: list[Unreadable] = []
    size = 0
    for cut in cuts:
        if isinstance(cut, RawBatch):
            batches.append(cut)
            size += len(cut.payload)
        else:
            asides.append(cut)
            size += len(cut.payload)
        if size >= _GROUP_BYTES:
            yield batches, asides
            batches, asides, size = [], [], 0
    if batches or asides:
        yield batches, asides
