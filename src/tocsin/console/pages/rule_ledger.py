"""What a rule has looked at and what it missed, and filling that."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.app.backtests.history_jobs import JobKind, TooManyJobs
from tocsin.app.explaining.rule_ledger import ledger_of
from tocsin.app.rule_jobs import start_fill
from tocsin.console.panes import attempt
from tocsin.console.visit import Needs, Refused, Visit
from tocsin.model.principal import Permission

router = APIRouter(prefix="/rules")
Writer = Annotated[Visit, Depends(Needs(Permission.RULES_WRITE))]


def ledger_view(visit: Visit, rule_id: str) -> dict[str, Any]:
    """What the tab shows: the ledger, and the fill that waits or runs."""
    jobs = visit.tocsin.history_jobs.all(rule_id)
    return {
        "ledger": attempt("Its ledger", lambda: ledger_of(visit.tocsin, rule_id)),
        "filling": next(
            (job for job in jobs if job.kind is JobKind.FILL and not job.is_over), None
        ),
    }


@router.post("/{rule_id:path}/fill")
def fill(visit: Writer, rule_id: str) -> Response:
    """Let the rule look at every gap of its."""
    ledger = ledger_of(visit.tocsin, rule_id)
    if ledger is None or not ledger.looks.in_force:
        raise Refused("The rule is not in force: put it into staging or active first.")
    spans = [(gap.since, gap.until or visit.now) for gap in ledger.looks.gaps]
    if not spans:
        raise Refused("It has missed nothing.")
    try:
        start_fill(visit.tocsin, rule_id, spans, by=visit.principal.name)
    except TooManyJobs as error:
        raise Refused(f"It was not started: {error}.") from error
    return visit.done("It looks at what it missed; this page tells how far it is.")
