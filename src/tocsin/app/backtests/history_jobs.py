"""Long looks at history that people start and watch: one at a time, the others wait their turn."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import structlog

from tocsin.app.backtests.kept_jobs import KeptJobs
from tocsin.app.plain import as_json
from tocsin.app.rules.rule_choice import NoSuchRule
from tocsin.detect.errors import DetectError
from tocsin.model.identifier import new_id
from tocsin.store.ports import StoreError

_log = structlog.get_logger()
_MOST_WAITING = 20
_KEPT = 50
_PATIENCE_S, _GRACE_S = 30.0, 1.0
_INTERRUPTED = "the server stopped before it was done: resume it"


class JobKind(StrEnum):
    """What a job does."""

    BACKTEST = "backtest"
    FILL = "fill"
    REPLAY = "replay"
    """What a pack's update would find, before and after; ``rule_id`` is the pack's name."""


class JobState(StrEnum):
    """How far a job is. A cancelled backtest has a result too: of what it had gone through."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The server stopped; it can be resumed."""


class TooManyJobs(DetectError):
    """So many looks at history wait already that no further one is taken."""


@dataclass(slots=True)
class HistoryJob:
    """One job. ``done`` of about ``total`` events are gone through; 0 of 0 before it is known."""

    id: str
    kind: JobKind
    rule_id: str
    by: str
    asked_at: datetime
    state: JobState = JobState.WAITING
    started_at: datetime | None = None
    finished_at: datetime | None = None
    done: int = 0
    total: int = 0
    error: str = ""
    result: Any = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    is_cut_off: bool = field(default=False, repr=False)
    """The server stops while it waits or runs."""

    def moved(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def should_stop(self) -> bool:
        return self._stop.is_set()

    def cancel(self) -> None:
        self._stop.set()

    def cut_off(self) -> None:
        """The server stops: what it has come to is not kept as a result."""
        self.is_cut_off = True
        self._stop.set()

    def patience_s(self) -> float:
        """How long its work may take to stop."""
        return _GRACE_S if self.is_cut_off else _PATIENCE_S

    def begin_again(self) -> None:
        """Interrupted, and now waiting for its turn once more."""
        self.state, self.error, self.result = JobState.WAITING, "", None
        self.started_at = self.finished_at = None
        self.is_cut_off = False
        self._stop.clear()

    def facts(self) -> dict[str, Any]:
        """All that is kept of it."""
        names = ("id", "kind", "rule_id", "by", "asked_at", "state", "started_at", "finished_at")
        more = ("done", "total", "error", "result", "asked")
        return {name: getattr(self, name) for name in (*names, *more)}

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None

    def as_json(self, *, with_result: bool = True) -> dict[str, Any]:
        """``eta_s`` is about how long it will still take, null when that can't be told."""
        told = {
            name: as_json(getattr(self, name))
            for name in (
                *("id", "kind", "rule_id", "by", "asked_at", "state", "started_at"),
                *("finished_at", "done", "total", "error"),
            )
        }
        told["eta_s"] = self._eta_s()
        return {**told, "result": as_json(self.result)} if with_result else told

    def _eta_s(self) -> float | None:
        if self.is_over or self.started_at is None or not self.done or not self.total:
            return None
        elapsed = (datetime.now(UTC) - self.started_at).total_seconds()
        return round(elapsed * max(0, self.total - self.done) / self.done, 1)


Work = Callable[[HistoryJob], Any]
"""Does a job and gives its result; it looks at ``should_stop`` as it goes."""


class HistoryJobs:
    """The last fifty jobs that are over, and those that wait or run.

    ``kept`` brings them over a restart: one that was not over is interrupted then, and can be
    resumed.
    """

    def __init__(self, kept: KeptJobs | None = None) -> None:
        self._kept = kept
        self._closing = False
        self._one = ThreadPoolExecutor(1, thread_name_prefix="history")
        self._jobs: dict[str, HistoryJob] = {}
        self._guard = threading.Lock()
        for row in kept.all() if kept else ():
            known = {**row, "kind": JobKind(row["kind"]), "state": JobState(row["state"])}
            job = HistoryJob(**known)
            if not job.is_over:
                job.state, job.finished_at = JobState.INTERRUPTED, datetime.now(UTC)
                job.error = _INTERRUPTED
            self._jobs[job.id] = job

    def submit(
        self,
        kind: JobKind,
        rule_id: str,
        by: str,
        work: Work,
        asked: Mapping[str, Any] | None = None,
    ) -> HistoryJob:
        """Have work done when its turn comes; ``asked`` is what to ask for to do it again.

        Raises ``TooManyJobs``.
        """
        now = datetime.now(UTC)
        job = HistoryJob(new_id(kind.value), kind, rule_id, by, now, asked=asked or {})
        self._take(job)
        if self._kept is not None:
            self._kept.add(job.facts())
        self._one.submit(self._do, job, work)
        return job

    def resume(self, job: HistoryJob, work: Work) -> None:
        """Have an interrupted job go on when its turn comes; raises ``TooManyJobs``."""
        known = self._jobs.get(job.id, job)
        self._take(known)
        with self._guard:
            known.begin_again()
        self._note(known)
        self._one.submit(self._do, known, work)

    def _take(self, job: HistoryJob) -> None:
        with self._guard:
            if sum(not one.is_over for one in self._jobs.values()) >= _MOST_WAITING:
                raise TooManyJobs(
                    f"{_MOST_WAITING} looks at history wait already: try again later or cancel some"
                )
            over = [one.id for one in self._jobs.values() if one.is_over]
            for gone in over[:-_KEPT]:
                del self._jobs[gone]
                if self._kept is not None:
                    self._kept.drop(gone)
            self._jobs[job.id] = job

    def get(self, job_id: str) -> HistoryJob | None:
        """How a job is now.

        What is returned changes no more, so that whoever shows it never tells of an end without
        the result; cancelling it cancels the job.
        """
        with self._guard:
            job = self._jobs.get(job_id)
            return replace(job) if job is not None else None

    def all(self, rule_id: str = "") -> list[HistoryJob]:
        """How the jobs are now, newest first; of one rule when it is named."""
        with self._guard:
            known = list(self._jobs.values())
            return [replace(one) for one in known if not rule_id or one.rule_id == rule_id][::-1]

    @property
    def is_busy(self) -> bool:
        """True while a job runs or waits."""
        return any(not one.is_over for one in self.all())

    def close(self) -> None:
        """End what runs and waits: it is interrupted, and kept as such."""
        self._closing = True
        with self._guard:
            for job in self._jobs.values():
                if not job.is_over:
                    job.cut_off()
        self._one.shutdown(wait=True)

    def _note(self, job: HistoryJob) -> None:
        if self._kept is not None:
            self._kept.change(job.facts())

    def _do(self, job: HistoryJob, work: Work) -> None:
        result: Any = None
        error = ""
        if not job.should_stop():
            with self._guard:
                job.state, job.started_at = JobState.RUNNING, datetime.now(UTC)
            self._note(job)
            try:
                result = work(job)
            except (DetectError, NoSuchRule, StoreError) as failure:
                error = str(failure)
            except Exception as failure:  # a fault of ours is told, and the next job goes on
                _log.exception("history_job_failed", job=job.id, kind=job.kind)
                error = f"a fault of ours: {type(failure).__name__}: {failure}"
        ended = JobState.CANCELLED if job.should_stop() else JobState.DONE
        if self._closing and self._kept is not None and job.should_stop():
            ended, error, result = JobState.INTERRUPTED, _INTERRUPTED, None
        elif error:
            ended = JobState.FAILED
        with self._guard:
            job.state, job.error, job.result = ended, error, result
            job.finished_at = datetime.now(UTC)
        self._note(job)
