"""Alerts as rows of their table, and back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from tocsin.model.alert import Alert, AlertStatus, Disposition, Exemplar
from tocsin.model.because import Addend, Score
from tocsin.model.entity import Entity
from tocsin.model.finding import MatchedField
from tocsin.model.severity import Level


def row_of(alert: Alert, recent_findings: Sequence[str]) -> dict[str, Any]:
    """The column values of an alert; ``recent_findings`` are kept to know a replay by."""
    is_open = alert.status is not AlertStatus.CLOSED
    return {
        "id": alert.id,
        "tenant": alert.tenant,
        "fold_key": alert.fold_key,
        "open_fold_key": alert.fold_key if is_open else None,
        "is_open": is_open,
        "previous_id": alert.previous_id,
        "corrected": alert.corrected,
        "retracted": alert.retracted,
        "rule_id": alert.rule_id,
        "rule_title": alert.rule_title,
        "level": alert.level.value,
        "entity_key": alert.entity.key,
        "related": [entity.key for entity in alert.related],
        "status": alert.status.value,
        "count": alert.count,
        "first_seen": alert.first_seen,
        "last_seen": alert.last_seen,
        "score": alert.score.value,
        "addends": addend_rows(alert.score.addends),
        "techniques": list(alert.techniques),
        "tags": list(alert.tags),
        "sources": list(alert.sources),
        "exemplars": exemplar_rows(alert.exemplars),
        "recent_findings": list(recent_findings),
        "search_text": search_text(alert.rule_title, alert.entity.key, alert.rule_id),
        "disposition": alert.disposition.value if alert.disposition else None,
        "reason": alert.reason,
        "assignee": alert.assignee,
        "case_id": alert.case_id,
        "created_at": alert.created_at,
        "updated_at": alert.updated_at,
    }


def alert_of(row: RowMapping) -> Alert:
    return Alert(
        id=row["id"],
        rule_id=row["rule_id"],
        rule_title=row["rule_title"],
        level=Level(row["level"]),
        entity=Entity.from_key(row["entity_key"]),
        related=tuple(Entity.from_key(key) for key in row["related"]),
        status=AlertStatus(row["status"]),
        count=row["count"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        score=Score(row["score"], addends_of(row["addends"])),
        techniques=tuple(row["techniques"]),
        tags=tuple(row["tags"]),
        sources=tuple(row["sources"]),
        exemplars=exemplars_of(row["exemplars"]),
        fold_key=row["fold_key"],
        disposition=Disposition(row["disposition"]) if row["disposition"] else None,
        reason=row["reason"],
        assignee=row["assignee"],
        case_id=row["case_id"],
        tenant=row["tenant"],
        updated_at=row["updated_at"],
        created_at=row["created_at"],
        previous_id=row["previous_id"],
        corrected=row["corrected"],
        retracted=row["retracted"],
    )


def search_text(title: str, entity_key: str, rule_id: str) -> str:
    """What the text filter looks in."""
    return f"{title}\n{entity_key}\n{rule_id}".casefold()


def addend_rows(addends: Sequence[Addend]) -> list[list[Any]]:
    return [[addend.reason, addend.points, list(addend.evidence)] for addend in addends]


def addends_of(rows: Sequence[Sequence[Any]]) -> tuple[Addend, ...]:
    return tuple(Addend(reason, points, tuple(evidence)) for reason, points, evidence in rows)


def exemplar_rows(exemplars: Sequence[Exemplar]) -> list[dict[str, Any]]:
    return [
        {
            "event_id": exemplar.event_id,
            "time": exemplar.time.isoformat(),
            "source": exemplar.source,
            "lane": exemplar.lane,
            "matched": [[part.name, part.value, part.pattern] for part in exemplar.matched],
            "fields": exemplar.fields,
            **_counted(exemplar),
        }
        for exemplar in exemplars
    ]


def _counted(exemplar: Exemplar) -> dict[str, Any]:
    """What only an exemplar of several events has; nothing for the many of one."""
    if exemplar.since is None:
        return {}
    return {
        "finding_id": exemplar.finding_id,
        "since": exemplar.since.isoformat(),
        "evidence": list(exemplar.evidence),
        "event_count": exemplar.event_count,
        "because": exemplar.because,
    }


def exemplars_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Exemplar, ...]:
    return tuple(
        Exemplar(
            event_id=row["event_id"],
            time=datetime.fromisoformat(row["time"]),
            source=row["source"],
            lane=row["lane"],
            matched=tuple(MatchedField(*part) for part in row["matched"]),
            fields=dict(row["fields"]),
            finding_id=row.get("finding_id", ""),
            since=datetime.fromisoformat(row["since"]) if "since" in row else None,
            evidence=tuple(row.get("evidence", ())),
            event_count=row.get("event_count", 1),
            because=row.get("because", ""),
        )
        for row in rows
    )
