"""One case: its timeline, tasks, alerts, what is being done for it, and moving it on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.cases.casebook import CaseError, UnknownCase
from tocsin.cases.states import ALLOWED_MOVES, needs_reason
from tocsin.console.choosing import choice
from tocsin.console.panes import Pane, attempt
from tocsin.console.visit import Missing, Needs, Refused, Visit
from tocsin.model.alert import Alert
from tocsin.model.case import Case, CaseEntry, CaseStatus, CaseTask
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.principal import Permission
from tocsin.model.response import Approval, Lease, PlaybookRun
from tocsin.respond.errors import RespondError
from tocsin.respond.target import network_target

router = APIRouter(prefix="/cases")
Reader = Annotated[Visit, Depends(Needs(Permission.CASES_READ))]
Writer = Annotated[Visit, Depends(Needs(Permission.CASES_WRITE))]
Requester = Annotated[Visit, Depends(Needs(Permission.RESPONSE_REQUEST))]
_ALERTS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class ResponseOfCase:
    """What response has done for a case so far."""

    runs: tuple[PlaybookRun, ...]
    approvals: tuple[Approval, ...]
    leases: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A state the case may go to from here."""

    status: CaseStatus
    needs_reason: bool


@dataclass(frozen=True, slots=True)
class CaseView:
    """All the page shows of one case."""

    case: Case
    entries: list[CaseEntry]
    tasks: list[CaseTask]
    alerts: Pane[tuple[Alert, ...]]
    response: Pane[ResponseOfCase] | None
    moves: list[Move]
    entities: list[Entity]
    addresses: list[Entity]


@router.get("/{case_id}")
def case(visit: Reader, case_id: str) -> Response:
    tocsin = visit.tocsin
    with tocsin.state.read() as tx:
        found = tocsin.cases.get(tx, case_id)
        if found is None:
            raise Missing(f"There is no case {case_id[:80]}.")
        entries, tasks = tocsin.cases.entries(tx, case_id), tocsin.cases.tasks(tx, case_id)
    entities = [Entity.from_key(key) for key in found.entity_keys]
    view = CaseView(
        case=found,
        entries=list(reversed(entries)),
        tasks=tasks,
        alerts=attempt("Its alerts", lambda: _alerts(visit, case_id)),
        response=(
            attempt("What was done", lambda: _response(visit, case_id))
            if visit.may(Permission.RESPONSE_READ.value)
            else None
        ),
        moves=[
            Move(status, needs_reason(found.status, status))
            for status in ALLOWED_MOVES[found.status]
        ],
        entities=entities,
        addresses=[entity for entity in entities if entity.kind is EntityKind.ADDRESS],
    )
    playbooks = attempt("The playbooks", lambda: list(tocsin.response.playbooks()))
    return visit.page("case.html", view=view, case=found, playbooks=playbooks.value or [])


@router.post("/{case_id}/note")
def note(visit: Writer, case_id: str) -> Response:
    text = visit.required("text", "the text of the note")
    with visit.tocsin.state.begin() as tx, _refusing():
        visit.tocsin.cases.note(tx, case_id, author=visit.principal.name, text=text, now=visit.now)
        visit.note(tx, "cases.note", case_id)
    return visit.done("Noted.")


@router.post("/{case_id}/tasks")
def add_task(visit: Writer, case_id: str) -> Response:
    due = visit.text("due")
    try:
        due_at = datetime.fromisoformat(due).replace(tzinfo=UTC) if due else None
    except ValueError as error:
        raise Refused(f"{due[:40]!r} is not a date and time.") from error
    with visit.tocsin.state.begin() as tx, _refusing():
        visit.tocsin.cases.add_task(
            tx,
            case_id,
            title=visit.required("title", "what is to be done")[:300],
            assignee=visit.text("assignee", limit=120),
            due_at=due_at,
            by=visit.principal.name,
            now=visit.now,
        )
        visit.note(tx, "cases.add_task", case_id)
    return visit.done("Task set.")


@router.post("/{case_id}/tasks/{task_id}/finish")
def finish_task(visit: Writer, case_id: str, task_id: str) -> Response:
    with visit.tocsin.state.begin() as tx, _refusing():
        visit.tocsin.cases.finish_task(tx, task_id, by=visit.principal.name, now=visit.now)
        visit.note(tx, "cases.finish_task", case_id, task_id)
    return visit.done("Task done.")


@router.post("/{case_id}/move")
def move(visit: Writer, case_id: str) -> Response:
    status = choice(CaseStatus, visit.text("status"))
    if status is None:
        raise Refused("Please choose the state to move to.")
    with visit.tocsin.state.begin() as tx, _refusing():
        visit.tocsin.cases.move(
            tx,
            case_id,
            status=status,
            by=visit.principal.name,
            reason=visit.text("reason"),
            now=visit.now,
        )
        visit.note(tx, "cases.move", case_id, status.value)
    return visit.done(f"The case is {status.value} now.")


@router.post("/{case_id}/assign")
def assign(visit: Writer, case_id: str) -> Response:
    assignee = visit.text("assignee", limit=120)
    with visit.tocsin.state.begin() as tx, _refusing():
        visit.tocsin.cases.assign(
            tx, case_id, assignee=assignee, by=visit.principal.name, now=visit.now
        )
        visit.note(tx, "cases.assign", case_id, assignee)
    return visit.done(f"Assigned to {assignee or 'no one'}.")


@router.post("/{case_id}/contain")
def contain(visit: Requester, case_id: str) -> Response:
    """Start a playbook for an address of the case."""
    try:
        run = visit.tocsin.response.request(
            playbook_id=visit.required("playbook", "the playbook to start"),
            case_id=case_id,
            target=network_target(visit.required("target", "the address to contain")),
            lease_s=int(visit.required("lease_s", "how long it shall hold")),
            by=visit.principal,
            now=visit.now,
        )
    except (RespondError, ValueError) as error:
        raise Refused(str(error)) from error
    return visit.done(f"Started: {run.playbook_name}.", to=f"/runs/{run.id}")


@contextmanager
def _refusing() -> Iterator[None]:
    """What the case book refuses goes back to the form."""
    try:
        yield
    except UnknownCase as error:
        raise Missing(str(error)) from error
    except CaseError as error:
        raise Refused(str(error)) from error


def _alerts(visit: Visit, case_id: str) -> tuple[Alert, ...]:
    with visit.tocsin.state.read() as tx:
        return visit.tocsin.alerts.page(tx, case_id=case_id, size=_ALERTS_SHOWN).items


def _response(visit: Visit, case_id: str) -> ResponseOfCase:
    desk = visit.tocsin.response
    with visit.tocsin.state.read() as tx:
        return ResponseOfCase(
            desk.runs(tx, case_id=case_id).items,
            desk.approvals(tx, case_id=case_id).items,
            desk.leases(tx, case_id=case_id).items,
        )
