"""Keeps the questions put to people, and their answers."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, select, update

from tocsin.model.page import Page
from tocsin.model.response import Approval, ApprovalStatus, Impact, Plan, RunStatus, Target, Verb
from tocsin.respond.once import insert_once
from tocsin.respond.paging import page_of
from tocsin.respond.tables import approvals, playbook_runs


class ApprovalBook:
    """Approvals; every method works in the caller's transaction."""

    def add(self, tx: Connection, approval: Approval, walk_id: str) -> bool:
        """Keep a new question; False when it was kept before."""
        return insert_once(
            tx,
            approvals,
            {
                "id": approval.id,
                "run_id": approval.run_id,
                "walk_id": walk_id,
                "case_id": approval.case_id,
                "plan": asdict(approval.plan),
                "plan_digest": approval.plan.digest,
                "question": approval.question,
                "asked_of": approval.asked_of,
                "requested_by": approval.requested_by,
                "status": approval.status,
                "created_at": approval.created_at,
                "expires_at": approval.expires_at,
                "decided_by": "",
                "reason": "",
            },
        )

    def get(self, tx: Connection, approval_id: str) -> Approval | None:
        row = tx.execute(select(approvals).where(approvals.c.id == approval_id)).one_or_none()
        return None if row is None else _approval(row)

    def walk_of(self, tx: Connection, approval_id: str) -> str:
        """The durable run that waits for the answer."""
        return str(
            tx.execute(
                select(approvals.c.walk_id).where(approvals.c.id == approval_id)
            ).scalar_one()
        )

    def page(
        self,
        tx: Connection,
        *,
        status: ApprovalStatus | None = None,
        case_id: str | None = None,
        run_id: str | None = None,
        cursor: str | None = None,
        size: int = 50,
    ) -> Page[Approval]:
        """Pending first, then latest first."""
        where = []
        if status is not None:
            where.append(approvals.c.status == status)
        if case_id is not None:
            where.append(approvals.c.case_id == case_id)
        if run_id is not None:
            where.append(approvals.c.run_id == run_id)
        pending_first = case((approvals.c.status == ApprovalStatus.PENDING, 0), else_=1)
        order = [pending_first, approvals.c.created_at.desc(), approvals.c.id]
        return page_of(
            tx, approvals, where=where, order=order, cursor=cursor, size=size, make=_approval
        )

    def of_run(self, tx: Connection, run_id: str) -> list[Approval]:
        """Every question of one run, oldest first."""
        rows = tx.execute(
            select(approvals)
            .where(approvals.c.run_id == run_id)
            .order_by(approvals.c.created_at, approvals.c.id)
        )
        return [_approval(row) for row in rows]

    def decide(
        self,
        tx: Connection,
        approval_id: str,
        status: ApprovalStatus,
        *,
        by: str,
        reason: str,
        now: datetime,
    ) -> bool:
        """Answer a pending question; False when it was answered before."""
        done = tx.execute(
            update(approvals)
            .where(approvals.c.id == approval_id, approvals.c.status == ApprovalStatus.PENDING)
            .values(status=status, decided_at=now, decided_by=by, reason=reason)
        )
        return done.rowcount == 1

    def decided_but_waited_for(self, tx: Connection) -> list[Approval]:
        """Answered questions whose run still waits (the answer did not reach it)."""
        rows = tx.execute(
            select(approvals)
            .join(playbook_runs, playbook_runs.c.id == approvals.c.run_id)
            .where(
                approvals.c.status.in_((ApprovalStatus.APPROVED, ApprovalStatus.DENIED)),
                playbook_runs.c.status == RunStatus.WAITING,
            )
        )
        return [_approval(row) for row in rows]

    def supersede(self, tx: Connection, approval_id: str, reason: str) -> None:
        """Void an approval whose plan is no longer what would be done."""
        open_to_change = (ApprovalStatus.PENDING, ApprovalStatus.APPROVED)
        tx.execute(
            update(approvals)
            .where(approvals.c.id == approval_id, approvals.c.status.in_(open_to_change))
            .values(status=ApprovalStatus.SUPERSEDED, reason=reason)
        )


def plan_from(content: dict[str, Any]) -> Plan:
    """A plan as it was kept (``dataclasses.asdict``, through JSON)."""
    impact = dict(content["impact"])
    target = Target(**content["target"])
    for name in ("assets", "services", "objections"):
        impact[name] = tuple(impact[name])
    return Plan(
        action=content["action"],
        verb=Verb(content["verb"]),
        target=target,
        lease_s=content["lease_s"],
        impact=Impact(**{**impact, "target": Target(**impact["target"])}),
        digest=content["digest"],
    )


def _approval(row: Row[Any]) -> Approval:
    return Approval(
        id=row.id,
        run_id=row.run_id,
        case_id=row.case_id,
        plan=plan_from(row.plan),
        question=row.question,
        asked_of=row.asked_of,
        requested_by=row.requested_by,
        status=ApprovalStatus(row.status),
        created_at=row.created_at,
        expires_at=row.expires_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        reason=row.reason,
    )
