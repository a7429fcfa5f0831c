"""Searches that take long run by themselves, tell how far they are, and can be ended."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tocsin.app.searches.asked_sql import AskedFirstRows, SqlHead, SqlPart, SqlProgress
from tocsin.app.searches.search_job import AskedSearch, SearchJob, SearchJobState
from tocsin.app.searches.search_jobs import SearchJobs
from tocsin.app.searches.search_turns import SearchesBusy
from tocsin.app.settings.search_settings import SearchSettings
from tocsin.store.ports import QueryError, Segment
from tocsin.store.query import Bucket, EventPage, EventQuery, StoredEvent
from tocsin.store.stop_signal import StopSignal

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def segment(hour: int, rows: int = 1_000_000) -> Segment:
    start = NOON + hour * HOUR
    end = start + HOUR - timedelta(microseconds=1)
    return Segment(f"s{hour}", f"s{hour}.parquet", rows, 1, start, end, ("a",), ("b",), "")


def event(moment: datetime) -> StoredEvent:
    return StoredEvent(f"e{moment:%H%M}", moment, moment, "default", "a", "b", {}, {})


class Events:
    """A store with one event an hour, which lets a search go on when it is told to."""

    def __init__(self, hours: int) -> None:
        self.held = [segment(hour) for hour in range(hours)]
        self.times = [NOON + hour * HOUR for hour in range(hours)]
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        self.problem = ""

    def segments(self, start: datetime | None, end: datetime | None) -> list[Segment]:
        return self.held

    def _within(self, query: EventQuery) -> list[datetime]:
        start, end = query.start or NOON, query.end or NOON + 1000 * HOUR
        return sorted((time for time in self.times if start <= time < end), reverse=True)

    def search(self, query: EventQuery, stop: StopSignal | None = None) -> EventPage:
        assert stop is not None
        self.asked.set()
        with stop.interrupting(self.gate.set):
            assert self.gate.wait(60)
        stop.check()
        if query.text == "bad":
            raise QueryError("no such field")
        found = self._within(query)
        events = tuple(event(moment) for moment in found[: query.size])
        return EventPage(events, len(found), None, 1, 1, 1.0, (self.problem,) * bool(self.problem))

    def histogram(
        self, query: EventQuery, buckets: int, stop: StopSignal | None = None
    ) -> list[Bucket]:
        assert query.start is not None
        assert query.end is not None
        width = (query.end - query.start) / buckets
        edges = [query.start + width * at for at in range(buckets + 1)]
        found = self._within(query)
        return [
            Bucket(start, end, count, {1: count})
            for start, end in pairwise(edges)
            for count in [sum(start <= time < end for time in found)]
        ]

    def run_sql(
        self, asked: AskedFirstRows, stop: StopSignal
    ) -> Iterator[SqlProgress | SqlHead | SqlPart]:
        self.asked.set()
        yield SqlProgress(0.5)
        yield SqlHead(["n"], ["BIGINT"], (self.problem,) * bool(self.problem))
        yield SqlPart(b"[[1],[2]]", False)
        yield SqlProgress(0.25)
        while not self.gate.wait(0.01):
            stop.check()
        yield SqlPart(b"[[3]]", True)
        yield SqlPart(b"[[4]]", False)


@pytest.fixture
def events() -> Events:
    return Events(24)


Open = Callable[..., SearchJobs]


@pytest.fixture
def open_jobs(events: Events) -> Iterator[Open]:
    opened: list[SearchJobs] = []

    def open_one(**changes: object) -> SearchJobs:
        now = changes.pop("now", lambda: datetime.now(UTC))
        limits = SearchSettings(**changes)  # type: ignore[arg-type]
        opened.append(SearchJobs(events, limits, events.run_sql, now))
        return opened[-1]

    yield open_one
    events.gate.set()
    for one in opened:
        one.close()


def over(jobs: SearchJobs, job: SearchJob) -> SearchJob:
    for thread in list(jobs._threads):
        thread.join(60)
    assert job.is_over
    return job


def test_a_job_finds_counts_and_tells_how_far_it_is(open_jobs: Open, events: Events) -> None:
    jobs = open_jobs()
    job = over(jobs, jobs.submit(AskedSearch(EventQuery(size=5), buckets=24), "ada"))
    assert job.state is SearchJobState.DONE
    assert (job.segments_done, job.segments_total) == (24, 24)
    assert (job.rows_done, job.found, job.kept.count) == (24_000_000, 24, 5)
    assert [one["event_id"] for one in job.kept.page(0, 100)] == [
        f"e{hour}00" for hour in ("11", "10", "09", "08", "07")
    ]
    assert [one.count for one in job.buckets] == [1] * 24
    assert job.complete_from == NOON


def test_what_was_found_so_far_is_there_when_it_is_cancelled(
    open_jobs: Open, events: Events
) -> None:
    jobs = open_jobs()
    events.gate.clear()
    job = jobs.submit(AskedSearch(EventQuery()), "ada")
    assert events.asked.wait(60)
    jobs.cancel(job)
    assert over(jobs, job).state is SearchJobState.STOPPED
    assert job.reason == "ada cancelled it"
    assert jobs.get(job.id, "ada") == job
    jobs.cancel(job)
    assert jobs.get(job.id, "ada") is None


def test_a_job_that_ends_while_it_is_read_is_not_told_to_be_over(
    open_jobs: Open, events: Events
) -> None:
    jobs = open_jobs()
    events.gate.clear()
    job = jobs.submit(AskedSearch(EventQuery()), "ada")
    assert events.asked.wait(60)
    seen = jobs.get(job.id, "ada")
    assert seen is not None
    rows = seen.kept.page(0, 100)
    events.gate.set()
    over(jobs, job)
    assert not seen.is_over, "a reader who has only these rows must ask again"
    again = jobs.get(job.id, "ada")
    assert again is not None
    assert again.is_over
    assert len(again.kept.page(0, 100)) == again.found > len(rows)


def test_nobody_sees_the_jobs_of_others(open_jobs: Open) -> None:
    jobs = open_jobs()
    job = jobs.submit(AskedSearch(EventQuery()), "ada")
    assert jobs.get(job.id, "bob") is None
    assert jobs.of("bob") == []
    assert jobs.of("ada") == [job]


def test_one_job_a_person_runs_and_the_next_person_is_let_in(
    open_jobs: Open, events: Events
) -> None:
    jobs = open_jobs(jobs_at_once=2)
    events.gate.clear()
    first, second, other = (
        jobs.submit(AskedSearch(EventQuery()), by) for by in ("ada", "ada", "bob")
    )
    states = [one.state for one in (first, second, other)]
    assert states == [SearchJobState.RUNNING, SearchJobState.WAITING, SearchJobState.RUNNING]
    jobs.cancel(second)
    assert second.state is SearchJobState.STOPPED


def test_too_many_jobs_are_refused(open_jobs: Open, events: Events) -> None:
    jobs = open_jobs(jobs_each=2)
    events.gate.clear()
    for _ in range(2):
        jobs.submit(AskedSearch(EventQuery()), "ada")
    with pytest.raises(SearchesBusy, match="2 search jobs of yours"):
        jobs.submit(AskedSearch(EventQuery()), "ada")
    jobs.submit(AskedSearch(EventQuery()), "bob")


def test_the_oldest_results_make_room(open_jobs: Open) -> None:
    jobs = open_jobs(jobs_each=2)
    made = []
    for _ in range(3):
        made.append(jobs.submit(AskedSearch(EventQuery()), "ada"))
        over(jobs, made[-1])
    assert jobs.of("ada") == [made[2], made[1]]


def test_results_are_forgotten_when_nobody_asks_for_them(open_jobs: Open) -> None:
    now = [NOON]
    jobs = open_jobs(results_kept_s=60, now=lambda: now[0])
    job = over(jobs, jobs.submit(AskedSearch(EventQuery()), "ada"))
    now[0] += timedelta(seconds=50)
    assert jobs.get(job.id, "ada") == job
    now[0] += timedelta(seconds=50)
    assert jobs.get(job.id, "ada") == job, "asking for it keeps it"
    now[0] += timedelta(seconds=61)
    assert jobs.get(job.id, "ada") is None


def test_a_job_nobody_watches_any_more_ends(open_jobs: Open, events: Events) -> None:
    now = [NOON]
    jobs = open_jobs(now=lambda: now[0])
    events.gate.clear()
    job = jobs.submit(AskedSearch(EventQuery(), leave_after_s=30), "ada")
    now[0] += timedelta(seconds=31)
    jobs.of("ada")
    assert over(jobs, job).reason == "nobody asked how it goes for 30 s"


def test_a_job_that_takes_too_long_is_stopped(open_jobs: Open, events: Events) -> None:
    jobs = open_jobs(job_limit_s=0.05)
    events.gate.clear()
    job = over(jobs, jobs.submit(AskedSearch(EventQuery()), "ada"))
    assert job.state is SearchJobState.STOPPED
    assert "took longer than 0.05 s" in job.reason


def test_what_can_t_be_run_and_what_can_t_be_read_is_told(open_jobs: Open, events: Events) -> None:
    jobs = open_jobs()
    bad = over(jobs, jobs.submit(AskedSearch(EventQuery("bad")), "ada"))
    assert (bad.state, bad.reason) == (SearchJobState.FAILED, "no such field")
    events.problem = "segment x is gone"
    job = over(jobs, jobs.submit(AskedSearch(EventQuery()), "ada"))
    assert job.problems == ("segment x is gone",)


def test_results_are_bounded_in_bytes(open_jobs: Open) -> None:
    jobs = open_jobs(results_each_bytes=1024)
    asked = AskedSearch(EventQuery(size=10_000))
    held = jobs._events.held  # type: ignore[attr-defined]
    jobs._events.times = [  # type: ignore[attr-defined]
        one.first_time + timedelta(minutes=minute) for one in held for minute in range(60)
    ]
    job = over(jobs, jobs.submit(asked, "ada"))
    assert job.found == 24 * 60
    assert 0 < job.kept.count < job.found
    assert job.kept.size_bytes <= 512
    assert "only the newest" in job.problems[0]


def test_closing_ends_what_runs(open_jobs: Open, events: Events) -> None:
    jobs = open_jobs()
    events.gate.clear()
    job = jobs.submit(AskedSearch(EventQuery()), "ada")
    jobs.close()
    assert "ask again" in over(jobs, job).reason


def test_a_store_without_events_is_searched_at_once(open_jobs: Open, events: Events) -> None:
    events.held = []
    jobs = open_jobs()
    job = over(jobs, jobs.submit(AskedSearch(replace(EventQuery(), text="x"), 3), "ada"))
    assert (job.state, job.found, job.buckets) == (SearchJobState.DONE, 0, ())


def test_sql_runs_as_a_job_and_keeps_its_first_rows(open_jobs: Open, events: Events) -> None:
    jobs = open_jobs()
    events.problem = "a part is damaged"
    job = over(jobs, jobs.submit(AskedSearch(EventQuery(size=3), sql="select n"), "ada"))
    assert (job.state, job.columns, job.found) == (SearchJobState.DONE, ("n",), 3)
    assert job.kept.page(0, 10) == [[1], [2], [3]]
    assert (job.share_done, job.is_cut) == (0.5, True), "what the engine guesses never goes back"
    assert job.problems[0] == "a part is damaged"
    assert "only the first 3 rows are kept" in job.problems[1]


def test_sql_that_runs_as_a_job_is_cancelled_and_keeps_what_came(
    open_jobs: Open, events: Events
) -> None:
    events.gate.clear()
    jobs = open_jobs()
    job = jobs.submit(AskedSearch(EventQuery(size=3), sql="select n"), "ada")
    assert events.asked.wait(60)
    jobs.cancel(job)
    assert (over(jobs, job).state, job.reason) == (SearchJobState.STOPPED, "ada cancelled it")
