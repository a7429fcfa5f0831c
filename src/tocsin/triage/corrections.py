"""Verdicts on several events that later events change: which alert they belong to, and what is left.

Each such finding is kept as a row, so that a correction of it, however late, reaches the alert it
is in, and a replay of it changes nothing.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from tocsin.model.alert import Alert, AlertStatus, CountedFinding
from tocsin.model.finding import Finding
from tocsin.triage.folding import exemplar_of, joined, joined_exemplars
from tocsin.triage.tables import ALERT_CHANGES, ALERTS, COUNTED_FINDINGS

STANDING = "standing"
CORRECTED = "corrected"
RETRACTED = "retracted"
RETRACTION = "retraction"
_CHUNK = 500


@dataclass(slots=True)
class Sorted:
    """Findings of one fold, sorted by what is to be done with them.

    ``plain`` fold as any finding does: those of one event, and new verdicts on several.
    ``corrections`` go to the alert (its id) that holds what they correct. ``states`` are the
    states of all new verdicts by finding id, ``overtaken`` those of the rows already kept.
    """

    plain: list[Finding] = field(default_factory=list)
    corrections: dict[str, list[Finding]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    overtaken: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Left:
    """How many of an alert's verdicts on several events hold, and what time they span."""

    count: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None


def sort_out(tx: Connection, findings: Sequence[Finding]) -> Sorted:
    """Sort findings in their order; those known already, and retractions of nothing, fall away."""
    counted = [finding for finding in findings if finding.is_counted]
    if not counted:
        return Sorted(plain=list(findings))
    known = _known(tx, counted)
    done = Sorted()
    homes: dict[str, str] = {}
    fresh: dict[str, Finding] = {}
    for finding in counted:
        if finding.finding_id in known or finding.finding_id in fresh:
            continue
        before = finding.supersedes
        home = homes.get(before) or known.get(before, "")
        if before in fresh or home:
            after = RETRACTED if finding.retracted else CORRECTED
            (done.states if before in fresh else done.overtaken)[before] = after
        elif finding.retracted:
            continue
        fresh[finding.finding_id] = finding
        homes[finding.finding_id] = home
        done.states[finding.finding_id] = RETRACTION if finding.retracted else STANDING
    for finding in findings:
        if not finding.is_counted:
            done.plain.append(finding)
        elif fresh.get(finding.finding_id) is finding:
            if home := homes[finding.finding_id]:
                done.corrections.setdefault(home, []).append(finding)
            elif done.states[finding.finding_id] == STANDING:
                done.plain.append(finding)
    return done


def _known(tx: Connection, findings: Sequence[Finding]) -> dict[str, str]:
    """The alert of each verdict already kept, by finding id; "" when the platform closed it.

    What is told again of an alert closed as retracted starts a new one.
    """
    columns, alerts = COUNTED_FINDINGS.c, ALERTS.c
    ids = {one for f in findings for one in (f.finding_id, f.supersedes) if one}
    found: dict[str, str] = {}
    for part in _chunks(list(ids)):
        query = (
            select(columns.finding_id, columns.alert_id, alerts.disposition)
            .join(ALERTS, alerts.id == columns.alert_id)
            .where(columns.finding_id.in_(part))
        )
        for finding_id, alert_id, disposition in tx.execute(query):
            found[finding_id] = "" if disposition == RETRACTED else alert_id
    return found


def corrected_alert(
    alert: Alert, findings: Sequence[Finding], states: Mapping[str, str], left: Left
) -> Alert:
    """The alert as it is after these corrections of findings it holds; still without its score.

    ``states`` are those of the findings themselves, ``left`` is what holds after them.
    """
    gone = {finding.supersedes for finding in findings}
    standing = [one for one in findings if states[one.finding_id] == STANDING]
    kept = [one for one in alert.exemplars if one.finding_id not in gone]
    shown = joined_exemplars(kept, [exemplar_of(one) for one in standing])
    related = {entity.key: entity for entity in alert.related}
    for finding in standing:
        related |= {one.key: one for one in finding.entities if one != alert.entity}
    return dataclasses.replace(
        alert,
        count=left.count,
        first_seen=left.first_seen or alert.first_seen,
        last_seen=left.last_seen or alert.last_seen,
        related=tuple(related[key] for key in joined(list(related), ())),
        sources=tuple(joined(alert.sources, [one.source for one in standing])),
        exemplars=tuple(shown) if shown else alert.exemplars,
        corrected=alert.corrected + sum(not finding.retracted for finding in findings),
        retracted=alert.retracted + sum(finding.retracted for finding in findings),
    )


def keep_verdicts(
    tx: Connection,
    by_alert: Iterable[tuple[str, Sequence[Finding]]],
    states: Mapping[str, str],
    now: datetime,
) -> None:
    """Keep new verdicts on several events with the alert they are in; others are left out."""
    rows = [
        {
            "finding_id": finding.finding_id,
            "alert_id": alert_id,
            "state": states[finding.finding_id],
            "corrects": finding.supersedes,
            "since": finding.began,
            "time": finding.time,
            "event_count": finding.event_count,
            "because": finding.because,
            "told_at": now,
        }
        for alert_id, findings in by_alert
        for finding in findings
        if finding.is_counted
    ]
    if rows:
        tx.execute(insert(COUNTED_FINDINGS), rows)


def overtake(tx: Connection, overtaken: Mapping[str, str]) -> None:
    """Note on verdicts already kept that they were corrected or retracted."""
    for state in (CORRECTED, RETRACTED):
        ids = [finding_id for finding_id, after in overtaken.items() if after == state]
        for part in _chunks(ids):
            tx.execute(
                update(COUNTED_FINDINGS)
                .where(COUNTED_FINDINGS.c.finding_id.in_(part))
                .values(state=state)
            )


def verdicts_of(tx: Connection, alert_id: str, size: int = 200) -> list[CountedFinding]:
    """The verdicts of an alert, latest told first."""
    columns = COUNTED_FINDINGS.c
    query = (
        select(*(column for column in columns if column is not columns.alert_id))
        .where(columns.alert_id == alert_id)
        .order_by(columns.told_at.desc(), columns.time.desc(), columns.finding_id)
        .limit(size)
    )
    return [CountedFinding(**row) for row in tx.execute(query).mappings()]


def is_untouched(tx: Connection, alert: Alert) -> bool:
    """True while nobody has worked on an open alert, so that the platform may close it."""
    if alert.status is not AlertStatus.NEW or alert.assignee or alert.case_id:
        return False
    columns = ALERT_CHANGES.c
    query = select(columns.number).where(columns.alert_id == alert.id).limit(1)
    return tx.execute(query).first() is None


def left_of(tx: Connection, alert_ids: Sequence[str]) -> dict[str, Left]:
    """What holds of each alert's verdicts on several events, by the rows kept of them."""
    columns = COUNTED_FINDINGS.c
    found = dict.fromkeys(alert_ids, Left())
    for part in _chunks(list(alert_ids)):
        query = (
            select(
                columns.alert_id,
                func.count(),
                func.min(columns.since, type_=columns.since.type),
                func.max(columns.time, type_=columns.time.type),
            )
            .where(columns.alert_id.in_(part), columns.state == STANDING)
            .group_by(columns.alert_id)
        )
        for alert_id, count, first, last in tx.execute(query):
            found[alert_id] = Left(count, first, last)
    return found


def _chunks(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
