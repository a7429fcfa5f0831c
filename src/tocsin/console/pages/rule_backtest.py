"""Starts and stops trying a rule on stored history."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.backtest_desk import BacktestDesk
from tocsin.app.rule_choice import NoSuchRule
from tocsin.console.visit import Needs, Refused, Visit
from tocsin.detect.errors import DetectError
from tocsin.model.principal import Permission

router = APIRouter(prefix="/rules")
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]
DAYS = (1, 7, 14, 30, 90)


def backtest_desk(visit: Visit) -> BacktestDesk:
    found: BacktestDesk = visit.request.app.state.backtest_desk
    return found


@router.post("/{rule_id:path}/backtest")
def start(visit: Writer, rule_id: str) -> Response:
    days = visit.text("days")
    if not days.isdecimal() or int(days) not in DAYS:
        raise Refused("Choose how many days to go through.")
    try:
        backtest_desk(visit).start(rule_id, int(days), by=visit.principal.name, now=visit.now)
    except (DetectError, NoSuchRule) as error:
        raise Refused(f"It was not started: {error}.") from error
    return visit.done(f"Trying the rule on the last {days} days.")


@router.post("/{rule_id:path}/backtest/cancel")
def cancel(visit: Writer, rule_id: str) -> Response:
    if not backtest_desk(visit).cancel(rule_id):
        raise Refused("No backtest of this rule runs.")
    return visit.done("Canceled; what it had gone through is kept.")
