"""Keeps leases: containments in force, being undone, undone, or failed to be."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, or_, select, update

from tocsin.model.page import Page
from tocsin.model.response import Lease, LeaseStatus, Target
from tocsin.respond.once import insert_once
from tocsin.respond.paging import page_of
from tocsin.respond.tables import leases

IN_FORCE = (LeaseStatus.ACTIVE, LeaseStatus.UNDOING, LeaseStatus.FAILED)


class LeaseBook:
    """Leases; every method works in the caller's transaction."""

    def add(self, tx: Connection, lease: Lease) -> bool:
        """Keep a lease before its containment is made; False when it was kept before."""
        return insert_once(
            tx,
            leases,
            {
                "id": lease.id,
                "run_id": lease.run_id,
                "case_id": lease.case_id,
                "action": lease.action,
                "target_kind": lease.target.kind,
                "target_value": lease.target.value,
                "handle": lease.handle,
                "status": lease.status,
                "created_at": lease.created_at,
                "expires_at": lease.expires_at,
                "created_by": lease.created_by,
                "approved_by": lease.approved_by,
                "undone_by": "",
                "holder": "",
                "error": "",
            },
        )

    def get(self, tx: Connection, lease_id: str) -> Lease | None:
        row = tx.execute(select(leases).where(leases.c.id == lease_id)).one_or_none()
        return None if row is None else _lease(row)

    def page(
        self,
        tx: Connection,
        *,
        status: LeaseStatus | None = None,
        case_id: str | None = None,
        run_id: str | None = None,
        cursor: str | None = None,
        size: int = 50,
    ) -> Page[Lease]:
        """Those in force first, the ones that end soonest on top; then latest undone first.

        A lease is kept before its containment is made; until that is done it is not listed.
        """
        where = [or_(leases.c.status != LeaseStatus.ACTIVE, leases.c.applied_at.is_not(None))]
        if status is not None:
            where.append(leases.c.status == status)
        if case_id is not None:
            where.append(leases.c.case_id == case_id)
        if run_id is not None:
            where.append(leases.c.run_id == run_id)
        in_force_first = case((leases.c.status.in_(IN_FORCE), 0), else_=1)
        order = [in_force_first, leases.c.undone_at.desc(), leases.c.expires_at, leases.c.id]
        return page_of(tx, leases, where=where, order=order, cursor=cursor, size=size, make=_lease)

    def in_force(self, tx: Connection) -> list[Lease]:
        rows = tx.execute(
            select(leases).where(leases.c.status.in_(IN_FORCE)).order_by(leases.c.expires_at)
        )
        return [_lease(row) for row in rows]

    def applied(self, tx: Connection, lease_id: str, now: datetime) -> None:
        tx.execute(update(leases).where(leases.c.id == lease_id).values(applied_at=now))

    def was_applied(self, tx: Connection, lease_id: str) -> bool:
        applied_at = tx.execute(
            select(leases.c.applied_at).where(leases.c.id == lease_id)
        ).scalar_one_or_none()
        return applied_at is not None

    def hold(self, tx: Connection, lease_id: str, walk_id: str) -> None:
        """Note which durable run wants to hear when the lease has ended."""
        tx.execute(update(leases).where(leases.c.id == lease_id).values(holder=walk_id))

    def holder(self, tx: Connection, lease_id: str) -> str:
        return str(tx.execute(select(leases.c.holder).where(leases.c.id == lease_id)).scalar_one())

    def verified(self, tx: Connection, lease_id: str, now: datetime) -> None:
        tx.execute(update(leases).where(leases.c.id == lease_id).values(verified_at=now))

    def begin_undo(self, tx: Connection, lease_id: str, by: str) -> bool:
        """Mark a lease as being undone, keeping who asked first; False when it is undone."""
        done = tx.execute(
            update(leases)
            .where(leases.c.id == lease_id, leases.c.status.in_(IN_FORCE))
            .values(
                status=LeaseStatus.UNDOING,
                undone_by=case((leases.c.undone_by == "", by), else_=leases.c.undone_by),
            )
        )
        return done.rowcount == 1

    def undone(self, tx: Connection, lease_id: str, note: str, now: datetime) -> None:
        tx.execute(
            update(leases)
            .where(leases.c.id == lease_id)
            .values(status=LeaseStatus.UNDONE, undone_at=now, error=note)
        )

    def failed(self, tx: Connection, lease_id: str, error: str) -> None:
        tx.execute(
            update(leases)
            .where(leases.c.id == lease_id)
            .values(status=LeaseStatus.FAILED, error=error)
        )


def _lease(row: Row[Any]) -> Lease:
    return Lease(
        id=row.id,
        run_id=row.run_id,
        case_id=row.case_id,
        action=row.action,
        target=Target(row.target_kind, row.target_value),
        handle=row.handle,
        status=LeaseStatus(row.status),
        created_at=row.created_at,
        expires_at=row.expires_at,
        created_by=row.created_by,
        approved_by=row.approved_by,
        verified_at=row.verified_at,
        undone_at=row.undone_at,
        undone_by=row.undone_by,
        error=row.error,
    )
