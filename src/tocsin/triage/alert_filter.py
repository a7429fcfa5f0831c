"""Which alerts a list shows, and where its next page begins."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_

from tocsin.model.alert import AlertStatus
from tocsin.model.page import cursor_after, cursor_position
from tocsin.model.severity import Level
from tocsin.triage.errors import TriageError
from tocsin.triage.tables import ALERTS


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Alerts that meet every part that is set.

    ``is_open`` takes new and acknowledged ones together. ``text`` is looked for, whatever its
    case, in rule title, entity and rule id; each of its words must occur.
    """

    status: AlertStatus | None = None
    is_open: bool | None = None
    level: Level | None = None
    entity_key: str | None = None
    text: str | None = None
    rule_id: str | None = None
    assignee: str | None = None
    case_id: str | None = None
    tenant: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        columns = ALERTS.c
        status = AlertStatus(self.status) if self.status is not None else None
        is_open = self.is_open
        if status is not None and is_open is None:
            is_open = status is not AlertStatus.CLOSED  # the index that knows the order
        wished = [
            (columns.status, status.value if status is not None else None),
            (columns.is_open, is_open),
            (columns.level, self.level and Level(self.level).value),
            (columns.entity_key, self.entity_key),
            (columns.rule_id, self.rule_id),
            (columns.assignee, self.assignee),
            (columns.case_id, self.case_id),
            (columns.tenant, self.tenant),
        ]
        conditions = [column == value for column, value in wished if value is not None]
        words = (self.text or "").casefold().split()
        return [
            *conditions,
            *(columns.search_text.contains(word, autoescape=True) for word in words),
        ]


def after_cursor(cursor: str) -> ColumnElement[bool]:
    """Rows behind the cursor in the order score, last seen, id (all descending)."""
    try:
        score, last_seen, alert_id = cursor_position(cursor, float, datetime, str)
    except ValueError as error:
        raise TriageError(str(error)) from error
    columns = ALERTS.c
    return or_(
        columns.score < score,
        and_(columns.score == score, columns.last_seen < last_seen),
        and_(columns.score == score, columns.last_seen == last_seen, columns.id < alert_id),
    )


def cursor_behind(score: float, last_seen: datetime, alert_id: str) -> str:
    return cursor_after(score, last_seen, alert_id)
