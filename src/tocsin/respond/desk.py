"""The response desk: request, approve, undo, and see what runs and what is in force."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from tocsin.model.case import EntryKind
from tocsin.model.identifier import new_id
from tocsin.model.page import Page
from tocsin.model.principal import Permission, Principal, Role
from tocsin.model.response import (
    Approval,
    ApprovalStatus,
    Lease,
    LeaseStatus,
    PlaybookRun,
    RunStatus,
    Target,
)
from tocsin.respond.asking import Asking, RunFacts
from tocsin.respond.cacao import ActionStep
from tocsin.respond.command import PLATFORM_AGENT
from tocsin.respond.decision_book import DecisionBook, DecisionRecord
from tocsin.respond.duration import duration_text
from tocsin.respond.errors import BadRequest, NotAllowed, NotFound, NotNow, RespondError
from tocsin.respond.lease_run import LeaseRun
from tocsin.respond.leasing import LEASE_RUN, UNDO_TOPIC, LeaseLocks, Leasing
from tocsin.respond.parts import Books, ResponseParts
from tocsin.respond.planner import Planner
from tocsin.respond.playbook import Playbook, PlaybookProblem, load_playbooks
from tocsin.respond.playbook_run import PLAYBOOK_RUN, PlaybookRuns
from tocsin.respond.reopening import Reopening
from tocsin.respond.simulation import SimulatedStep, simulate, usable
from tocsin.respond.target import network_of, network_target
from tocsin.respond.walker import BRANCH, initial_variables

__all__ = ["RespondError", "ResponseDesk"]

_DELEGATE = Role.OPERATIONS


class ResponseDesk:
    """What the doors use. Reads take the caller's transaction; writes make their own.

    ``open`` takes up every run, approval and lease where a crash left it; ``close`` stops
    without ending any of them.
    """

    def __init__(self, parts: ResponseParts, playbooks: Iterable[Path]) -> None:
        self._parts = parts
        self._books = Books(DecisionBook(parts.signer))
        self._planner = Planner(parts)
        loaded, problems = load_playbooks(playbooks)
        missing = [problem for playbook in loaded for problem in _missing(playbook, parts)]
        without = {problem.path for problem in missing}
        self._playbooks = {one.id: one for one in loaded if one.path not in without}
        self._problems = (*problems, *missing)
        locks = LeaseLocks()
        asking = Asking(parts, self._books, self._planner)
        leasing = Leasing(parts, self._books, self._planner, asking, locks)
        runs = PlaybookRuns(parts, self._books, self._planner, asking, leasing)
        parts.runs.register(PLAYBOOK_RUN, runs.run)
        parts.runs.register(BRANCH, runs.branch)
        parts.runs.register(LEASE_RUN, LeaseRun(parts, self._books, locks).run)
        self._reopening = Reopening(parts, self._books)

    def open(self) -> None:
        """Start the engine and mend what a crash tore apart between two stores."""
        self._parts.runs.open()
        self._reopening.mend()

    def close(self) -> None:
        self._parts.runs.close()

    def playbooks(self) -> Sequence[Playbook]:
        """Every playbook that can be run, by name."""
        return sorted(self._playbooks.values(), key=lambda playbook: playbook.name)

    def playbook_problems(self) -> Sequence[PlaybookProblem]:
        """Why the other playbooks can't be."""
        return self._problems

    def request(
        self,
        *,
        playbook_id: str,
        case_id: str,
        target: Target,
        lease_s: int,
        by: Principal,
        now: datetime,
    ) -> PlaybookRun:
        """Start a playbook for a case and a target; raises ``NotAllowed``, ``BadRequest``."""
        _need(by, Permission.RESPONSE_REQUEST)
        playbook = self._usable(playbook_id, now)
        network_of(target)
        target = network_target(target.value)
        limits = self._parts.policy.limits
        if not limits.shortest_lease_s <= lease_s <= limits.longest_lease_s:
            raise BadRequest(
                f"a lease of {lease_s} s is outside {limits.shortest_lease_s} to "
                f"{limits.longest_lease_s} s"
            )
        inputs = {
            "__address__": target.value,
            "__lease_ms__": str(lease_s * 1000),
            "__case__": case_id,
        }
        initial_variables(playbook.document, inputs)
        facts = RunFacts(new_id("run", now), case_id, by.name, playbook.digest)
        with self._parts.state.begin() as tx:
            self._books.runs.add(
                tx,
                run_id=facts.run_id,
                playbook=playbook,
                case_id=case_id,
                target=target,
                lease_s=lease_s,
                inputs=inputs,
                by=by.name,
                now=now,
            )
            text = f"started {playbook.name!r} for {target.value}, for {duration_text(lease_s)}"
            self._tell(tx, by, "response.request", facts.run_id, text, "started", case_id, now)
        self._parts.runs.start(PLAYBOOK_RUN, facts.run_id, {**facts.as_json(), "inputs": inputs})
        with self._parts.state.read() as tx:
            run = self._books.runs.get(tx, facts.run_id)
        if run is None:
            raise NotFound(f"run {facts.run_id} is gone from the state store")
        return run

    def simulate(
        self,
        playbook: Playbook | tuple[PlaybookProblem, ...],
        *,
        target: Target,
        lease_s: int,
    ) -> tuple[SimulatedStep, ...]:
        """A dry run: the same walk with every write replaced by its plan; nothing is kept.

        Takes what ``load_playbook`` gave; raises ``BadRequest`` when that was problems.
        """
        return asyncio.run(simulate(self._parts, usable(playbook), target, lease_s))

    def run(self, tx: Connection, run_id: str) -> PlaybookRun | None:
        """A run with the steps it took."""
        return self._books.runs.get(tx, run_id)

    def runs(
        self,
        tx: Connection,
        *,
        case_id: str | None = None,
        status: RunStatus | None = None,
        cursor: str | None = None,
        size: int = 50,
    ) -> Page[PlaybookRun]:
        """Latest first, without their steps."""
        return self._books.runs.page(tx, case_id=case_id, status=status, cursor=cursor, size=size)

    def approval(self, tx: Connection, approval_id: str) -> Approval | None:
        return self._books.approvals.get(tx, approval_id)

    def approvals(
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
        return self._books.approvals.page(
            tx, status=status, case_id=case_id, run_id=run_id, cursor=cursor, size=size
        )

    def decide(
        self, approval_id: str, *, approve: bool, by: Principal, reason: str, now: datetime
    ) -> Approval:
        """Answer an approval. The one who requested can't; nor can it be answered twice."""
        _need(by, Permission.RESPONSE_APPROVE)
        with self._parts.state.begin() as tx:
            approval = self._books.approvals.get(tx, approval_id)
            if approval is None:
                raise NotFound(f"no approval {approval_id}")
            _may_decide(approval, by)
            if approval.status is not ApprovalStatus.PENDING:
                raise NotNow(f"approval {approval_id} is {approval.status.value} already")
            if now >= approval.expires_at:
                raise NotNow(f"approval {approval_id} expired at {approval.expires_at:%F %T} UTC")
            status = ApprovalStatus.APPROVED if approve else ApprovalStatus.DENIED
            self._books.approvals.decide(
                tx, approval_id, status, by=by.name, reason=reason, now=now
            )
            text = f"{status.value} {approval.plan.impact.summary}: {reason}"
            case_id = approval.case_id
            self._tell(
                tx, by, "response.approval.decide", approval_id, text, status.value, case_id, now
            )
            self._sign_decision(tx, approval, status, by, reason, now)
            decided = self._books.approvals.get(tx, approval_id)
        self._reopening.send_answer(approval_id)
        if decided is None:
            raise NotFound(f"approval {approval_id} is gone from the state store")
        return decided

    def lease(self, tx: Connection, lease_id: str) -> Lease | None:
        return self._books.leases.get(tx, lease_id)

    def leases(
        self,
        tx: Connection,
        *,
        status: LeaseStatus | None = None,
        case_id: str | None = None,
        run_id: str | None = None,
        cursor: str | None = None,
        size: int = 50,
    ) -> Page[Lease]:
        """Those in force first, the ones that end soonest on top."""
        return self._books.leases.page(
            tx, status=status, case_id=case_id, run_id=run_id, cursor=cursor, size=size
        )

    def undo(self, lease_id: str, *, by: Principal, reason: str, now: datetime) -> Lease:
        """Have a lease end now; its durable run does it, so it may still be UNDOING on return."""
        _need(by, Permission.RESPONSE_UNDO)
        with self._parts.state.begin() as tx:
            lease = self._books.leases.get(tx, lease_id)
            if lease is None:
                raise NotFound(f"no lease {lease_id}")
            if lease.status in (LeaseStatus.UNDONE, LeaseStatus.UNDOING):
                raise NotNow(f"lease {lease_id} is {lease.status.value} already")
            self._books.leases.begin_undo(tx, lease_id, by.name)
            text = f"end the lease on {lease.target.value} now: {reason}"
            self._tell(tx, by, "response.undo.request", lease_id, text, "asked", lease.case_id, now)
        self._reopening.send(lease_id, UNDO_TOPIC, f"{lease_id}:{now.timestamp()}")
        with self._parts.state.read() as tx:
            return self._books.leases.get(tx, lease_id) or lease

    def decisions(self, tx: Connection, subject: str) -> list[DecisionRecord]:
        """The signed records about an approval or a lease, oldest first."""
        return self._books.decisions.of(tx, subject)

    def is_genuine(self, record: DecisionRecord) -> bool:
        """True when this platform signed exactly this record."""
        return self._books.decisions.is_genuine(record)

    def _usable(self, playbook_id: str, now: datetime) -> Playbook:
        playbook = self._playbooks.get(playbook_id)
        if playbook is None:
            raise NotFound(f"no playbook {playbook_id} (see the list of playbooks)")
        problem = playbook.not_in_force(now)
        if problem:
            raise BadRequest(f"playbook {playbook.name!r} can't be started: {problem}")
        for name in _action_names(playbook):
            self._planner.action(name)
        return playbook

    def _sign_decision(
        self,
        tx: Connection,
        approval: Approval,
        status: ApprovalStatus,
        by: Principal,
        reason: str,
        now: datetime,
    ) -> None:
        self._books.decisions.sign(
            tx,
            kind="approval",
            subject=approval.id,
            case_id=approval.case_id,
            facts={
                "run": approval.run_id,
                "decision": status.value,
                "plan": asdict(approval.plan),
                "question": approval.question,
                "asked_of": approval.asked_of,
                "requested_by": approval.requested_by,
                "decided_by": by.name,
                "via": by.via,
                "reason": reason,
            },
            now=now,
        )

    def _tell(
        self,
        tx: Connection,
        by: Principal,
        action: str,
        subject: str,
        text: str,
        outcome: str,
        case_id: str,
        now: datetime,
    ) -> None:
        kinds = {"response.request": EntryKind.PLAYBOOK, "response.undo.request": EntryKind.LEASE}
        self._parts.audit.append(
            tx,
            actor=by.name,
            action=action,
            subject=subject,
            detail=text,
            outcome=outcome,
            now=now,
        )
        self._parts.journal.record(
            tx,
            case_id,
            kind=kinds.get(action, EntryKind.APPROVAL),
            author=by.name,
            text=text,
            reference=subject,
            now=now,
        )


def _action_names(playbook: Playbook) -> list[str]:
    """The actions a playbook gives commands to, by name."""
    document = playbook.document
    steps = [step for step in document.workflow.values() if isinstance(step, ActionStep)]
    names = [
        document.agent_definitions[step.agent].name
        for step in steps
        if any(command.type != "manual" for command in step.commands)
    ]
    return sorted({name for name in names if name != PLATFORM_AGENT})


def _missing(playbook: Playbook, parts: ResponseParts) -> list[PlaybookProblem]:
    known = ", ".join(sorted(parts.actions)) or "none"
    return [
        PlaybookProblem(
            playbook.path,
            "agent_definitions",
            f"needs the action {name!r}, which is not switched on here (there are: {known})",
            is_valid=True,
        )
        for name in _action_names(playbook)
        if name not in parts.actions
    ]


def _need(by: Principal, permission: Permission) -> None:
    if not by.may(permission):
        raise NotAllowed(f"{by.name} needs the permission {permission.value}")


def _may_decide(approval: Approval, by: Principal) -> None:
    """Four eyes, and the right pair: the one asked, or operations standing in for a person."""
    if by.name == approval.requested_by:
        raise NotAllowed(f"{by.name} requested this and can't decide it; somebody else must")
    asks_a_role = approval.asked_of in set(Role)
    is_asked = approval.asked_of in by.roles if asks_a_role else approval.asked_of == by.name
    if not is_asked and _DELEGATE not in by.roles:
        raise NotAllowed(f"{approval.asked_of} is asked; {by.name} is not, nor stands in for them")
