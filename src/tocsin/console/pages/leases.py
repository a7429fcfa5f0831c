"""Leases: what is contained now and until when, how to end it early, and the signed record."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.console.beside import OpenState, beside
from tocsin.console.choosing import choice
from tocsin.console.paging import PAGE_ROWS
from tocsin.console.panes import attempt
from tocsin.console.signed_records import SignedRecord, signed_records
from tocsin.console.visit import Missing, Needs, Refused, Visit
from tocsin.model.page import Page
from tocsin.model.principal import Permission
from tocsin.model.response import Lease, LeaseStatus
from tocsin.respond.errors import RespondError

router = APIRouter()
Reader = Annotated[Visit, Depends(Needs(Permission.RESPONSE_READ))]
Undoer = Annotated[Visit, Depends(Needs(Permission.RESPONSE_UNDO))]


class LeasesState(OpenState):
    """What the address of the list holds; ``open`` is the lease in the panel."""

    path = "/leases"


@router.get("/leases")
def leases(visit: Reader, query: Annotated[LeasesState, Depends()]) -> Response:
    tocsin = visit.tocsin

    def read() -> Page[Lease]:
        with tocsin.state.read() as tx:
            return tocsin.response.leases(
                tx,
                status=choice(LeaseStatus, query.status),
                cursor=query.cursor or None,
                size=PAGE_ROWS,
            )

    found = attempt("The list of leases", read)
    items = found.value.items if found.value else ()
    ids = [lease.id for lease in items]
    view = beside(query, "open", ids, "The lease", lambda lease_id: _view(visit, lease_id))
    if visit.asks_for("panel"):
        return visit.page("lease_panel_part.html", **view)
    return visit.page("leases.html", **view, leases=found, statuses=list(LeaseStatus))


@router.post("/leases/{lease_id}/undo")
def undo(visit: Undoer, lease_id: str) -> Response:
    """End a containment before its time; a durable run takes it back."""
    reason = visit.required("reason", "the reason for ending it early")
    try:
        visit.tocsin.response.undo(lease_id, by=visit.principal, reason=reason, now=visit.now)
    except RespondError as error:
        raise Refused(str(error)) from error
    return visit.done("It is being undone.")


@dataclass(frozen=True, slots=True)
class LeaseView:
    """One lease with what was signed about it and the run that made it."""

    lease: Lease
    records: list[SignedRecord]


def _view(visit: Visit, lease_id: str) -> LeaseView:
    tocsin = visit.tocsin
    with tocsin.state.read() as tx:
        lease = tocsin.response.lease(tx, lease_id)
        if lease is None:
            raise Missing(f"There is no lease {lease_id[:80]}.")
        return LeaseView(lease, signed_records(visit, tx, lease_id))
