"""One walk of a playbook: its steps as they were taken, and what it waits for."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.console.panes import attempt
from tocsin.console.visit import Missing, Needs, Visit
from tocsin.model.principal import Permission
from tocsin.model.response import Approval, Lease

router = APIRouter()
Reader = Annotated[Visit, Depends(Needs(Permission.RESPONSE_READ))]


@router.get("/runs/{run_id}")
def run(visit: Reader, run_id: str) -> Response:
    tocsin = visit.tocsin
    with tocsin.state.read() as tx:
        found = tocsin.response.run(tx, run_id)
    if found is None:
        raise Missing(f"There is no playbook run {run_id[:80]}.")

    def approvals() -> list[Approval]:
        with tocsin.state.read() as tx:
            return list(tocsin.response.approvals(tx, run_id=run_id).items)

    def leases() -> list[Lease]:
        with tocsin.state.read() as tx:
            return list(tocsin.response.leases(tx, run_id=run_id).items)

    return visit.page(
        "run.html",
        run=found,
        approvals=attempt("Its approvals", approvals),
        leases=attempt("Its leases", leases),
    )
