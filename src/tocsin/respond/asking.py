"""Asks a person for a word on a plan, waits durably, and takes silence for no."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from tocsin.model.case import EntryKind
from tocsin.model.identifier import repeatable_id
from tocsin.model.response import Approval, ApprovalStatus, Plan, RunStatus
from tocsin.respond.errors import Refused, RespondError
from tocsin.respond.gate import Decision
from tocsin.respond.parts import Books, ResponseParts
from tocsin.respond.planner import Planner, Wish
from tocsin.store.durable import JsonObject, Walk


class NobodyAnswered(RespondError):
    """The deadline of an approval passed without an answer."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What never changes about the run that acts."""

    run_id: str
    case_id: str
    started_by: str
    digest: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "RunFacts":
        return cls(content["run_id"], content["case_id"], content["started_by"], content["digest"])


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Where a step stands in the run's log; ``key`` is the same on every replay."""

    key: str
    step_id: str
    name: str


def topic_of(approval_id: str) -> str:
    """The topic the answer to an approval is sent on."""
    return f"approval:{approval_id}"


class Asking:
    """Approvals as a run sees them."""

    def __init__(self, parts: ResponseParts, books: Books, planner: Planner) -> None:
        self._parts = parts
        self._books = books
        self._planner = planner

    async def ask(
        self,
        walk: Walk,
        facts: RunFacts,
        entry: LogEntry,
        wish: Wish,
        question: str,
        deadline_s: int | None,
    ) -> JsonObject:
        """The approval's id and who gave it; fails when refused, denied or not answered."""
        opened = await walk.step(
            "ask",
            lambda key: self._open(key, walk.run_id, facts, entry, wish, question, deadline_s),
        )
        await walk.wait(topic_of(opened["approval"]), opened["wait_s"])
        return await walk.step("answer", lambda _: self._settle(opened["approval"], entry))

    def _open(
        self,
        key: str,
        walk_id: str,
        facts: RunFacts,
        entry: LogEntry,
        wish: Wish,
        question: str,
        deadline_s: int | None,
    ) -> JsonObject:
        ruling = self._planner.rule(wish)
        if ruling.decision is Decision.REFUSE:
            raise Refused("; ".join(ruling.reasons))
        now = self._parts.clock()
        limits = self._parts.policy.limits
        approval = Approval(
            id=repeatable_id("approval", key),
            run_id=facts.run_id,
            case_id=facts.case_id,
            plan=ruling.plan,
            question=question,
            asked_of=ruling.asked_of or limits.ask,
            requested_by=facts.started_by,
            status=ApprovalStatus.PENDING,
            created_at=now,
            expires_at=now + timedelta(seconds=deadline_s or limits.approval_deadline_s),
        )
        with self._parts.state.begin() as tx:
            is_new = self._books.approvals.add(tx, approval, walk_id)
            kept = self._books.approvals.get(tx, approval.id) or approval
            self._books.runs.begin_step(tx, facts.run_id, entry.key, entry.step_id, entry.name, now)
            until = f"{kept.expires_at:%Y-%m-%d %H:%M:%S} UTC"
            detail = f"asked {kept.asked_of}, until {until}"
            self._books.runs.end_step(tx, facts.run_id, entry.key, "waiting", detail, None)
            self._books.runs.mark(tx, facts.run_id, RunStatus.WAITING)
            if is_new:
                self._tell(tx, kept, "response.approval.ask", detail, "asked")
        return {"approval": kept.id, "wait_s": (kept.expires_at - now).total_seconds()}

    def _settle(self, approval_id: str, entry: LogEntry) -> JsonObject:
        """Read the answer from the book: a message only says when to look."""
        now = self._parts.clock()
        with self._parts.state.begin() as tx:
            expired = self._books.approvals.decide(
                tx,
                approval_id,
                ApprovalStatus.EXPIRED,
                by="",
                reason="nobody answered in time",
                now=now,
            )
            approval = self._books.approvals.get(tx, approval_id)
            if approval is None:
                raise RespondError(f"approval {approval_id} is gone from the state store")
            self._books.runs.mark(tx, approval.run_id, RunStatus.RUNNING)
            if expired:
                detail = f"{approval.asked_of} did not answer in time"
                self._tell(tx, approval, "response.approval.expire", detail, "expired")
            if approval.status is ApprovalStatus.APPROVED:
                detail = f"approved by {approval.decided_by}: {approval.reason}"
                self._books.runs.end_step(tx, approval.run_id, entry.key, "done", detail, now)
        if approval.status is ApprovalStatus.DENIED:
            raise Refused(f"{approval.decided_by} said no: {approval.reason}")
        if approval.status is not ApprovalStatus.APPROVED:
            raise NobodyAnswered(f"{approval.asked_of} did not answer in time")
        return {"approval": approval.id, "approved_by": approval.decided_by}

    def approved(self, tx: Connection, facts: RunFacts, plan: Plan) -> Approval | None:
        """The approval of exactly this plan; approvals of what it was before become void."""
        found: Approval | None = None
        for approval in self._books.approvals.of_run(tx, facts.run_id):
            if approval.status is not ApprovalStatus.APPROVED:
                continue
            if approval.plan.digest == plan.digest:
                found = approval
            elif (approval.plan.action, approval.plan.target) == (plan.action, plan.target):
                reason = "what it would touch has changed since it was approved"
                self._books.approvals.supersede(tx, approval.id, reason)
                self._tell(tx, approval, "response.approval.supersede", reason, "superseded")
        return found

    def _tell(
        self, tx: Connection, approval: Approval, action: str, detail: str, outcome: str
    ) -> None:
        now = self._parts.clock()
        self._parts.audit.append(
            tx,
            actor=approval.requested_by,
            action=action,
            subject=approval.id,
            detail=f"{approval.plan.impact.summary}: {detail}",
            outcome=outcome,
            now=now,
        )
        self._parts.journal.record(
            tx,
            approval.case_id,
            kind=EntryKind.APPROVAL,
            author=approval.requested_by,
            text=f"{approval.plan.impact.summary}: {detail}",
            reference=approval.id,
            now=now,
        )
