"""Tries rules on history before they are moved: how loud each would be, and about whom."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.backtests.history_jobs import HistoryJob, JobKind, TooManyJobs
from tocsin.app.rule_jobs import NotInterrupted, resume, start_backtest
from tocsin.console.choosing import choice
from tocsin.console.pages.rule_life import asked_rules
from tocsin.console.visit import Missing, Needs, Refused, Visit, with_query
from tocsin.detect.rules.overlay import LifeState
from tocsin.model.principal import Permission
from tocsin.model.rule import RuleKind

router = APIRouter(prefix="/rules/trials")
Reader = Annotated[Visit, Depends(Needs(Permission.RULES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]
DAYS = 14
_TRIED = (JobKind.BACKTEST, JobKind.REPLAY)


@router.post("")
def start(visit: Writer) -> Response:
    """Begin to try the marked rules, or all that the filter finds."""
    written = visit.tocsin.rule_keeper.written
    state = choice(LifeState, visit.text("state"))
    if state is None:
        raise Refused("Choose a state to move to.")
    found = [rule for one in asked_rules(visit) if (rule := written.rule(one)) is not None]
    ids = [rule.id for rule in found if rule.kind is not RuleKind.HEALTH]
    if not ids:
        raise Refused("Rules that judge measurements of the platform look at no events.")
    try:
        job = start_backtest(
            visit.tocsin,
            ids,
            visit.now - timedelta(days=DAYS),
            visit.now,
            by=visit.principal.name,
            samples=0,
        )
    except TooManyJobs as error:
        raise Refused(f"It was not started: {error}.") from error
    return visit.done("", to=with_query(f"/rules/trials/{job.id}", {"state": state.value}))


@router.get("/{job_id}")
def trial(visit: Reader, job_id: str, state: str = "") -> Response:
    """How far it is, then what each rule would have found; ``state`` is where they are to go."""
    job = _job(visit, job_id, JobKind.BACKTEST)
    asked = frozenset(job.asked["rules"]) if job.asked else frozenset()
    report: dict[str, Any] = job.result or {}
    told = [one for one in report.get("rules", ()) if one["id"] in asked]
    return visit.page(
        "rule_trial.html",
        job=job,
        here=with_query(f"/rules/trials/{job.id}", {"state": state}),
        asked_count=len(asked),
        wanted=choice(LifeState, state) or LifeState.STAGING,
        report=report,
        told=told,
        quiet=sum(not one["findings"] for one in told),
        days=DAYS,
        states=list(LifeState),
    )


@router.post("/{job_id}/cancel")
def cancel(visit: Writer, job_id: str) -> Response:
    job = _job(visit, job_id, *_TRIED)
    if job.is_over:
        raise Refused("It does not run any more.")
    job.cancel()
    return visit.done("It ends; what it had gone through is shown.")


@router.post("/{job_id}/resume")
def go_on(visit: Writer, job_id: str) -> Response:
    """Go on where a stop of the server has cut it off."""
    try:
        resume(visit.tocsin, _job(visit, job_id, *_TRIED), by=visit.principal.name)
    except (NotInterrupted, TooManyJobs) as error:
        raise Refused(f"It was not started: {error}.") from error
    return visit.done("It goes on.")


def _job(visit: Visit, job_id: str, *kinds: JobKind) -> HistoryJob:
    job = visit.tocsin.history_jobs.get(job_id)
    if job is None or job.kind not in kinds:
        raise Missing("This trial is not known any more; mark the rules and try them again.")
    return job
