"""Searches that take long: started from the Search page, watched, read while they run."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from tocsin.app.searches.event_export import ExportFormat
from tocsin.app.searches.exports import note_export
from tocsin.app.searches.search_job import AskedSearch, SearchJob
from tocsin.app.searches.search_turns import SearchesBusy
from tocsin.app.searches.sql_export import rows_written
from tocsin.console.display import stamp
from tocsin.console.search_asked import Hunter
from tocsin.console.search_columns import row, title
from tocsin.console.search_state import DEFAULT_COLUMNS, SearchState
from tocsin.console.sql_state import SqlState
from tocsin.console.visit import Missing, Refused, Visit
from tocsin.store.lucene import check_filter
from tocsin.store.ports import QueryError
from tocsin.store.query import StoredEvent
from tocsin.store.sql_guard import checked
from tocsin.store.sql_rows import SqlStream

router = APIRouter(prefix="/search/jobs")
KEPT_EVENTS = 10_000
PAGE_ROWS = 100
FILE_ROWS = 1000
LEAVE_AFTER_S = 300.0
"""Browsers wake a page in the background once a minute: five of those missed, it has gone."""


@router.get("")
def jobs(visit: Hunter) -> Response:
    found = visit.tocsin.searching.jobs.of(visit.principal.name)
    return visit.page("search_jobs.html", jobs=found, limits=visit.tocsin.settings.search)


@router.post("")
def start(visit: Hunter) -> Response:
    """Search in the background; it ends when nobody looks at it for minutes, unless asked to stay."""
    asked = SearchState(
        visit.text("q"), visit.text("from"), visit.text("to"), zone=visit.text("tz")
    )
    sql = visit.text("sql")
    try:
        check_filter(asked.q)
        if sql:
            checked(sql)
        query = asked.query(visit.now, KEPT_EVENTS)
        leave_after_s = None if visit.text("stay") else LEAVE_AFTER_S
        job = visit.tocsin.searching.jobs.submit(
            AskedSearch(query, leave_after_s=leave_after_s, sql=sql), visit.principal.name
        )
    except (QueryError, ValueError, SearchesBusy) as error:
        raise Refused(f"It was not started: {error}.") from error
    return visit.done("The search runs.", to=f"/search/jobs/{job.id}")


@router.get("/{job_id}")
def one(visit: Hunter, job_id: str, offset: Annotated[int, Query(ge=0)] = 0) -> Response:
    """How far it is and what it has found so far."""
    job = _known(visit, job_id)
    found = job.kept.page(offset, PAGE_ROWS)
    events = [] if job.asked.sql else [_event(one) for one in found]
    reached = offset + len(found)
    return visit.page(
        "search_job.html",
        job=job,
        query=_state(job),
        sql=_sql_state(job) if job.asked.sql else None,
        rows=found if job.asked.sql else [row(event, DEFAULT_COLUMNS) for event in events],
        columns=DEFAULT_COLUMNS,
        column_title=title,
        offset=offset,
        next_offset=reached if found and reached < job.kept.count else 0,
        limits=visit.tocsin.settings.search,
    )


@router.get("/{job_id}/export")
def export(visit: Hunter, job_id: str, kind: ExportFormat = ExportFormat.CSV) -> Response:
    """The rows of a statement that are kept, as a file, when they are all there are."""
    job = _known(visit, job_id)
    if not (job.asked.sql and job.is_whole) or kind is ExportFormat.PARQUET:
        raise Missing("Not every row of this job is kept as it was: take the file in SQL.")
    note_export(
        *(visit.tocsin.state, visit.tocsin.audit),
        how=f"sql {kind.value}",
        text=job.asked.sql,
        by=visit.principal.name,
        now=visit.now,
    )
    stream = SqlStream(list(job.columns), list(job.types), _chunks(job), job.problems)
    headers = {"content-disposition": f'attachment; filename="rows.{kind.value}"'}
    return StreamingResponse(
        rows_written(stream, kind), media_type=kind.media_type, headers=headers
    )


def _chunks(job: SearchJob) -> Iterator[list[tuple[Any, ...]]]:
    for offset in range(0, job.kept.count, FILE_ROWS):
        yield [tuple(row) for row in job.kept.page(offset, FILE_ROWS)]


@router.post("/{job_id}/cancel")
def cancel(visit: Hunter, job_id: str) -> Response:
    """End it (what it has found stays), or forget it when it is over."""
    job = _known(visit, job_id)
    was_over = job.is_over
    visit.tocsin.searching.jobs.cancel(job)
    if was_over:
        return visit.done("The job is forgotten.", to="/search/jobs")
    return visit.done("The job is cancelled; what it has found stays.")


def _known(visit: Visit, job_id: str) -> SearchJob:
    job = visit.tocsin.searching.jobs.get(job_id, visit.principal.name)
    if job is None:
        raise Missing(
            "There is no such search job of yours (any more): results are kept for "
            f"{visit.tocsin.settings.search.results_kept_s / 60:.0f} minutes and not over a "
            "restart. Search again."
        )
    return job


def _state(job: SearchJob) -> SearchState:
    query = job.asked.query
    start, end = query.start, query.end
    return SearchState(query.text, stamp(start) if start else "all", stamp(end) if end else "")


def _sql_state(job: SearchJob) -> SqlState:
    asked = _state(job)
    return SqlState(job.asked.sql, asked.q, asked.start, asked.to)


def _event(found: dict[str, Any]) -> StoredEvent:
    times = {name: datetime.fromisoformat(found[name]) for name in ("time", "ingested_at")}
    return StoredEvent(**{**found, **times, "raw": None})
