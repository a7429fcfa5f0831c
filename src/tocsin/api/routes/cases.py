"""Cases: open, read, note, task, move, assign."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from tocsin.api.guard import House, needs
from tocsin.api.problem import Problem
from tocsin.app.plain import as_json, page_json
from tocsin.model.case import CaseStatus
from tocsin.model.principal import Permission, Principal

router = APIRouter(prefix="/api/v1/cases", tags=["cases"])
_reads = Depends(needs(Permission.CASES_READ))
Writer = Annotated[Principal, Depends(needs(Permission.CASES_WRITE))]


@router.get("", dependencies=[_reads], summary="List cases")
def cases(
    house: House,
    status: CaseStatus | None = None,
    assignee: str | None = None,
    cursor: str | None = None,
    size: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> dict[str, Any]:
    """Cases, latest change first."""
    with house.state.read() as tx:
        page = house.cases.page(tx, status=status, assignee=assignee, cursor=cursor, size=size)
    return page_json("cases", page)


@router.get("/{case_id}", dependencies=[_reads], summary="One case")
def case(house: House, case_id: str) -> dict[str, Any]:
    """The case with its timeline and tasks."""
    with house.state.read() as tx:
        return _case_json(house, tx, case_id)


class NewCase(BaseModel):
    """A case to open."""

    title: str = Field(min_length=3, max_length=300)
    alert_ids: list[str] = Field(min_length=1)


@router.post("", status_code=201, summary="Open a case from alerts")
def open_case(house: House, new: NewCase, by: Writer) -> dict[str, Any]:
    """The alerts are linked and the first timeline entries written."""
    now = datetime.now(UTC)
    with house.state.begin() as tx:
        alerts = [house.alerts.get(tx, alert_id) for alert_id in new.alert_ids]
        missing = [one for one, found in zip(new.alert_ids, alerts, strict=True) if found is None]
        if missing:
            raise Problem(404, "No such alert", f"these do not exist: {', '.join(missing)}")
        opened = house.cases.open(
            tx, title=new.title, alerts=[found for found in alerts if found], by=by.name, now=now
        )
        house.alerts.link_case(tx, new.alert_ids, opened.id, now)
        return _case_json(house, tx, opened.id)


class Note(BaseModel):
    """Something to keep with the case."""

    text: str = Field(min_length=1, max_length=100_000)


@router.post("/{case_id}/notes", summary="Add a note")
def add_note(house: House, case_id: str, note: Note, by: Writer) -> dict[str, Any]:
    """Notes are only ever added."""
    with house.state.begin() as tx:
        house.cases.note(tx, case_id, author=by.name, text=note.text, now=datetime.now(UTC))
        return _case_json(house, tx, case_id)


class NewTask(BaseModel):
    """Something someone is to do."""

    title: str = Field(min_length=1, max_length=300)
    assignee: str = ""
    due_at: datetime | None = None


@router.post("/{case_id}/tasks", summary="Add a task")
def add_task(house: House, case_id: str, task: NewTask, by: Writer) -> dict[str, Any]:
    """The task appears in the timeline."""
    with house.state.begin() as tx:
        house.cases.add_task(
            tx,
            case_id,
            title=task.title,
            assignee=task.assignee,
            due_at=task.due_at,
            by=by.name,
            now=datetime.now(UTC),
        )
        return _case_json(house, tx, case_id)


@router.post("/{case_id}/tasks/{task_id}/done", summary="Finish a task")
def finish_task(house: House, case_id: str, task_id: str, by: Writer) -> dict[str, Any]:
    """Finishing twice is the same as once."""
    with house.state.begin() as tx:
        house.cases.finish_task(tx, task_id, by=by.name, now=datetime.now(UTC))
        return _case_json(house, tx, case_id)


class Move(BaseModel):
    """Where the case goes and who has it; leave out what stays."""

    status: CaseStatus | None = None
    assignee: str | None = None
    reason: str = ""


@router.post("/{case_id}/move", summary="Move or assign a case")
def move_case(house: House, case_id: str, move: Move, by: Writer) -> dict[str, Any]:
    """A move that is not allowed answers 409 with those that are."""
    now = datetime.now(UTC)
    with house.state.begin() as tx:
        if move.status is not None:
            house.cases.move(
                tx, case_id, status=move.status, by=by.name, reason=move.reason, now=now
            )
        if move.assignee is not None:
            house.cases.assign(tx, case_id, assignee=move.assignee, by=by.name, now=now)
        return _case_json(house, tx, case_id)


def _case_json(house: House, tx: Any, case_id: str) -> dict[str, Any]:
    found = house.cases.get(tx, case_id)
    if found is None:
        raise Problem(404, "No such case", f"{case_id} does not exist")
    return {
        **as_json(found),
        "timeline": as_json(house.cases.entries(tx, case_id)),
        "tasks": as_json(house.cases.tasks(tx, case_id)),
    }
