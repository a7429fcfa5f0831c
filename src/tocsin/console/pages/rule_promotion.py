"""Tries rules on history before they are moved: how loud each would be, and about whom."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.history_jobs import HistoryJob, TooManyJobs
from tocsin.app.rule_jobs import start_backtest
from tocsin.console.choosing import choice
from tocsin.console.pages.rule_life import asked_rules
from tocsin.console.visit import Missing, Needs, Refused, Visit
from tocsin.detect.overlay import LifeState
from tocsin.model.principal import Permission
from tocsin.model.rule import RuleKind

router = APIRouter(prefix="/rules/trials")
Reader = Annotated[Visit, Depends(Needs(Permission.RULES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]
DAYS = 14
_KEPT = 50


@dataclass(frozen=True, slots=True)
class Trial:
    """What a job tries: the rules somebody wants to move, and where to."""

    rule_ids: frozenset[str]
    state: LifeState


class Trials:
    """The latest trials by the ids of their jobs."""

    def __init__(self) -> None:
        self._by_job: dict[str, Trial] = {}

    def keep(self, job: HistoryJob, trial: Trial) -> None:
        self._by_job[job.id] = trial
        while len(self._by_job) > _KEPT:
            self._by_job.pop(next(iter(self._by_job)), None)

    def get(self, job_id: str) -> Trial | None:
        return self._by_job.get(job_id)


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
    _trials(visit).keep(job, Trial(frozenset(ids), state))
    return visit.done("", to=f"/rules/trials/{job.id}")


@router.get("/{job_id}")
def trial(visit: Reader, job_id: str) -> Response:
    job, asked = visit.tocsin.history_jobs.get(job_id), _trials(visit).get(job_id)
    if job is None or asked is None:
        raise Missing("This trial is not known any more; mark the rules and try them again.")
    report: dict[str, Any] = job.result or {}
    told = [one for one in report.get("rules", ()) if one["id"] in asked.rule_ids]
    return visit.page(
        "rule_trial.html",
        job=job,
        asked=asked,
        report=report,
        told=told,
        quiet=sum(not one["findings"] for one in told),
        days=DAYS,
        states=list(LifeState),
    )


@router.post("/{job_id}/cancel")
def cancel(visit: Writer, job_id: str) -> Response:
    job = visit.tocsin.history_jobs.get(job_id)
    if job is None or job.is_over or _trials(visit).get(job_id) is None:
        raise Refused("It does not run any more.")
    job.cancel()
    return visit.done("It ends; what it had gone through is shown.")


def _trials(visit: Visit) -> Trials:
    found: Trials = visit.request.app.state.trials
    return found
