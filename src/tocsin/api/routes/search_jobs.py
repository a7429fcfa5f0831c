"""Searches that take long: asked for, watched, read while they run, cancelled."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from tocsin.api.guard import House
from tocsin.api.problem import Problem
from tocsin.api.search_turn import Searcher, may_search
from tocsin.app.moment import parse_moment
from tocsin.app.searches.search_job import AskedSearch, SearchJob
from tocsin.app.wiring import Tocsin
from tocsin.store.lucene import check_filter
from tocsin.store.query import EventQuery
from tocsin.store.sql_guard import checked

router = APIRouter(
    prefix="/api/v1/search/jobs", tags=["search"], dependencies=[Depends(may_search)]
)


class WantedSearch(BaseModel):
    """A Lucene filter and its range (ISO times or relative: now-24h), or SQL over these events."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    q: str = ""
    sql: str = Field("", max_length=12_000, description="One SELECT over the view ``events``.")
    start: str | None = Field(None, alias="from", max_length=40)
    end: str | None = Field(None, alias="to", max_length=40)
    size: int = Field(1000, ge=0, le=10_000, description="Newest events (or first rows) to keep.")
    buckets: int = Field(0, ge=0, le=1000, description="Counts over time to make.")
    leave_after_s: float | None = Field(
        None, gt=0, description="End it when nobody asks how it goes for so long, in s."
    )


@router.post("", status_code=202, summary="Start a search job")
def start(house: House, by: Searcher, wanted: WantedSearch, response: Response) -> dict[str, Any]:
    """Search from the newest events to the oldest, however long that takes.

    Ask ``GET /api/v1/search/jobs/{id}`` how far it is and ``…/events`` for what it has found so
    far. Results are kept for a time (``search.results_kept_s``) and not over a restart.
    """
    check_filter(wanted.q)
    if wanted.sql:
        checked(wanted.sql)
    now = datetime.now(UTC)
    try:
        moments = [parse_moment(text, now) if text else None for text in (wanted.start, wanted.end)]
    except ValueError as error:
        raise Problem(400, "The time can't be read", str(error)) from error
    asked = AskedSearch(
        EventQuery(wanted.q, moments[0], moments[1], wanted.size),
        wanted.buckets,
        wanted.leave_after_s,
        wanted.sql.strip(),
    )
    job = house.searching.jobs.submit(asked, by.name)
    response.headers["location"] = f"/api/v1/search/jobs/{job.id}"
    return job.facts()


@router.get("", summary="One's search jobs")
def jobs(house: House, by: Searcher) -> dict[str, Any]:
    """Newest first, without counts over time."""
    return {"jobs": [job.facts(with_buckets=False) for job in house.searching.jobs.of(by.name)]}


@router.get("/{job_id}", summary="How far a search job is")
def one_job(house: House, by: Searcher, job_id: str) -> dict[str, Any]:
    """Its state and counts so far; all events from ``complete_from`` on have been searched."""
    return _known(house, by.name, job_id).facts()


@router.get("/{job_id}/events", summary="What a search job has found")
def events(
    house: House,
    by: Searcher,
    job_id: str,
    offset: Annotated[int, Query(ge=0)] = 0,
    size: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Events newest first, also while it runs; ``next_offset`` is null at the end of those so far.

    Of SQL: ``rows``, with the names of their ``columns``.
    """
    job = _known(house, by.name, job_id)
    rows = job.kept.page(offset, size)
    reached = offset + len(rows)
    found = {"columns": job.columns, "rows": rows} if job.asked.sql else {"events": rows}
    return {
        "state": job.state.value,
        "total": job.found,
        **found,
        "next_offset": reached if rows and reached < job.kept.count else None,
    }


@router.delete("/{job_id}", summary="Cancel or forget a search job")
def cancel(house: House, by: Searcher, job_id: str) -> dict[str, Any]:
    """End a job that waits or runs (what it has found stays), or forget one that is over."""
    job = house.searching.jobs.cancel(_known(house, by.name, job_id))
    return job.facts(with_buckets=False)


def _known(house: Tocsin, by: str, job_id: str) -> SearchJob:
    job = house.searching.jobs.get(job_id, by)
    if job is None:
        raise Problem(
            404,
            "No such search job",
            f"{job_id[:80]} is none of yours, or its results are kept no longer: ask again",
        )
    return job
