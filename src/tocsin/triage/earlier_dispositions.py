"""What people have said of earlier alerts, by rule and entity."""

from collections import Counter
from collections.abc import Collection

from sqlalchemy import Connection, func, select

from tocsin.triage.tables import ALERTS

Dispositions = dict[tuple[str, str], Counter[str]]


def earlier_dispositions(tx: Connection, rule_ids: Collection[str]) -> Dispositions:
    """How many closed alerts of each (rule id, entity key) were closed as what."""
    columns = ALERTS.c
    query = (
        select(columns.rule_id, columns.entity_key, columns.disposition, func.count())
        .where(columns.disposition.is_not(None), columns.rule_id.in_(list(rule_ids)))
        .group_by(columns.rule_id, columns.entity_key, columns.disposition)
    )
    found: Dispositions = {}
    for rule_id, entity, disposition, count in tx.execute(query):
        found.setdefault((rule_id, entity), Counter())[disposition] += count
    return found
