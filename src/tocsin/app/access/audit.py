"""The audit chain: every entry carries the digest of the one before it.

Edited, removed and reordered entries break the chain; a cut tail differs from the head that is
kept apart. Whoever can write the database can also compute the whole chain anew, and no chain
stored beside its data can show that: write down the head's digest elsewhere from time to time and
give it to ``verify`` as ``anchor``.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from tocsin.app.access.access_tables import AUDIT_ENTRIES, AUDIT_HEAD
from tocsin.model.page import Page, cursor_after, cursor_position
from tocsin.model.principal import AuditEntry

FIRST_PREVIOUS = "0" * 64
_HEAD_ID = 1
_FETCHED = 1000
_LONGEST_DETAIL = 20_000


class AuditError(Exception):
    """The audit chain can't be read as asked."""


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """Whether the chain holds. ``broken_at`` is the first entry's number that does not fit."""

    ok: bool
    entries: int
    head: str
    broken_at: int | None = None
    reason: str = ""


class AuditLog:
    """Appends to and checks the chain, within the caller's transaction."""

    def append(
        self,
        tx: Connection,
        *,
        actor: str,
        action: str,
        subject: str,
        detail: str = "",
        outcome: str = "done",
        now: datetime,
    ) -> AuditEntry:
        """Add one entry; it counts when the transaction commits. Put no secret in ``detail``."""
        self.append_many(tx, [(action, subject, detail)], actor=actor, outcome=outcome, now=now)
        latest = select(AUDIT_ENTRIES).order_by(AUDIT_ENTRIES.c.number.desc()).limit(1)
        return _entry(tx.execute(latest).mappings().one())

    def append_many(
        self,
        tx: Connection,
        told: Sequence[tuple[str, str, str]],
        *,
        actor: str,
        outcome: str = "done",
        now: datetime,
    ) -> None:
        """Add an entry for each (action, subject, detail), in their order, in one statement."""
        head = tx.execute(_HEAD).mappings().one_or_none()
        number = head["entries"] if head else 0
        previous = head["digest"] if head else FIRST_PREVIOUS
        rows = []
        for action, subject, detail in told:
            number += 1
            fields = {
                "number": number,
                "time": now.astimezone(UTC).isoformat(timespec="microseconds"),
                "actor": _storable(actor),
                "action": _storable(action),
                "subject": _storable(subject),
                "detail": _storable(detail)[:_LONGEST_DETAIL],
                "outcome": _storable(outcome),
                "previous": previous,
            }
            previous = digest_of(fields)
            rows.append({**fields, "digest": previous})
        if not rows:
            return
        tx.execute(insert(AUDIT_ENTRIES), rows)
        if head is None:
            tx.execute(insert(AUDIT_HEAD).values(id=_HEAD_ID, entries=number, digest=previous))
        else:
            tx.execute(update(AUDIT_HEAD).values(entries=number, digest=previous))

    def page(self, tx: Connection, cursor: str | None = None, size: int = 100) -> Page[AuditEntry]:
        """Entries, latest first."""
        columns = AUDIT_ENTRIES.c
        query = select(AUDIT_ENTRIES).order_by(columns.number.desc()).limit(size + 1)
        if cursor:
            try:
                (before,) = cursor_position(cursor, int)
            except ValueError as error:
                raise AuditError(str(error)) from error
            query = query.where(columns.number < before)
        total = tx.execute(select(func.count()).select_from(AUDIT_ENTRIES)).scalar_one()
        rows = tx.execute(query).mappings().all()
        items = tuple(_entry(row) for row in rows[:size])
        follows = len(rows) > size and bool(items)
        return Page(items, total, cursor_after(items[-1].number) if follows else None)

    def about(self, tx: Connection, action: str, subject: str, size: int) -> tuple[AuditEntry, ...]:
        """The latest ``size`` entries of one action on one subject, latest first."""
        columns = AUDIT_ENTRIES.c
        query = (
            select(AUDIT_ENTRIES)
            .where(columns.action == action, columns.subject == subject)
            .order_by(columns.number.desc())
            .limit(size)
        )
        return tuple(_entry(row) for row in tx.execute(query).mappings())

    def head(self, tx: Connection) -> str:
        """The latest entry's digest, to be written down elsewhere; empty before the first."""
        head = tx.execute(_HEAD).mappings().one_or_none()
        return head["digest"] if head else ""

    def verify(self, tx: Connection, anchor: str | None = None) -> AuditVerdict:
        """Recompute every link and compare the end with the head.

        With ``anchor``, a digest written down earlier, the chain must still contain that entry.
        """
        columns = AUDIT_ENTRIES.c
        head = self.head(tx)
        entries, previous = 0, FIRST_PREVIOUS
        anchored = anchor is None
        query = select(AUDIT_ENTRIES).order_by(columns.number)
        for row in tx.execute(query.execution_options(yield_per=_FETCHED)).mappings():
            fault = _fault(row, entries + 1, previous)
            if fault:
                return AuditVerdict(False, entries, head, entries + 1, fault)
            entries, previous = entries + 1, row["digest"]
            anchored = anchored or row["digest"] == anchor
        fault = self._end_fault(tx, entries, previous)
        if fault:
            return AuditVerdict(False, entries, head, entries + 1, fault)
        if not anchored:
            reason = f"no entry has the anchor's digest {anchor}: the chain was made anew since"
            return AuditVerdict(False, entries, head, None, reason)
        return AuditVerdict(True, entries, head)

    def _end_fault(self, tx: Connection, entries: int, digest: str) -> str:
        head = tx.execute(_HEAD).mappings().one_or_none()
        if head is None:
            return "the head is missing although there are entries" if entries else ""
        if head["entries"] > entries:
            return f"{head['entries'] - entries} entries are missing at the end"
        if head["entries"] < entries or head["digest"] != digest:
            return "the head does not belong to the last entry"
        return ""


def digest_of(fields: dict[str, object]) -> str:
    """SHA-256 of the fields as canonical JSON (sorted keys, no spaces, UTF-8)."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


_HEAD = select(AUDIT_HEAD).where(AUDIT_HEAD.c.id == _HEAD_ID)
_COVERED = ("number", "time", "actor", "action", "subject", "detail", "outcome", "previous")


def _fault(row: RowMapping, expected: int, previous: str) -> str:
    if row["number"] != expected:
        return f"entry {expected} is missing; the next is {row['number']}"
    if row["previous"] != previous:
        return f"entry {expected} does not follow the one before it"
    if digest_of({name: row[name] for name in _COVERED}) != row["digest"]:
        return f"entry {expected} was changed after it was written"
    return ""


def _entry(row: RowMapping) -> AuditEntry:
    try:
        time = datetime.fromisoformat(row["time"])
    except ValueError as error:
        raise AuditError(
            f"audit entry {row['number']} has no readable time; check the chain with: "
            "tocsin admin audit verify"
        ) from error
    return AuditEntry(
        number=row["number"],
        time=time,
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        detail=row["detail"],
        outcome=row["outcome"],
        previous=row["previous"],
        digest=row["digest"],
    )


def _storable(text: str) -> str:
    """Text that UTF-8 columns can hold: lone surrogates and NUL as their escapes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
