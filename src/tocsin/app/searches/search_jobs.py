"""Runs searches that take long, a few at a time and one a person, and keeps what they found."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import orjson
import structlog

from tocsin.app.plain import as_json
from tocsin.app.searches.asked_sql import AskedFirstRows, SqlHead, SqlPart, SqlProgress
from tocsin.app.searches.kept_rows import KeptRows
from tocsin.app.searches.search_job import AskedSearch, SearchJob, SearchJobState
from tocsin.app.searches.search_slices import slice_plan
from tocsin.app.searches.search_turns import SearchesBusy
from tocsin.app.settings.search_settings import SearchSettings
from tocsin.model.identifier import new_id
from tocsin.store.ports import EventStore, QueryStopped, StoreError
from tocsin.store.query import Bucket
from tocsin.store.stop_signal import StopSignal

_log = structlog.get_logger()
_CLOSING_S = 10.0
_GRID = 60
RunSql = Callable[[AskedFirstRows, StopSignal], Iterator[SqlProgress | SqlHead | SqlPart]]
"""What ``AskedFirstRows`` sends, as it comes."""
_CLOSED = "the server stopped; results are not kept over a restart: ask again"


class SearchJobs:
    """Jobs and what they found, in memory.

    A restart forgets them: asking again costs little, and results that outlive the retention of
    their events would cost trust.
    """

    def __init__(
        self,
        events: EventStore,
        limits: SearchSettings,
        run_sql: RunSql,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._events = events
        self._limits = limits
        self._run_sql = run_sql
        self._now = now
        self._guard = threading.Lock()
        self._jobs: dict[str, SearchJob] = {}
        self._threads: set[threading.Thread] = set()
        self._is_closed = False

    def submit(self, asked: AskedSearch, by: str) -> SearchJob:
        """Have it searched when its turn comes; raises ``SearchesBusy``."""
        now = self._now()
        limits = self._limits
        with self._guard:
            self._sweep(now)
            own = [job for job in self._jobs.values() if job.by == by]
            if sum(not job.is_over for job in own) >= limits.jobs_each:
                raise SearchesBusy(
                    f"{limits.jobs_each} search jobs of yours run or wait already: cancel some"
                )
            self._forget_oldest(own, limits.jobs_each - 1)
            job = SearchJob(
                id=new_id("search-job", now),
                asked=asked,
                by=by,
                asked_at=now,
                kept=KeptRows(limits.results_each_bytes // 2),
                stop=StopSignal(),
                seen_at=now,
            )
            self._jobs[job.id] = job
            self._begin()
        return job

    def get(self, job_id: str, by: str) -> SearchJob | None:
        """How a person's job is now; asking for it keeps it.

        What is returned doesn't change any more, but for its rows: whoever reads those afterwards
        has at least what the state tells, and all of them when it says that the job is over.
        """
        now = self._now()
        with self._guard:
            self._sweep(now)
            job = self._jobs.get(job_id)
            if job is None or job.by != by:
                return None
            job.seen_at = now
            return replace(job)

    def of(self, by: str) -> list[SearchJob]:
        """How a person's jobs are now, newest first."""
        with self._guard:
            self._sweep(self._now())
            return [replace(job) for job in self._jobs.values() if job.by == by][::-1]

    def cancel(self, job: SearchJob) -> SearchJob:
        """End what runs or waits, what it found stays; forget what is over. Returns how it is then."""
        with self._guard:
            known = self._jobs.get(job.id)
            if known is None:
                return job
            if known.is_over:
                del self._jobs[job.id]
            self._stop(known, f"{job.by} cancelled it")
            return replace(known)

    def close(self) -> None:
        """End every job and wait for it."""
        with self._guard:
            self._is_closed = True
            for job in self._jobs.values():
                self._stop(job, _CLOSED)
            running = list(self._threads)
        for thread in running:
            thread.join(_CLOSING_S)

    def _stop(self, job: SearchJob, reason: str) -> None:
        job.stop.stop(reason)
        if job.state is SearchJobState.WAITING:
            job.state, job.reason = SearchJobState.STOPPED, reason
            job.finished_at = self._now()

    def _sweep(self, now: datetime) -> None:
        """Forget results nobody has asked for in a long time, end what nobody waits for."""
        kept = timedelta(seconds=self._limits.results_kept_s)
        for job in list(self._jobs.values()):
            if job.is_over and now - max(job.seen_at, job.finished_at or now) > kept:
                del self._jobs[job.id]
            self._look_for_leavers(job, now)

    def _look_for_leavers(self, job: SearchJob, now: datetime) -> None:
        after_s = job.asked.leave_after_s
        if (
            after_s is not None
            and not job.is_over
            and (now - job.seen_at).total_seconds() > after_s
        ):
            self._stop(job, f"nobody asked how it goes for {after_s:g} s")

    def _forget_oldest(self, own: list[SearchJob], most: int) -> None:
        """Make room for one more job and for its results."""
        over = [job for job in own if job.is_over]
        size = sum(job.kept.size_bytes for job in own)
        count = len(own)
        for job in over:
            if count <= most and size <= self._limits.results_each_bytes // 2:
                return
            count, size = count - 1, size - job.kept.size_bytes
            del self._jobs[job.id]

    def _begin(self) -> None:
        """Start jobs as far as there is room: the longest waiting of whoever has none running."""
        while not self._is_closed:
            running = [job for job in self._jobs.values() if job.state is SearchJobState.RUNNING]
            busy = {job.by for job in running}
            waiting = (
                job
                for job in self._jobs.values()
                if job.state is SearchJobState.WAITING and job.by not in busy
            )
            job = next(waiting, None)
            if job is None or len(running) >= self._limits.jobs_at_once:
                return
            job.state, job.started_at = SearchJobState.RUNNING, self._now()
            job.stop.limit(
                self._limits.job_limit_s,
                f"it took longer than {self._limits.job_limit_s:g} s and was stopped; narrow the "
                "time range or the filter",
            )
            thread = threading.Thread(target=self._do, args=(job,), name=job.id, daemon=True)
            self._threads.add(thread)
            thread.start()

    def _do(self, job: SearchJob) -> None:
        ended = SearchJobState.FAILED
        try:
            if job.asked.sql:
                self._answer(job)
            else:
                self._search(job)
            ended = SearchJobState.DONE
        except QueryStopped as error:
            ended, job.reason = SearchJobState.STOPPED, str(error)
        except StoreError as error:
            job.reason = str(error)
        except Exception as error:  # a fault of ours is told, and the next job goes on
            _log.exception("search_job_failed", job=job.id)
            job.reason = f"a fault of ours: {type(error).__name__}: {error}"
        with self._guard:
            job.state, job.finished_at = ended, self._now()
            self._threads.discard(threading.current_thread())
            self._begin()

    def _search(self, job: SearchJob) -> None:
        """Slice by slice from the newest: what is found first stays first."""
        query = job.asked.query
        segments = self._events.segments(query.start, query.end)
        plan = slice_plan(segments, query.start, query.end, buckets=job.asked.buckets or _GRID)
        job.segments_total, job.rows_total = len(segments), sum(one.rows for one in segments)
        if job.asked.buckets:
            job.buckets = tuple(Bucket(start, end, 0) for start, end in pairwise(plan.edges))
        is_full = False
        for part in plan.slices:
            self._look_for_leavers(job, self._now())
            job.stop.check()
            room = 0 if is_full else query.size - job.kept.count
            wanted = replace(query, start=part.start, end=part.end, size=room)
            page = self._events.search(wanted, job.stop)
            job.tell_problems(page.problems)
            if not job.kept.add([as_json(event) for event in page.events]):
                is_full = True
                job.tell_problems(
                    [f"only the newest {job.kept.count:,} events are kept: no more fit"]
                )
            if job.asked.buckets:
                job.add_counts(part.bucket, self._events.histogram(wanted, part.buckets, job.stop))
            job.found += page.total
            job.complete_from = part.start
            done = [one for one in segments if one.first_time >= part.start]
            job.segments_done, job.rows_done = len(done), sum(one.rows for one in done)
        job.segments_done, job.rows_done = job.segments_total, job.rows_total

    def _answer(self, job: SearchJob) -> None:
        """Row by row, and how far it is as far as the engine says."""
        query = job.asked.query
        asked = AskedFirstRows(job.asked.sql, query.size, query)
        watched = _Watched(job.stop, lambda: self._look_for_leavers(job, self._now()))
        for part in self._run_sql(asked, watched):
            if isinstance(part, SqlProgress):
                job.share_done = max(job.share_done or 0.0, part.share)
                continue
            if isinstance(part, SqlHead):
                job.columns, job.types = tuple(part.columns), tuple(part.types)
                job.tell_problems(part.problems)
                continue
            rows = orjson.loads(part.packed)
            is_kept = job.kept.add(rows)
            job.found += len(rows)
            if part.has_more or not is_kept:
                job.is_cut = True
                job.tell_problems(
                    [f"only the first {job.kept.count:,} rows are kept: a file has all of them"]
                )
                return


class _Watched(StopSignal):
    """A job's signal, looked at while a process works: somebody must still wait for it."""

    def __init__(self, stop: StopSignal, look: Callable[[], None]) -> None:
        super().__init__()
        self._stop = stop
        self._look = look

    def check(self) -> None:
        self._look()
        self._stop.check()
