"""Playbooks, their runs, approvals and leases."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.plain import as_json, page_json
from tocsin.model.principal import Permission, Principal
from tocsin.model.response import ApprovalStatus, LeaseStatus, RunStatus, Target

router = APIRouter(prefix="/api/v1", tags=["respond"])
_reads = Depends(needs(Permission.RESPONSE_READ))
Requester = Annotated[Principal, Depends(needs(Permission.RESPONSE_REQUEST))]
Approver = Annotated[Principal, Depends(needs(Permission.RESPONSE_APPROVE))]
Undoer = Annotated[Principal, Depends(needs(Permission.RESPONSE_UNDO))]
Size = Annotated[int, Query(ge=1, le=1000)]


@router.get("/playbooks", dependencies=[_reads], summary="List playbooks")
def playbooks(house: House) -> dict[str, Any]:
    """Every playbook that can be run."""
    return {
        "playbooks": [
            {"id": one.id, "name": one.name, "description": one.description}
            for one in house.response.playbooks()
        ]
    }


class NewRun(BaseModel):
    """A playbook to start for a case."""

    playbook_id: str
    case_id: str
    target_kind: str = Field(description="OpenC2 target type: ipv4_net, ipv6_net …")
    target: str
    lease_s: int | None = Field(None, ge=10)


@router.post("/runs", status_code=202, summary="Start a playbook")
def start_run(house: House, new: NewRun, by: Requester) -> dict[str, Any]:
    """The run goes on durably; its approval, if it needs one, appears under /approvals."""
    with house.state.read() as tx:
        if house.cases.get(tx, new.case_id) is None:
            raise Problem(404, "No such case", f"{new.case_id} does not exist")
    run = house.response.request(
        playbook_id=new.playbook_id,
        case_id=new.case_id,
        target=Target(new.target_kind, new.target),
        lease_s=new.lease_s or house.settings.respond.default_lease_s,
        by=by,
        now=datetime.now(UTC),
    )
    return dict(as_json(run))


@router.get("/runs", dependencies=[_reads], summary="List playbook runs")
def runs(
    house: House,
    case: str | None = None,
    status: RunStatus | None = None,
    cursor: str | None = None,
    size: Size = 50,
) -> dict[str, Any]:
    """Runs, latest first."""
    with house.state.read() as tx:
        return page_json(
            "runs", house.response.runs(tx, case_id=case, status=status, cursor=cursor, size=size)
        )


@router.get("/runs/{run_id}", dependencies=[_reads], summary="One playbook run")
def run(house: House, run_id: str) -> dict[str, Any]:
    """The run with every step it took."""
    with house.state.read() as tx:
        found = house.response.run(tx, run_id)
    if found is None:
        raise Problem(404, "No such run", f"{run_id} does not exist")
    return dict(as_json(found))


@router.get("/approvals", dependencies=[_reads], summary="List approvals")
def approvals(
    house: House, status: ApprovalStatus | None = None, cursor: str | None = None, size: Size = 50
) -> dict[str, Any]:
    """Questions to people, pending first."""
    with house.state.read() as tx:
        return page_json(
            "approvals", house.response.approvals(tx, status=status, cursor=cursor, size=size)
        )


class Decision(BaseModel):
    """A person's word on a plan; ``digest`` is the plan they have seen."""

    approve: bool
    reason: str = Field(min_length=3, max_length=2000)


@router.post("/approvals/{approval_id}/decide", summary="Approve or deny")
def decide(house: House, approval_id: str, decision: Decision, by: Approver) -> dict[str, Any]:
    """Bound to the plan's hash; the one who asked can't approve."""
    return dict(
        as_json(
            house.response.decide(
                approval_id,
                approve=decision.approve,
                by=by,
                reason=decision.reason,
                now=datetime.now(UTC),
            )
        )
    )


@router.get("/leases", dependencies=[_reads], summary="List leases")
def leases(
    house: House, status: LeaseStatus | None = None, cursor: str | None = None, size: Size = 50
) -> dict[str, Any]:
    """Containments, those in force first."""
    with house.state.read() as tx:
        return page_json(
            "leases", house.response.leases(tx, status=status, cursor=cursor, size=size)
        )


class Undo(BaseModel):
    """Why a containment ends early."""

    reason: str = Field(min_length=3, max_length=2000)


@router.post("/leases/{lease_id}/undo", summary="End a lease now")
def undo(house: House, lease_id: str, why: Undo, by: Undoer) -> dict[str, Any]:
    """The undo is a durable run; the answer shows the lease as it stands."""
    return dict(
        as_json(house.response.undo(lease_id, by=by, reason=why.reason, now=datetime.now(UTC)))
    )
