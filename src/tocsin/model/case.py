"""A case: an incident from open to lessons learned, with its timeline and tasks."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tocsin.model.severity import Level


class CaseStatus(StrEnum):
    """The states of a case, in the order they are usually walked."""

    OPEN = "open"
    INVESTIGATING = "investigating"
    CONTAINED = "contained"
    RESOLVED = "resolved"
    CLOSED = "closed"


class EntryKind(StrEnum):
    """What a timeline entry tells."""

    OPENED = "opened"
    ALERT = "alert"
    NOTE = "note"
    TASK = "task"
    STATUS = "status"
    ASSIGNMENT = "assignment"
    PLAYBOOK = "playbook"
    APPROVAL = "approval"
    ACTION = "action"
    LEASE = "lease"


@dataclass(frozen=True, slots=True)
class CaseEntry:
    """One thing that happened in a case; entries are only ever added."""

    id: str
    case_id: str
    time: datetime
    kind: EntryKind
    author: str
    text: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class CaseTask:
    """Something someone is to do for a case."""

    id: str
    case_id: str
    title: str
    assignee: str
    due_at: datetime | None
    done_at: datetime | None
    done_by: str


@dataclass(frozen=True, slots=True)
class Case:
    """An incident and the alerts it was opened from."""

    id: str
    title: str
    status: CaseStatus
    level: Level
    assignee: str
    summary: str
    created_at: datetime
    created_by: str
    updated_at: datetime
    alert_ids: tuple[str, ...] = ()
    entity_keys: tuple[str, ...] = ()
    closed_at: datetime | None = None
    tenant: str = "default"
