"""The book of cases: opens them, moves them on, and writes down everything that happens."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from tocsin.cases.case_rows import cases_of, entry_of, task_of
from tocsin.cases.errors import CaseError, UnknownCase
from tocsin.cases.states import check_move
from tocsin.cases.tables import CASE_ALERTS, CASE_ENTITIES, CASE_ENTRIES, CASE_TASKS, CASES
from tocsin.model.alert import Alert
from tocsin.model.case import Case, CaseEntry, CaseStatus, CaseTask, EntryKind
from tocsin.model.identifier import new_id
from tocsin.model.page import Page, cursor_after, cursor_position
from tocsin.model.severity import Level

__all__ = ["CaseBook", "CaseError", "UnknownCase"]

_CHUNK = 500
_NAMED_ALERTS = 3


class CaseBook:
    """Cases in the state store; every method works within the caller's transaction.

    The alerts' own ``case_id`` is the alert book's to set: whoever opens a case or adds alerts
    calls ``AlertBook.link_case`` in the same transaction.
    """

    def open(
        self,
        tx: Connection,
        *,
        title: str,
        alerts: Sequence[Alert],
        by: str,
        now: datetime,
        summary: str = "",
    ) -> Case:
        """Open a case from alerts (none is fine); its level is the highest of theirs.

        Raises ``CaseError`` for an empty title or an alert that already is in a case.
        """
        if not title.strip():
            raise CaseError("a case needs a title; say in a few words what it is about")
        tenants = {alert.tenant for alert in alerts} or {"default"}
        if len(tenants) > 1:
            raise CaseError(
                f"alerts of several tenants ({', '.join(sorted(tenants))}) can't share a case; "
                "open one for each"
            )
        case_id = new_id("case", now)
        tx.execute(
            insert(CASES).values(
                id=case_id,
                tenant=tenants.pop(),
                title=title.strip(),
                status=CaseStatus.OPEN.value,
                level=_highest(Level.INFORMATIONAL, alerts).value,
                assignee="",
                summary=summary.strip(),
                created_at=now,
                created_by=by,
                updated_at=now,
                closed_at=None,
            )
        )
        self._write(tx, case_id, EntryKind.OPENED, by, f"Opened: {title.strip()}", now)
        if alerts:
            self._take_in(tx, case_id, alerts, by, now)
        return self._known(tx, case_id)

    def get(self, tx: Connection, case_id: str) -> Case | None:
        rows = tx.execute(select(CASES).where(CASES.c.id == case_id)).mappings().all()
        return next(iter(cases_of(tx, rows)), None)

    def page(
        self,
        tx: Connection,
        *,
        status: CaseStatus | None = None,
        assignee: str | None = None,
        entity_key: str | None = None,
        cursor: str | None = None,
        size: int = 50,
    ) -> Page[Case]:
        """Cases by when something last happened in them, newest first."""
        columns = CASES.c
        wanted = []
        if status is not None:
            wanted.append(columns.status == CaseStatus(status).value)
        if assignee is not None:
            wanted.append(columns.assignee == assignee)
        if entity_key is not None:
            theirs = select(CASE_ENTITIES.c.case_id).where(CASE_ENTITIES.c.entity_key == entity_key)
            wanted.append(columns.id.in_(theirs))
        total = tx.execute(select(func.count()).select_from(CASES).where(*wanted)).scalar_one()
        query = select(CASES).where(*wanted)
        if cursor:
            query = query.where(_after(cursor))
        query = query.order_by(columns.updated_at.desc(), columns.id.desc()).limit(size + 1)
        rows = tx.execute(query).mappings().all()
        items = tuple(cases_of(tx, rows[:size]))
        if len(rows) <= size or not items:
            return Page(items, total)
        return Page(items, total, cursor_after(items[-1].updated_at, items[-1].id))

    def entries(self, tx: Connection, case_id: str) -> list[CaseEntry]:
        """The timeline in the order it was written."""
        columns = CASE_ENTRIES.c
        query = select(CASE_ENTRIES).where(columns.case_id == case_id).order_by(columns.number)
        return [entry_of(row) for row in tx.execute(query).mappings()]

    def tasks(self, tx: Connection, case_id: str) -> list[CaseTask]:
        """The tasks in the order they were set."""
        columns = CASE_TASKS.c
        query = select(CASE_TASKS).where(columns.case_id == case_id).order_by(columns.number)
        return [task_of(row) for row in tx.execute(query).mappings()]

    def add_alerts(
        self, tx: Connection, case_id: str, alerts: Sequence[Alert], *, by: str, now: datetime
    ) -> Case:
        """Add alerts; those the case already has are passed over."""
        case = self._known(tx, case_id)
        if case.status is CaseStatus.CLOSED:
            raise CaseError(f"{case_id} is closed; re-open it before adding alerts")
        known = set(case.alert_ids)
        fresh = [alert for alert in alerts if alert.id not in known]
        if fresh:
            self._take_in(tx, case_id, fresh, by, now)
        return self._known(tx, case_id)

    def note(
        self, tx: Connection, case_id: str, *, author: str, text: str, now: datetime
    ) -> CaseEntry:
        """Write a note; also a closed case takes notes (what was learned)."""
        return self.record(tx, case_id, kind=EntryKind.NOTE, author=author, text=text, now=now)

    def add_task(
        self,
        tx: Connection,
        case_id: str,
        *,
        title: str,
        assignee: str = "",
        due_at: datetime | None = None,
        by: str,
        now: datetime,
    ) -> CaseTask:
        self._known(tx, case_id)
        if not title.strip():
            raise CaseError(f"a task for {case_id} needs a title; say what is to be done")
        task = CaseTask(
            id=new_id("task", now),
            case_id=case_id,
            title=title.strip(),
            assignee=assignee.strip(),
            due_at=due_at,
            done_at=None,
            done_by="",
        )
        tx.execute(
            insert(CASE_TASKS).values(
                id=task.id,
                case_id=case_id,
                title=task.title,
                assignee=task.assignee,
                due_at=due_at,
                done_at=None,
                done_by="",
            )
        )
        whom = f" for {task.assignee}" if task.assignee else ""
        until = f", due {due_at:%Y-%m-%d %H:%M} UTC" if due_at else ""
        text = f"Task set{whom}{until}: {task.title}"
        self._write(tx, case_id, EntryKind.TASK, by, text, now, task.id)
        return task

    def finish_task(self, tx: Connection, task_id: str, *, by: str, now: datetime) -> CaseTask:
        """Mark a task done; raises ``CaseError`` when it already is."""
        columns = CASE_TASKS.c
        query = select(CASE_TASKS).where(columns.id == task_id)
        row = tx.execute(query).mappings().one_or_none()
        if row is None:
            raise UnknownCase(f"no task has the id {task_id!r}; list the case's tasks")
        if row["done_at"] is not None:
            raise CaseError(f"{task_id} was already done by {row['done_by']}; set a new task")
        tx.execute(update(CASE_TASKS).where(columns.id == task_id).values(done_at=now, done_by=by))
        text = f"Task done: {row['title']}"
        self._write(tx, row["case_id"], EntryKind.TASK, by, text, now, task_id)
        return task_of(tx.execute(query).mappings().one())

    def move(
        self,
        tx: Connection,
        case_id: str,
        *,
        status: CaseStatus,
        by: str,
        reason: str = "",
        now: datetime,
    ) -> Case:
        """Go to another state; raises ``CaseError`` that names the allowed ones.

        Closing and going back need a reason. Whoever begins to investigate a case that no one has
        is assigned to it.
        """
        case = self._known(tx, case_id)
        after = CaseStatus(status)
        check_move(case_id, case.status, after, reason)
        tx.execute(
            update(CASES)
            .where(CASES.c.id == case_id)
            .values(status=after.value, closed_at=now if after is CaseStatus.CLOSED else None)
        )
        because = f": {reason.strip()}" if reason.strip() else ""
        text = f"{case.status.value} to {after.value}{because}"
        self._write(tx, case_id, EntryKind.STATUS, by, text, now)
        if after is CaseStatus.INVESTIGATING and not case.assignee:
            return self.assign(tx, case_id, assignee=by, by=by, now=now)
        return self._known(tx, case_id)

    def assign(
        self, tx: Connection, case_id: str, *, assignee: str, by: str, now: datetime
    ) -> Case:
        """Give the case to someone, or with an empty ``assignee`` to no one."""
        case = self._known(tx, case_id)
        if case.assignee == assignee.strip():
            return case
        tx.execute(update(CASES).where(CASES.c.id == case_id).values(assignee=assignee.strip()))
        text = f"Assigned to {assignee.strip() or 'no one'} (before: {case.assignee or 'no one'})"
        self._write(tx, case_id, EntryKind.ASSIGNMENT, by, text, now)
        return self._known(tx, case_id)

    def record(
        self,
        tx: Connection,
        case_id: str,
        *,
        kind: EntryKind,
        author: str,
        text: str,
        reference: str = "",
        now: datetime,
    ) -> CaseEntry:
        """Write down what another room did for the case (playbook, approval, action, lease)."""
        self._known(tx, case_id)
        if not text.strip():
            raise CaseError(f"an entry in {case_id} needs a text; say what happened")
        return self._write(tx, case_id, EntryKind(kind), author, text.strip(), now, reference)

    def _known(self, tx: Connection, case_id: str) -> Case:
        case = self.get(tx, case_id)
        if case is None:
            raise UnknownCase(f"no case has the id {case_id!r}; list the cases to find it")
        return case

    def _take_in(
        self, tx: Connection, case_id: str, alerts: Sequence[Alert], by: str, now: datetime
    ) -> None:
        unique = {alert.id: alert for alert in alerts}
        _check_free(tx, list(unique))
        places = CASE_ALERTS.c
        count = func.count()
        start = tx.execute(select(count).where(places.case_id == case_id)).scalar_one()
        rows = [
            {"alert_id": alert_id, "case_id": case_id, "place": place}
            for place, alert_id in enumerate(unique, start)
        ]
        tx.execute(insert(CASE_ALERTS), rows)
        _add_entities(tx, case_id, alerts)
        level = Level(tx.execute(select(CASES.c.level).where(CASES.c.id == case_id)).scalar_one())
        highest = _highest(level, alerts)
        tx.execute(update(CASES).where(CASES.c.id == case_id).values(level=highest.value))
        for text, reference in _told(list(unique.values())):
            self._write(tx, case_id, EntryKind.ALERT, by, text, now, reference)

    def _write(
        self,
        tx: Connection,
        case_id: str,
        kind: EntryKind,
        author: str,
        text: str,
        now: datetime,
        reference: str = "",
    ) -> CaseEntry:
        entry = CaseEntry(new_id("entry", now), case_id, now, kind, author, text, reference)
        tx.execute(
            insert(CASE_ENTRIES).values(
                id=entry.id,
                case_id=case_id,
                time=now,
                kind=kind.value,
                author=author,
                text=text,
                reference=reference,
            )
        )
        tx.execute(update(CASES).where(CASES.c.id == case_id).values(updated_at=now))
        return entry


def _check_free(tx: Connection, alert_ids: list[str]) -> None:
    columns = CASE_ALERTS.c
    for start in range(0, len(alert_ids), _CHUNK):
        part = alert_ids[start : start + _CHUNK]
        query = select(columns.alert_id, columns.case_id).where(columns.alert_id.in_(part))
        taken = tx.execute(query.limit(1)).one_or_none()
        if taken is not None:
            raise CaseError(f"{taken.alert_id} already is in {taken.case_id}; work on it there")


def _add_entities(tx: Connection, case_id: str, alerts: Sequence[Alert]) -> None:
    """The entities the alerts are about, and after them the related ones."""
    columns = CASE_ENTITIES.c
    query = select(columns.entity_key).where(columns.case_id == case_id)
    known = set(tx.execute(query).scalars())
    keys = dict.fromkeys(
        [alert.entity.key for alert in alerts]
        + [entity.key for alert in alerts for entity in alert.related]
    )
    rows: list[dict[str, Any]] = [
        {"case_id": case_id, "entity_key": key, "place": place}
        for place, key in enumerate((key for key in keys if key not in known), len(known))
    ]
    if rows:
        tx.execute(insert(CASE_ENTITIES), rows)


def _told(alerts: Sequence[Alert]) -> Iterator[tuple[str, str]]:
    """Timeline texts with the alert each refers to; many alerts share one entry."""
    for alert in alerts[:_NAMED_ALERTS]:
        times = "once" if alert.count == 1 else f"{alert.count:,} times"
        yield f"Alert added: {alert.rule_title} on {alert.entity.key}, {times}", alert.id
    rest = len(alerts) - _NAMED_ALERTS
    if rest > 0:
        yield f"{rest:,} more alerts added", ""


def _highest(level: Level, alerts: Sequence[Alert]) -> Level:
    return max({level, *(alert.level for alert in alerts)}, key=lambda one: one.rank)


def _after(cursor: str) -> Any:
    try:
        updated_at, case_id = cursor_position(cursor, datetime, str)
    except ValueError as error:
        raise CaseError(str(error)) from error
    columns = CASES.c
    return or_(
        columns.updated_at < updated_at,
        and_(columns.updated_at == updated_at, columns.id < case_id),
    )
