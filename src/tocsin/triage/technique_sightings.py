"""How often each ATT&CK technique was alerted on lately."""

from collections import Counter
from datetime import datetime

from sqlalchemy import Connection, func, select

from tocsin.triage.tables import ALERTS


def techniques_seen(tx: Connection, since: datetime) -> Counter[str]:
    """Alerts whose last finding is of ``since`` or later, by technique id."""
    columns = ALERTS.c
    recent = (
        select(columns.rule_id, func.count().label("alerts"), func.max(columns.id).label("one"))
        .where(columns.last_seen >= since)
        .group_by(columns.rule_id)
        .subquery()
    )
    query = select(recent.c.alerts, columns.techniques).join(recent, recent.c.one == columns.id)
    found: Counter[str] = Counter()
    for alerts, techniques in tx.execute(query):
        found.update(dict.fromkeys(techniques, alerts))
    return found
