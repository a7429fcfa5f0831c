"""The durable run behind every lease: it waits for the end, undoes, verifies, and retries."""

from datetime import datetime

import structlog
from sqlalchemy import Connection

from tocsin.model.case import EntryKind
from tocsin.model.response import Lease, LeaseStatus
from tocsin.respond.errors import ActionFailed
from tocsin.respond.leasing import UNDO_TOPIC, LeaseLocks, ended_topic
from tocsin.respond.parts import Books, ResponseParts
from tocsin.store.durable import DurableError, JsonObject, StepFailed, Walk

EXPIRY = "expiry"
_log = structlog.get_logger()
_LONGEST_PAUSE_S = 3600.0


class LeaseRun:
    """Ends leases. It never gives up: a failed undo is shown as FAILED and tried again."""

    def __init__(self, parts: ResponseParts, books: Books, locks: LeaseLocks) -> None:
        self._parts = parts
        self._books = books
        self._locks = locks

    async def run(self, walk: Walk, inputs: JsonObject) -> JsonObject:
        lease_id: str = inputs["lease"]
        left = await walk.step("until", lambda _: self._left(lease_id))
        await walk.wait(UNDO_TOPIC, left["seconds"])
        pause_s = 1.0
        while True:
            if await self._tried(walk, lease_id):
                break
            await walk.wait(UNDO_TOPIC, pause_s)  # a person may ask to try again at once
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        return await walk.step("tell", lambda _: self._tell(lease_id))

    async def _tried(self, walk: Walk, lease_id: str) -> bool:
        """One attempt; False when it has to be made again, whatever went wrong."""
        try:
            tried = await walk.step("undo", lambda _: self._undo_once(lease_id))
        except StepFailed as error:
            _log.error("an undo could not be recorded", lease=lease_id, reason=error.reason)
            return False
        return bool(tried["undone"])

    def _left(self, lease_id: str) -> JsonObject:
        with self._parts.state.read() as tx:
            lease = self._books.leases.get(tx, lease_id)
        if lease is None or lease.status is LeaseStatus.UNDONE:
            return {"seconds": 0.0}
        left = (lease.expires_at - self._parts.clock()).total_seconds()
        return {"seconds": max(left, 0.0)}

    def _undo_once(self, lease_id: str) -> JsonObject:
        """One attempt; what goes wrong is kept with the lease instead of raised."""
        with self._locks.held(lease_id):
            lease = self._begin(lease_id)
            if lease is None:
                return {"undone": True}
            try:
                self._undo(lease)
            except Exception as error:
                self._failed(lease, str(error) or type(error).__name__)
                return {"undone": False}
            self._done(lease)
        return {"undone": True}

    def _begin(self, lease_id: str) -> Lease | None:
        with self._parts.state.begin() as tx:
            if not self._books.leases.begin_undo(tx, lease_id, EXPIRY):
                return None
            lease = self._books.leases.get(tx, lease_id)
            if lease is not None:
                self._audit(tx, lease, "about to be undone", "started")
        return lease

    def _undo(self, lease: Lease) -> None:
        action = self._parts.actions.get(lease.action)
        if action is None:
            raise ActionFailed(f"no action is named {lease.action!r} any more; undo it by hand")
        action.undo(lease.handle)
        verdict = action.verify(lease.handle)
        if verdict.holds:
            raise ActionFailed(f"still in force after the undo: {verdict.why}")

    def _done(self, lease: Lease) -> None:
        now = self._parts.clock()
        with self._parts.state.begin() as tx:
            was_made = self._books.leases.was_applied(tx, lease.id)
            note = "" if was_made else lease.error or "its containment was never made"
            self._books.leases.undone(tx, lease.id, note, now)
            self._audit(tx, lease, f"undone by {lease.undone_by}", "done")
            text = f"{lease.action}: {lease.target.value} is free again ({lease.undone_by})"
            self._journal(tx, lease, text)
            self._sign(tx, lease, now)

    def _sign(self, tx: Connection, lease: Lease, now: datetime) -> None:
        self._books.decisions.sign(
            tx,
            kind="undo",
            subject=lease.id,
            case_id=lease.case_id,
            facts={
                "run": lease.run_id,
                "action": lease.action,
                "handle": lease.handle,
                "undone_by": lease.undone_by,
            },
            now=now,
        )

    def _failed(self, lease: Lease, error: str) -> None:
        with self._parts.state.begin() as tx:
            self._books.leases.failed(tx, lease.id, error)
            self._audit(tx, lease, error, "failed")
            if lease.error != error:  # told once, not at every attempt
                text = f"{lease.action}: undo of {lease.target.value} failed: {error}"
                self._journal(tx, lease, text)

    def _tell(self, lease_id: str) -> JsonObject:
        """Tell the playbook run that holds the lease, if one does."""
        with self._parts.state.read() as tx:
            lease = self._books.leases.get(tx, lease_id)
            holder = "" if lease is None else self._books.leases.holder(tx, lease_id)
        if holder:
            try:
                self._parts.runs.send(holder, ended_topic(lease_id), {}, f"{lease_id}:ended")
            except DurableError:
                return {"told": False}  # the holder is gone; nobody waits
        return {"told": bool(holder)}

    def _audit(self, tx: Connection, lease: Lease, detail: str, outcome: str) -> None:
        self._parts.audit.append(
            tx,
            actor=lease.undone_by or EXPIRY,
            action="response.undo",
            subject=lease.id,
            detail=f"{lease.action} {lease.target.value}: {detail}",
            outcome=outcome,
            now=self._parts.clock(),
        )

    def _journal(self, tx: Connection, lease: Lease, text: str) -> None:
        try:
            self._parts.journal.record(
                tx,
                lease.case_id,
                kind=EntryKind.LEASE,
                author=lease.undone_by,
                text=text,
                reference=lease.id,
                now=self._parts.clock(),
            )
        except Exception as error:  # an undo must not depend on the case it was made for
            _log.error("a case could not be told", case=lease.case_id, reason=str(error))
