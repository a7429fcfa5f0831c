"""Rules and history: backtests, what each rule has looked at, and filling what it missed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.backtests.history_jobs import HistoryJob, JobKind, TooManyJobs
from tocsin.app.explaining.rule_ledger import ledger_of
from tocsin.app.plain import as_json
from tocsin.app.rule_jobs import NotInterrupted
from tocsin.app.rule_jobs import resume as resume_job
from tocsin.app.rule_jobs import start_backtest as start_backtest_job
from tocsin.app.rule_jobs import start_fill as start_fill_job
from tocsin.app.wiring import Tocsin
from tocsin.model.principal import Permission, Principal

router = APIRouter(tags=["rules"])
Searcher = Annotated[Principal, Depends(needs(Permission.EVENTS_SEARCH))]
Engineer = Annotated[Principal, Depends(needs(Permission.RULES_WRITE))]
_reads = Depends(needs(Permission.RULES_READ))


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class WantedBacktest(_Body):
    """The range of event time: ``from`` to ``to`` (default: now), or the last ``days``."""

    start: AwareDatetime | None = Field(None, alias="from")
    end: AwareDatetime | None = Field(None, alias="to")
    days: float = Field(30.0, gt=0, le=3660)
    samples: int = Field(5, ge=0, le=100, description="First events to keep of each rule.")
    text: str = Field("", max_length=500_000, description="Rules to try instead, as YAML.")


class WantedFill(_Body):
    """The range of receipt time; without one, every gap of the rule."""

    start: AwareDatetime | None = Field(None, alias="from")
    end: AwareDatetime | None = Field(None, alias="to")


@router.post("/api/v1/rules/{rule_id}/backtest", status_code=202, summary="Start a backtest")
def start_backtest(
    house: House, rule_id: str, wanted: WantedBacktest, by: Searcher
) -> dict[str, Any]:
    """Try a rule (or ``text``, a version of it somebody is working on) on stored events.

    Answers with a job; ask ``GET /api/v1/rule-jobs/{id}`` for its progress. Its ``result`` is the
    report of ``tocsin rules backtest --json``.
    """
    if not wanted.text and house.ruleset.rule(rule_id) is None:
        raise Problem(404, "No such rule", f"{rule_id} is not loaded")
    now = datetime.now(UTC)
    end = wanted.end or now
    start = wanted.start or end - timedelta(days=wanted.days)
    if start >= end:
        raise Problem(422, "No range of time", f"from {start} is not before to {end}")
    return _started(
        lambda: start_backtest_job(
            house,
            (rule_id,),
            start,
            end,
            by=by.name,
            samples=wanted.samples,
            text=wanted.text,
        )
    )


@router.get(
    "/api/v1/rules/{rule_id}/looks", dependencies=[_reads], summary="What a rule has looked at"
)
def looks(house: House, rule_id: str) -> dict[str, Any]:
    """Since when it looks, the lanes it looked at with events, late and skipped, gaps and fills.

    ``unfinished_values`` are values it gave up on as an expression took too long, ``is_paused``
    says that it is not run on at present, ``cpu_s`` what it has cost since the start. Gaps with
    another ``cause`` than ``decided`` are filled by themselves: ``filling`` tells how far that is,
    ``windows_open_until`` when what windows over a gap say is final. ``budget`` is what it may cost.
    """
    ledger = ledger_of(house, rule_id)
    if ledger is None:
        raise Problem(404, "No such rule", f"{rule_id} is not loaded and never was")
    return dict(as_json(ledger))


@router.post("/api/v1/rules/{rule_id}/fill", status_code=202, summary="Fill a rule's gaps")
def start_fill(house: House, rule_id: str, wanted: WantedFill, by: Engineer) -> dict[str, Any]:
    """Let the rule look at stored events it has not seen; what it finds is marked late and folds.

    Answers with a job whose ``result`` lists the fills.
    """
    ledger = ledger_of(house, rule_id)
    if ledger is None or house.ruleset.rule(rule_id) is None:
        raise Problem(404, "No such rule", f"{rule_id} is not loaded")
    now = datetime.now(UTC)
    spans = [(gap.since, gap.until or now) for gap in ledger.looks.gaps]
    if wanted.start is not None or wanted.end is not None:
        end = wanted.end or now
        start = wanted.start or datetime(1970, 1, 1, tzinfo=UTC)
        if start >= end:
            raise Problem(422, "No range of time", f"from {start} is not before to {end}")
        spans = [(start, end)]

    return _started(lambda: start_fill_job(house, rule_id, spans, by=by.name))


@router.get("/api/v1/rule-jobs", dependencies=[_reads], summary="Backtests and fills")
def jobs(house: House, rule_id: str = "") -> dict[str, Any]:
    """The latest, newest first, without their results; also of before the server's last start."""
    found = house.history_jobs.all(rule_id)
    return {"jobs": [one.as_json(with_result=False) for one in found]}


@router.get("/api/v1/rule-jobs/{job_id}", summary="A backtest or fill")
def job(house: House, job_id: str, _: Searcher) -> dict[str, Any]:
    """How far it is (``done`` of about ``total`` events, ``eta_s``), and its result."""
    return _job(house, job_id).as_json()


@router.post("/api/v1/rule-jobs/{job_id}/resume", status_code=202, summary="Go on with a job")
def resume(house: House, job_id: str, by: Searcher) -> dict[str, Any]:
    """One that is ``interrupted``, as the server stopped: a backtest goes on from where it was."""
    found = _job(house, job_id)
    _may_change(found, by)
    try:
        resume_job(house, found, by=by.name)
    except NotInterrupted as error:
        raise Problem(409, "That can't be resumed", str(error)) from error
    except TooManyJobs as error:
        raise Problem(429, "Too many jobs", str(error)) from None
    return found.as_json(with_result=False)


@router.delete("/api/v1/rule-jobs/{job_id}", summary="Cancel a backtest or fill")
def cancel(house: House, job_id: str, by: Searcher) -> dict[str, Any]:
    """It ends after the batch it is at; a backtest keeps what it had found."""
    found = _job(house, job_id)
    _may_change(found, by)
    found.cancel()
    return found.as_json(with_result=False)


def _may_change(job: HistoryJob, by: Principal) -> None:
    if job.kind is JobKind.FILL and not by.may(Permission.RULES_WRITE):
        raise Problem(403, "Not allowed", f"{by.name} lacks {Permission.RULES_WRITE}")


def _job(house: Tocsin, job_id: str) -> HistoryJob:
    found = house.history_jobs.get(job_id)
    if found is None:
        raise Problem(404, "No such job", f"{job_id} is unknown: the latest fifty are kept")
    return found


def _started(start: Callable[[], HistoryJob]) -> dict[str, Any]:
    try:
        return start().as_json()
    except TooManyJobs as error:
        raise Problem(429, "Too many jobs", str(error)) from None
