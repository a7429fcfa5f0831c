"""Who hears of every write: the audit trail and the case, both met by shape and passed in."""

from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from tocsin.model.case import EntryKind


class AuditTrail(Protocol):
    """The audit log, appended to in the caller's transaction."""

    def append(
        self,
        tx: Connection,
        /,
        *,
        actor: str,
        action: str,
        subject: str,
        detail: str,
        outcome: str,
        now: datetime,
    ) -> object: ...


class CaseJournal(Protocol):
    """The timeline of a case."""

    def record(
        self,
        tx: Connection,
        case_id: str,
        /,
        *,
        kind: EntryKind,
        author: str,
        text: str,
        reference: str = "",
        now: datetime,
    ) -> object: ...
