"""Ranks entities by the diminishing sum of their open alerts' scores.

An alert counts for the entity it is folded on, not for those merely related to it: a scanner that
touched forty hosts must not put all forty above it. The rank of every entity is kept in a table
that each fold and change brings up to date, so that a page costs the same at any number of alerts.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, delete, func, insert, or_, select, true

from tocsin.model.alert import EntityRisk
from tocsin.model.because import Addend, Score
from tocsin.model.entity import Entity
from tocsin.model.page import Page, cursor_after, cursor_position
from tocsin.model.severity import Level
from tocsin.triage.attack import tactics_of
from tocsin.triage.errors import TriageError
from tocsin.triage.tables import ALERTS, ENTITY_RISK

ZETA_1_5 = 2.612375348685488
"""Riemann's zeta(1.5) = Σ 1/i^1.5, which bounds the sum to the highest score possible."""

_CHUNK = 400
_NAMED_ALERTS = 25
_RISK_COLUMNS = (
    *("id", "entity_key", "rule_title", "level", "score", "count", "tags"),
    *("first_seen", "last_seen"),
)


def diminishing_points(scores: Sequence[float]) -> list[float]:
    """What each score adds: sᵢ / i^1.5 ÷ ζ(1.5), scores taken highest first.

    The points come back in that order. Source: Elastic's entity risk score, whose published
    example 70, 45, 21, 21, 21 gives 36.16.
    """
    ordered = sorted(scores, reverse=True)
    return [score / place**1.5 / ZETA_1_5 for place, score in enumerate(ordered, 1)]


def diminishing_sum(scores: Sequence[float]) -> float:
    """Σ sᵢ / i^1.5 ÷ ζ(1.5), highest first; stays under the highest possible score (0-100)."""
    return math.fsum(diminishing_points(scores))


class RiskBoard:
    """The entities with open alerts, most worrying first."""

    def page(
        self,
        tx: Connection,
        cursor: str | None = None,
        size: int = 50,
        tenant: str | None = None,
    ) -> Page[EntityRisk]:
        """Entities by risk, highest first; ``total`` counts all that have an open alert."""
        columns = ENTITY_RISK.c
        wanted = [columns.tenant == tenant] if tenant is not None else []
        total = tx.execute(
            select(func.count()).select_from(ENTITY_RISK).where(*wanted)
        ).scalar_one()
        query = (
            select(ENTITY_RISK)
            .where(*wanted)
            .order_by(columns.value.desc(), columns.entity_key.desc(), columns.tenant.desc())
            .limit(size + 1)
        )
        if cursor:
            query = query.where(_after(cursor))
        rows = tx.execute(query).mappings().all()
        shown = rows[:size]
        risks = tuple(_risks(tx, shown))
        if len(rows) <= size or not shown:
            return Page(risks, total)
        last = shown[-1]
        return Page(risks, total, cursor_after(last["value"], last["entity_key"], last["tenant"]))

    def get(self, tx: Connection, key: str, tenant: str = "default") -> EntityRisk | None:
        """The risk of the entity with this key; None when it has no open alert."""
        columns = ENTITY_RISK.c
        query = select(ENTITY_RISK).where(columns.entity_key == key, columns.tenant == tenant)
        return next(_risks(tx, tx.execute(query).mappings().all()), None)


def refresh_risk(tx: Connection, entities: Iterable[tuple[str, str]], now: datetime) -> None:
    """Work out again the rank of these (tenant, entity key) from their open alerts."""
    columns = ENTITY_RISK.c
    for tenant, keys in _by_tenant(entities).items():
        for start in range(0, len(keys), _CHUNK):
            part = keys[start : start + _CHUNK]
            tx.execute(
                delete(ENTITY_RISK).where(columns.tenant == tenant, columns.entity_key.in_(part))
            )
            found = _open_alerts(tx, tenant, part)
            if found:
                tx.execute(
                    insert(ENTITY_RISK), [_risk_row(tenant, *item) for item in found.items()]
                )


def _by_tenant(entities: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = defaultdict(list)
    for tenant, key in entities:
        keys[tenant].append(key)
    return keys


def _open_alerts(tx: Connection, tenant: str, keys: Sequence[str]) -> dict[str, list[RowMapping]]:
    """The open alerts of each entity key, highest score first."""
    columns = ALERTS.c
    # Sorted here: an ORDER BY tempts SQLite to walk the score index instead of the few keys.
    query = select(*(columns[name] for name in _RISK_COLUMNS)).where(
        columns.tenant == tenant, columns.entity_key.in_(keys), columns.is_open == true()
    )
    rows = sorted(tx.execute(query).mappings(), key=lambda row: (-row["score"], row["id"]))
    found: dict[str, list[RowMapping]] = defaultdict(list)
    for row in rows:
        found[row["entity_key"]].append(row)
    return found


def _risk_row(tenant: str, entity_key: str, alerts: Sequence[RowMapping]) -> dict[str, Any]:
    levels = {Level(alert["level"]) for alert in alerts}
    return {
        "tenant": tenant,
        "entity_key": entity_key,
        "value": diminishing_sum([alert["score"] for alert in alerts]),
        "alert_count": len(alerts),
        "finding_count": sum(alert["count"] for alert in alerts),
        "first_seen": min(alert["first_seen"] for alert in alerts),
        "last_seen": max(alert["last_seen"] for alert in alerts),
        "highest_level": max(levels, key=lambda level: level.rank).value,
        "tactics": list(tactics_of(tag for alert in alerts for tag in alert["tags"])),
    }


def _risks(tx: Connection, rows: Sequence[RowMapping]) -> Iterator[EntityRisk]:
    keys = [(row["tenant"], row["entity_key"]) for row in rows]
    alerts = {
        (tenant, key): found
        for tenant, own in _by_tenant(keys).items()
        for key, found in _open_alerts(tx, tenant, own).items()
    }
    for row, key in zip(rows, keys, strict=True):
        yield EntityRisk(
            entity=Entity.from_key(row["entity_key"]),
            score=Score(row["value"], _addends(alerts[key])),
            alert_count=row["alert_count"],
            finding_count=row["finding_count"],
            first_seen=row["first_seen"],
            last_seen=row["last_seen"],
            highest_level=Level(row["highest_level"]),
            tactics=tuple(row["tactics"]),
            alert_ids=tuple(alert["id"] for alert in alerts[key]),
        )


def _addends(alerts: Sequence[RowMapping]) -> tuple[Addend, ...]:
    """One addend an alert for the first 25, one for all the rest together."""
    points = diminishing_points([alert["score"] for alert in alerts])
    named = [
        Addend(f"{alert['rule_title']} ({alert['score']:g})", given, (f"alert:{alert['id']}",))
        for alert, given in zip(alerts[:_NAMED_ALERTS], points, strict=False)
    ]
    rest = points[_NAMED_ALERTS:]
    if rest:
        named.append(Addend(f"{len(rest):,} further alerts", math.fsum(rest)))
    return tuple(named)


def _after(cursor: str) -> Any:
    try:
        value, key, tenant = cursor_position(cursor, float, str, str)
    except ValueError as error:
        raise TriageError(str(error)) from error
    columns = ENTITY_RISK.c
    return or_(
        columns.value < value,
        and_(columns.value == value, columns.entity_key < key),
        and_(columns.value == value, columns.entity_key == key, columns.tenant < tenant),
    )
