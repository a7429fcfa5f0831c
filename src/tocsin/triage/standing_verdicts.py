"""Verdicts on several events that stand at present in the alerts of a rule."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from tocsin.triage.corrections import STANDING
from tocsin.triage.tables import ALERTS, COUNTED_FINDINGS


@dataclass(frozen=True, slots=True)
class StandingVerdict:
    """A verdict nobody has corrected; ``entity`` is the key of what its alert is about."""

    finding_id: str
    entity: str
    tenant: str
    since: datetime
    time: datetime


def standing_verdicts(
    tx: Connection, rule_id: str, start: datetime, end: datetime
) -> list[StandingVerdict]:
    """Those whose events lie at least partly within ``start`` to ``end``, by time."""
    columns, alerts = COUNTED_FINDINGS.c, ALERTS.c
    query = (
        select(columns.finding_id, alerts.entity_key, alerts.tenant, columns.since, columns.time)
        .join(ALERTS, alerts.id == columns.alert_id)
        .where(alerts.rule_id == rule_id, columns.state == STANDING)
        .where(columns.time >= start, columns.since <= end)
        .order_by(columns.time)
    )
    return [StandingVerdict(*row) for row in tx.execute(query)]
