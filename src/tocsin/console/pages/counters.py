"""The small live numbers of the menu; the lists themselves are never moved under the cursor."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.console.panes import attempt
from tocsin.console.visit import Needs, Visit
from tocsin.ingest.sources.silence import find_silent
from tocsin.model.alert import AlertStatus
from tocsin.model.case import CaseStatus
from tocsin.model.principal import Permission
from tocsin.model.response import ApprovalStatus, LeaseStatus

router = APIRouter()
SignedIn = Annotated[Visit, Depends(Needs())]


@router.get("/counters")
def counters(visit: SignedIn, known: int = -1) -> Response:
    """Each counter this person may see; ``known`` is how many alerts their list was made from."""
    numbers: dict[str, int | None] = {}
    total = known
    for name, permission, count in _COUNTERS:
        if visit.may(permission.value):
            numbers[name] = attempt(name, lambda count=count: count(visit)).value  # type: ignore[misc]
    if known >= 0 and visit.may(Permission.ALERTS_READ.value):
        total = attempt("alerts", lambda: alert_total(visit)).value or known
    return visit.page("counters.html", numbers=numbers, fresh=max(0, total - known))


def alert_total(visit: Visit) -> int:
    """How many alerts there are, whatever their status."""
    with visit.tocsin.state.read() as tx:
        return sum(visit.tocsin.alerts.counts(tx).values())


def _new_alerts(visit: Visit) -> int:
    with visit.tocsin.state.read() as tx:
        return visit.tocsin.alerts.counts(tx)[AlertStatus.NEW]


def _open_cases(visit: Visit) -> int:
    with visit.tocsin.state.read() as tx:
        return sum(
            visit.tocsin.cases.page(tx, status=status, size=1).total
            for status in (CaseStatus.OPEN, CaseStatus.INVESTIGATING)
        )


def _pending_approvals(visit: Visit) -> int:
    with visit.tocsin.state.read() as tx:
        return visit.tocsin.response.approvals(tx, status=ApprovalStatus.PENDING, size=1).total


def _active_leases(visit: Visit) -> int:
    with visit.tocsin.state.read() as tx:
        return visit.tocsin.response.leases(tx, status=LeaseStatus.ACTIVE, size=1).total


def _silent_sources(visit: Visit) -> int:
    with visit.tocsin.state.read() as tx:
        return len(find_silent(visit.tocsin.sources.sources(tx)))


_COUNTERS: tuple[tuple[str, Permission, Callable[[Visit], int]], ...] = (
    ("alerts", Permission.ALERTS_READ, _new_alerts),
    ("cases", Permission.CASES_READ, _open_cases),
    ("approvals", Permission.RESPONSE_READ, _pending_approvals),
    ("leases", Permission.RESPONSE_READ, _active_leases),
    ("silent", Permission.SOURCES_READ, _silent_sources),
)
