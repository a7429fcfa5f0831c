"""Makes a containment as a lease: gate, approval, write, and the run that ends it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from tocsin.model.case import EntryKind
from tocsin.model.identifier import repeatable_id
from tocsin.model.response import Lease, LeaseStatus, RunStatus
from tocsin.respond.asking import Asking, LogEntry, RunFacts
from tocsin.respond.errors import ActionFailed, NotFound, Refused, RespondError
from tocsin.respond.gate import Decision
from tocsin.respond.parts import Books, ResponseParts
from tocsin.respond.planner import Planner, Wish
from tocsin.store.durable import DurableError, JsonObject, Walk

LEASE_RUN = "respond.lease"
UNDO_TOPIC = "undo"
_MOST_ASKED = 5
_GRACE_S = 900


class LeaseLocks:
    """One lock a lease, so that making a containment and undoing it never overlap."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def held(self, lease_id: str) -> Iterator[None]:
        with self._guard:
            lock, users = self._locks.get(lease_id, (threading.Lock(), 0))
            self._locks[lease_id] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._locks[lease_id]
                if users == 1:
                    del self._locks[lease_id]
                else:
                    self._locks[lease_id] = (lock, users - 1)


def ended_topic(lease_id: str) -> str:
    """The topic on which the run that holds a lease hears that it has ended."""
    return f"lease:{lease_id}"


class Leasing:
    """Leases as a playbook run sees them."""

    def __init__(
        self,
        parts: ResponseParts,
        books: Books,
        planner: Planner,
        asking: Asking,
        locks: LeaseLocks,
    ) -> None:
        self._parts = parts
        self._books = books
        self._planner = planner
        self._asking = asking
        self._locks = locks

    async def contain(self, walk: Walk, facts: RunFacts, entry: LogEntry, wish: Wish) -> JsonObject:
        """Contain after the gate and, where it says so, a person agreed to exactly this plan."""
        for _ in range(_MOST_ASKED):
            passed = await walk.step("gate", lambda _: self._pass_gate(facts, entry, wish))
            if passed["must_ask"]:
                await self._asking.ask(walk, facts, entry, wish, passed["question"], None)
                continue
            granted = await walk.step("grant", partial(self._grant, facts, wish, passed))
            await walk.child(LEASE_RUN, granted["lease"], {"lease": granted["lease"]})
            made = await walk.step(
                "apply", partial(self._apply, facts, entry, wish, granted, passed)
            )
            if made["applied"]:
                return granted
        raise RespondError(f"the plan changed {_MOST_ASKED} times while it was being approved")

    def _pass_gate(self, facts: RunFacts, entry: LogEntry, wish: Wish) -> JsonObject:
        ruling = self._planner.rule(wish)
        now = self._parts.clock()
        with self._parts.state.begin() as tx:
            self._books.runs.begin_step(tx, facts.run_id, entry.key, entry.step_id, entry.name, now)
            approval = self._asking.approved(tx, facts, ruling.plan)
        if ruling.decision is Decision.REFUSE:
            raise Refused("; ".join(ruling.reasons))
        is_automatic = ruling.decision is Decision.AUTO
        return {
            "must_ask": not is_automatic and approval is None,
            "question": f"May we {ruling.plan.impact.summary}?",
            "digest": ruling.plan.digest,
            "approved_by": "policy" if approval is None else approval.decided_by,
        }

    def _grant(self, facts: RunFacts, wish: Wish, passed: JsonObject, key: str) -> JsonObject:
        """Keep the lease before the write, so that a crash leaves nothing that isn't undone."""
        now = self._parts.clock()
        action = self._planner.action(wish.action)
        lease = Lease(
            id=repeatable_id("lease", key),
            run_id=facts.run_id,
            case_id=facts.case_id,
            action=wish.action,
            target=wish.target,
            handle=action.handle_of(key, wish.target),
            status=LeaseStatus.ACTIVE,
            created_at=now,
            expires_at=now + timedelta(seconds=wish.lease_s),
            created_by=facts.started_by,
            approved_by=passed["approved_by"],
        )
        with self._parts.state.begin() as tx:
            if self._books.leases.add(tx, lease):
                self._audit(tx, lease, "response.contain", "about to be made", "started")
            kept = self._books.leases.get(tx, lease.id) or lease
        return {
            "lease": kept.id,
            "key": key,
            "expires_at": kept.expires_at.isoformat(timespec="seconds"),
            "expires_ms": str(int(kept.expires_at.timestamp() * 1000)),
        }

    def _apply(
        self,
        facts: RunFacts,
        entry: LogEntry,
        wish: Wish,
        granted: JsonObject,
        passed: JsonObject,
        _: str,
    ) -> JsonObject:
        with self._locks.held(granted["lease"]):
            lease = self._lease(granted["lease"])
            now = self._parts.clock()
            if lease.status is not LeaseStatus.ACTIVE or now >= lease.expires_at:
                raise ActionFailed("the lease had ended before its containment was made")
            ruling = self._planner.rule(wish)
            same = ruling.plan.digest == passed["digest"]
            if ruling.decision is Decision.REFUSE or not same:
                self._give_up(lease, "never made: what it would touch has changed")
                return {"applied": False}
            self._write(lease, granted["key"])
            self._made(facts, entry, lease, passed)
        return {"applied": True}

    def _write(self, lease: Lease, key: str) -> None:
        action = self._planner.action(lease.action)
        try:
            handle = action.apply(key, lease.target, lease.expires_at)
        except Exception as error:
            with self._parts.state.begin() as tx:
                self._books.leases.begin_undo(tx, lease.id, "tocsin")
                self._audit(tx, lease, "response.contain", str(error), "failed")
            self._ask_for_undo(lease.id)
            raise ActionFailed(f"{lease.action} could not be applied: {error}") from error
        if handle != lease.handle:
            raise ActionFailed(f"{lease.action} gave handle {handle!r}, not {lease.handle!r}")

    def _made(self, facts: RunFacts, entry: LogEntry, lease: Lease, passed: JsonObject) -> None:
        now = self._parts.clock()
        until = f"{lease.expires_at:%Y-%m-%d %H:%M:%S} UTC"
        text = f"{lease.action}: {lease.target.value} contained until {until}"
        with self._parts.state.begin() as tx:
            if self._books.leases.was_applied(tx, lease.id):
                return
            self._books.leases.applied(tx, lease.id, now)
            self._audit(tx, lease, "response.contain", text, "done")
            self._books.runs.end_step(tx, facts.run_id, entry.key, "done", text, now)
            self._journal(tx, lease, EntryKind.LEASE, text)
            self._books.decisions.sign(
                tx,
                kind="lease",
                subject=lease.id,
                case_id=lease.case_id,
                facts={
                    "run": lease.run_id,
                    "action": lease.action,
                    "target": asdict(lease.target),
                    "handle": lease.handle,
                    "plan_digest": passed["digest"],
                    "requested_by": lease.created_by,
                    "approved_by": lease.approved_by,
                    "expires_at": until,
                },
                now=now,
            )

    def verify(self, facts: RunFacts, entry: LogEntry, lease_id: str) -> JsonObject:
        """Look whether the containment stands; fails when it does not.

        Done again after a crash, it says what it had already said: by then the lease may be over.
        """
        now = self._parts.clock()
        with self._parts.state.begin() as tx:
            self._books.runs.begin_step(tx, facts.run_id, entry.key, entry.step_id, entry.name, now)
            said = self._books.runs.said(tx, facts.run_id, entry.key)
        if said is not None:
            return {"status": LeaseStatus.ACTIVE.value, "why": said}
        lease = self._lease(lease_id)
        if lease.status is not LeaseStatus.ACTIVE:
            by = f" by {lease.undone_by}" if lease.undone_by else ""
            raise ActionFailed(
                f"the lease ended{by} before its containment was verified (it is "
                f"{lease.status.value}), so nothing is contained"
            )
        verdict = self._planner.action(lease.action).verify(lease.handle)
        if not verdict.holds:
            raise ActionFailed(f"{lease.target.value} is not contained: {verdict.why}")
        with self._parts.state.begin() as tx:
            self._books.leases.verified(tx, lease.id, now)
            self._books.runs.end_step(tx, facts.run_id, entry.key, "done", verdict.why, now)
            self._journal(tx, lease, EntryKind.ACTION, f"verified: {verdict.why}")
        return {"status": lease.status.value, "why": verdict.why}

    async def hold(
        self, walk: Walk, facts: RunFacts, entry: LogEntry, lease_id: str, end_now: bool
    ) -> JsonObject:
        """Wait until the lease has ended (or end it now) and see that it is undone."""
        held = await walk.step(
            "hold", lambda _: self._hold(walk.run_id, facts, entry, lease_id, end_now)
        )
        if held["wait_s"] > 0:
            await walk.wait(ended_topic(lease_id), held["wait_s"])
        return await walk.step("ended", lambda _: self._ended(facts, entry, lease_id))

    def _hold(
        self, walk_id: str, facts: RunFacts, entry: LogEntry, lease_id: str, end_now: bool
    ) -> JsonObject:
        now = self._parts.clock()
        with self._parts.state.begin() as tx:
            lease = self._books.leases.get(tx, lease_id)
            if lease is None:
                raise NotFound(f"no lease {lease_id}")
            self._books.leases.hold(tx, lease_id, walk_id)
            self._books.runs.begin_step(tx, facts.run_id, entry.key, entry.step_id, entry.name, now)
            if lease.status is LeaseStatus.UNDONE:
                return {"wait_s": 0}
            until = f"{lease.expires_at:%Y-%m-%d %H:%M:%S} UTC"
            detail = "undoing" if end_now else f"holds until {until}"
            self._books.runs.end_step(tx, facts.run_id, entry.key, "waiting", detail, None)
            self._books.runs.mark(tx, facts.run_id, RunStatus.WAITING)
        if end_now:
            self._ask_for_undo(lease_id)
            return {"wait_s": _GRACE_S}
        return {"wait_s": max((lease.expires_at - now).total_seconds(), 0) + _GRACE_S}

    def _ended(self, facts: RunFacts, entry: LogEntry, lease_id: str) -> JsonObject:
        now = self._parts.clock()
        with self._parts.state.begin() as tx:
            self._books.runs.mark(tx, facts.run_id, RunStatus.RUNNING)
            lease = self._books.leases.get(tx, lease_id)
            if lease is None:
                raise NotFound(f"no lease {lease_id}")
            why = f"undone by {lease.undone_by}"
            if lease.status is LeaseStatus.UNDONE:
                self._books.runs.end_step(tx, facts.run_id, entry.key, "done", why, now)
        if lease.status is not LeaseStatus.UNDONE:
            raise ActionFailed(f"the lease is over but still in force: {lease.error}")
        return {"status": lease.status.value, "why": why}

    def _give_up(self, lease: Lease, note: str) -> None:
        with self._parts.state.begin() as tx:
            self._books.leases.undone(tx, lease.id, note, self._parts.clock())
            self._audit(tx, lease, "response.contain", note, "not done")
        self._ask_for_undo(lease.id)

    def _ask_for_undo(self, lease_id: str) -> None:
        """Wake the lease's own run; should that fail, the run still looks at the end of the lease."""
        try:
            self._parts.runs.send(lease_id, UNDO_TOPIC, {}, f"{lease_id}:undo")
        except DurableError:
            return

    def _lease(self, lease_id: str) -> Lease:
        with self._parts.state.read() as tx:
            lease = self._books.leases.get(tx, lease_id)
        if lease is None:
            raise NotFound(f"no lease {lease_id}")
        return lease

    def _audit(self, tx: Connection, lease: Lease, action: str, detail: str, outcome: str) -> None:
        self._parts.audit.append(
            tx,
            actor=lease.created_by,
            action=action,
            subject=lease.id,
            detail=f"{lease.action} {lease.target.value}: {detail}",
            outcome=outcome,
            now=self._parts.clock(),
        )

    def _journal(self, tx: Connection, lease: Lease, kind: EntryKind, text: str) -> None:
        self._parts.journal.record(
            tx,
            lease.case_id,
            kind=kind,
            author=lease.created_by,
            text=text,
            reference=lease.id,
            now=self._parts.clock(),
        )
