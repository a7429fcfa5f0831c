"""Approvals: what an action would touch, what speaks against it, and a person's word on it."""

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
from tocsin.model.asset import BusinessService
from tocsin.model.page import Page
from tocsin.model.principal import Permission
from tocsin.model.response import Approval, ApprovalStatus
from tocsin.respond.errors import RespondError

router = APIRouter()
Reader = Annotated[Visit, Depends(Needs(Permission.RESPONSE_READ))]
Approver = Annotated[Visit, Depends(Needs(Permission.RESPONSE_APPROVE))]


class ApprovalsState(OpenState):
    """What the address of the list holds; ``open`` is the approval in the panel."""

    path = "/approvals"


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """One question, the services it would touch, and why this person can't answer it, if so."""

    approval: Approval
    services: list[BusinessService]
    hindrance: str
    records: list[SignedRecord]


@router.get("/approvals")
def approvals(visit: Reader, query: Annotated[ApprovalsState, Depends()]) -> Response:
    tocsin = visit.tocsin

    def read() -> Page[Approval]:
        with tocsin.state.read() as tx:
            return tocsin.response.approvals(
                tx,
                status=choice(ApprovalStatus, query.status),
                cursor=query.cursor or None,
                size=PAGE_ROWS,
            )

    found = attempt("The list of approvals", read)
    items = found.value.items if found.value else ()
    ids = [approval.id for approval in items]
    view = beside(query, "open", ids, "The approval", lambda approval_id: _view(visit, approval_id))
    if visit.asks_for("panel"):
        return visit.page("approval_panel_part.html", **view)
    return visit.page("approvals.html", **view, approvals=found, statuses=list(ApprovalStatus))


@router.post("/approvals/{approval_id}/decide")
def decide(visit: Approver, approval_id: str) -> Response:
    """Approve or deny with a reason; the answer is bound to the plan that was shown."""
    word = visit.text("word")
    if word not in ("approve", "deny"):
        raise Refused("Please choose to approve or to deny.")
    reason = visit.required("reason", "the reason for your decision")
    try:
        visit.tocsin.response.decide(
            approval_id,
            approve=word == "approve",
            by=visit.principal,
            reason=reason,
            now=visit.now,
        )
    except RespondError as error:
        raise Refused(str(error)) from error
    return visit.done("Approved." if word == "approve" else "Denied.")


def _view(visit: Visit, approval_id: str) -> ApprovalView:
    tocsin = visit.tocsin
    with tocsin.state.read() as tx:
        approval = tocsin.response.approval(tx, approval_id)
        if approval is None:
            raise Missing(f"There is no approval {approval_id[:80]}.")
        records = signed_records(visit, tx, approval_id)
    named = [tocsin.assets.service(name) for name in approval.plan.impact.services]
    return ApprovalView(
        approval,
        [service for service in named if service],
        _hindrance(visit, approval),
        records,
    )


def _hindrance(visit: Visit, approval: Approval) -> str:
    if approval.status is not ApprovalStatus.PENDING:
        return f"This question is {approval.status.value}."
    if not visit.may(Permission.RESPONSE_APPROVE.value):
        return "Your roles don't include approving; those who do see this question too."
    if approval.requested_by == visit.principal.name:
        return "You asked for this, so someone else must decide."
    if approval.plan.impact.forbidden:
        return "A never-touch entry forbids this; it can only be denied."
    return ""
