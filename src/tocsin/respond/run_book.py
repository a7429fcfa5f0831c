"""Keeps playbook runs, the steps they took, and the exact text of every playbook run."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from tocsin.model.page import Page
from tocsin.model.response import PlaybookRun, RunStatus, RunStep, Target
from tocsin.respond.once import insert_once
from tocsin.respond.paging import page_of
from tocsin.respond.playbook import Playbook
from tocsin.respond.tables import playbook_documents, playbook_runs, run_steps

LIVE = (RunStatus.RUNNING, RunStatus.WAITING)


class RunBook:
    """Runs and their steps; every method works in the caller's transaction."""

    def add(
        self,
        tx: Connection,
        *,
        run_id: str,
        playbook: Playbook,
        case_id: str,
        target: Target,
        lease_s: int,
        inputs: dict[str, str],
        by: str,
        now: datetime,
    ) -> None:
        document = {
            "digest": playbook.digest,
            "playbook_id": playbook.id,
            "document": playbook.text,
            "stored_at": now,
        }
        insert_once(tx, playbook_documents, document)
        tx.execute(
            insert(playbook_runs).values(
                id=run_id,
                playbook_id=playbook.id,
                playbook_name=playbook.name,
                playbook_digest=playbook.digest,
                case_id=case_id,
                target_kind=target.kind,
                target_value=target.value,
                lease_s=lease_s,
                started_by=by,
                status=RunStatus.RUNNING,
                started_at=now,
                inputs=inputs,
                error="",
            )
        )

    def document(self, tx: Connection, digest: str) -> str | None:
        """The text a digest stands for."""
        return tx.execute(
            select(playbook_documents.c.document).where(playbook_documents.c.digest == digest)
        ).scalar_one_or_none()

    def get(self, tx: Connection, run_id: str) -> PlaybookRun | None:
        row = tx.execute(select(playbook_runs).where(playbook_runs.c.id == run_id)).one_or_none()
        return None if row is None else _run(row, self._steps(tx, run_id))

    def page(
        self,
        tx: Connection,
        *,
        case_id: str | None = None,
        status: RunStatus | None = None,
        cursor: str | None = None,
        size: int = 50,
    ) -> Page[PlaybookRun]:
        """Latest first, without their steps."""
        where = []
        if case_id is not None:
            where.append(playbook_runs.c.case_id == case_id)
        if status is not None:
            where.append(playbook_runs.c.status == status)
        order = [playbook_runs.c.started_at.desc(), playbook_runs.c.id.desc()]
        return page_of(
            tx, playbook_runs, where=where, order=order, cursor=cursor, size=size, make=_run
        )

    def live(self, tx: Connection) -> list[tuple[str, str, dict[str, str]]]:
        """Runs that have not ended: id, playbook digest, inputs."""
        rows = tx.execute(
            select(
                playbook_runs.c.id, playbook_runs.c.playbook_digest, playbook_runs.c.inputs
            ).where(playbook_runs.c.status.in_(LIVE))
        )
        return [(row.id, row.playbook_digest, dict(row.inputs)) for row in rows]

    def mark(self, tx: Connection, run_id: str, status: RunStatus) -> None:
        """Say a live run waits or goes on; an ended one stays as it is."""
        tx.execute(
            update(playbook_runs)
            .where(playbook_runs.c.id == run_id, playbook_runs.c.status.in_(LIVE))
            .values(status=status)
        )

    def end(
        self, tx: Connection, run_id: str, status: RunStatus, error: str, now: datetime
    ) -> bool:
        """End a live run; False when it had ended before."""
        done = tx.execute(
            update(playbook_runs)
            .where(playbook_runs.c.id == run_id, playbook_runs.c.status.in_(LIVE))
            .values(status=status, ended_at=now, error=error)
        )
        return done.rowcount == 1

    def begin_step(
        self, tx: Connection, run_id: str, key: str, step_id: str, name: str, now: datetime
    ) -> None:
        """Note that a step began; a step that is run again keeps its first start."""
        number = tx.execute(
            select(func.count()).select_from(run_steps).where(run_steps.c.run_id == run_id)
        ).scalar_one()
        insert_once(
            tx,
            run_steps,
            {
                "run_id": run_id,
                "key": key,
                "number": number,
                "step_id": step_id,
                "name": name,
                "status": "running",
                "started_at": now,
                "detail": "",
            },
        )

    def end_step(
        self, tx: Connection, run_id: str, key: str, status: str, detail: str, now: datetime | None
    ) -> None:
        """Say how a step stands; ``now`` None leaves it open (it waits)."""
        tx.execute(
            update(run_steps)
            .where(run_steps.c.run_id == run_id, run_steps.c.key == key)
            .values(status=status, detail=detail, ended_at=now)
        )

    def said(self, tx: Connection, run_id: str, key: str) -> str | None:
        """What a step that is done said when it ended; None while it is not done."""
        return tx.execute(
            select(run_steps.c.detail).where(
                run_steps.c.run_id == run_id, run_steps.c.key == key, run_steps.c.status == "done"
            )
        ).scalar_one_or_none()

    def _steps(self, tx: Connection, run_id: str) -> tuple[RunStep, ...]:
        rows = tx.execute(
            select(run_steps).where(run_steps.c.run_id == run_id).order_by(run_steps.c.number)
        )
        return tuple(
            RunStep(row.step_id, row.name, row.status, row.started_at, row.ended_at, row.detail)
            for row in rows
        )


def _run(row: Row[Any], steps: tuple[RunStep, ...] = ()) -> PlaybookRun:
    return PlaybookRun(
        id=row.id,
        playbook_id=row.playbook_id,
        playbook_name=row.playbook_name,
        case_id=row.case_id,
        started_by=row.started_by,
        status=RunStatus(row.status),
        started_at=row.started_at,
        ended_at=row.ended_at,
        inputs=dict(row.inputs),
        steps=steps,
        error=row.error,
    )
