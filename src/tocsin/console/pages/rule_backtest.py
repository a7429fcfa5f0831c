"""Starts trying a rule on stored history, and tells what that found."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.backtests.history_jobs import HistoryJob, TooManyJobs
from tocsin.app.rule_jobs import latest_backtest, start_backtest
from tocsin.console.finding_chart import FindingChart, day_chart
from tocsin.console.visit import Needs, Refused, Visit
from tocsin.model.principal import Permission
from tocsin.model.rule import RuleKind

router = APIRouter(prefix="/rules")
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]
DAYS = (1, 7, 14, 30, 90)


@router.post("/{rule_id:path}/backtest")
def start(visit: Writer, rule_id: str) -> Response:
    days = visit.text("days")
    if not days.isdecimal() or int(days) not in DAYS:
        raise Refused("Choose how many days to go through.")
    rule = visit.tocsin.rule_keeper.written.rule(rule_id)
    if rule is None or rule.kind is RuleKind.HEALTH:
        raise Refused("Only a rule that looks at events can be tried on them.")
    since = visit.now - timedelta(days=int(days))
    by = visit.principal.name
    try:
        start_backtest(visit.tocsin, (rule_id,), since, visit.now, by=by)
    except TooManyJobs as error:
        raise Refused(f"It was not started: {error}.") from error
    return visit.done(f"Trying the rule on the last {days} days.")


def backtest_view(visit: Visit, rule_id: str) -> dict[str, Any]:
    """The latest backtest of the rule and, once it has ended, what it says of this rule."""
    job = latest_backtest(visit.tocsin, rule_id)
    told = job.result["rules"] if job is not None and job.result else ()
    tried = next((one for one in told if one["id"] == rule_id), None)
    return {
        "backtest": job,
        "tried": tried,
        "backtest_range": _range(job) if job is not None else None,
        "backtest_chart": _chart(job, tried["per_day"]) if job is not None and tried else None,
        "backtest_days": DAYS,
    }


def _range(job: HistoryJob) -> tuple[datetime, datetime]:
    ((start, end),) = job.asked["spans"]
    return datetime.fromisoformat(start), datetime.fromisoformat(end)


def _chart(job: HistoryJob, per_day: dict[str, int]) -> FindingChart:
    start, end = _range(job)
    first: date = start.date()
    days = [first + timedelta(days=at) for at in range((end.date() - first).days + 1)]
    return day_chart([(day, per_day.get(day.isoformat(), 0)) for day in days])
