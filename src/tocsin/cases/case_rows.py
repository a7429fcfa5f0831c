"""Cases, entries and tasks from the rows of their tables."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, RowMapping, select

from tocsin.cases.tables import CASE_ALERTS, CASE_ENTITIES
from tocsin.model.case import Case, CaseEntry, CaseStatus, CaseTask, EntryKind
from tocsin.model.severity import Level


def cases_of(tx: Connection, rows: Sequence[RowMapping]) -> Iterator[Case]:
    """The cases of these rows in order, with their alert ids and entity keys."""
    ids = [row["id"] for row in rows]
    alerts: dict[str, list[str]] = defaultdict(list)
    entities: dict[str, list[str]] = defaultdict(list)
    columns = CASE_ALERTS.c
    query = select(columns.case_id, columns.alert_id).where(columns.case_id.in_(ids))
    for case_id, alert_id in tx.execute(query.order_by(columns.place)):
        alerts[case_id].append(alert_id)
    named = CASE_ENTITIES.c
    query = select(named.case_id, named.entity_key).where(named.case_id.in_(ids))
    for case_id, key in tx.execute(query.order_by(named.place)):
        entities[case_id].append(key)
    for row in rows:
        yield Case(
            id=row["id"],
            title=row["title"],
            status=CaseStatus(row["status"]),
            level=Level(row["level"]),
            assignee=row["assignee"],
            summary=row["summary"],
            created_at=row["created_at"],
            created_by=row["created_by"],
            updated_at=row["updated_at"],
            alert_ids=tuple(alerts[row["id"]]),
            entity_keys=tuple(entities[row["id"]]),
            closed_at=row["closed_at"],
            tenant=row["tenant"],
        )


def entry_of(row: RowMapping) -> CaseEntry:
    return CaseEntry(
        id=row["id"],
        case_id=row["case_id"],
        time=row["time"],
        kind=EntryKind(row["kind"]),
        author=row["author"],
        text=row["text"],
        reference=row["reference"],
    )


def task_of(row: RowMapping) -> CaseTask:
    return CaseTask(
        id=row["id"],
        case_id=row["case_id"],
        title=row["title"],
        assignee=row["assignee"],
        due_at=row["due_at"],
        done_at=row["done_at"],
        done_by=row["done_by"],
    )
