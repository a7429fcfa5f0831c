"""The book of alerts: findings go in, folded; people list them and say what they turned out to be."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, update

from tocsin.model.alert import PEOPLE_SAY, Alert, AlertStatus, CountedFinding, Disposition
from tocsin.model.because import Score
from tocsin.model.finding import Finding
from tocsin.model.identifier import new_id
from tocsin.model.page import Page
from tocsin.model.severity import Level
from tocsin.triage.alert_changes import AlertChange, Wish, apply_wish, changes_of
from tocsin.triage.alert_filter import AlertFilter, after_cursor, cursor_behind
from tocsin.triage.alert_rows import alert_of, row_of
from tocsin.triage.corrections import (
    Sorted,
    corrected_alert,
    is_untouched,
    keep_verdicts,
    left_of,
    overtake,
    sort_out,
    verdicts_of,
)
from tocsin.triage.errors import RefusedChange, TriageError, UnknownAlert
from tocsin.triage.folding import (
    RECENT_KEPT,
    Fold,
    fold,
    group_by_key,
    joined,
    joined_exemplars,
)
from tocsin.triage.risk import refresh_risk
from tocsin.triage.scoring import AssetTiers, NoTiers, alert_score, without_grounds
from tocsin.triage.tables import ALERTS

__all__ = ["AlertBook", "AlertFilter", "RefusedChange", "TriageError", "UnknownAlert"]

PLATFORM = "tocsin"
"""Who changed an alert when no person did."""
_WITHDRAWN = (
    "Retracted: with events that came late, what the rule looks for no longer holds, and "
    "nothing else is in this alert."
)
_CHUNK = 500


class AlertBook:
    """Alerts in the state store; every method works within the caller's transaction.

    Findings are folded exactly once because the fold is in the transaction that moves the spool
    offset. Besides, each alert remembers its last 32 findings, so that a check that tells the
    same finding again (a source still silent) neither counts it twice nor re-opens what a person
    closed.
    """

    def __init__(self, tiers: AssetTiers | None = None) -> None:
        """``tiers`` knows how critical entities are; without it no tier enters the score."""
        self._tiers = tiers or NoTiers()

    def fold(self, tx: Connection, findings: Sequence[Finding], now: datetime) -> list[Alert]:
        """Fold findings into the open alert of their rule and primary entity, or a new one.

        A closed alert stays closed: its next finding starts a new alert that names it as
        ``previous_id``. Returns the alerts that are new, have grown or were corrected, no finding
        ever dropped.

        A finding that supersedes one takes its place in the alert that holds it, one that
        retracts it takes it away; an alert of which nothing is left says so, and is closed by
        the platform unless a person has worked on it.
        """
        sorted_out = sort_out(tx, findings)
        alerts = self._correct(tx, sorted_out, now)
        alerts += self._fold_plain(tx, sorted_out, now)
        refresh_risk(tx, {(alert.tenant, alert.entity.key) for alert in alerts}, now)
        return list({alert.id: alert for alert in alerts}.values())

    def _correct(self, tx: Connection, sorted_out: Sorted, now: datetime) -> list[Alert]:
        overtake(tx, sorted_out.overtaken)
        keep_verdicts(tx, sorted_out.corrections.items(), sorted_out.states, now)
        ids = list(sorted_out.corrections)
        rows = _rows(tx, ids)
        left = left_of(tx, ids)
        alerts = []
        for alert_id, findings in sorted_out.corrections.items():
            before = alert_of(rows[alert_id])
            alert = corrected_alert(before, findings, sorted_out.states, left[alert_id])
            alerts.append(self._scored(dataclasses.replace(alert, updated_at=now)))
        grown = [row_of(alert, rows[alert.id]["recent_findings"]) for alert in alerts]
        if grown:
            tx.execute(_GROW, [_grow_values(row) for row in grown])
        empty = [one.id for one in alerts if not one.count and is_untouched(tx, one)]
        if empty:
            wish = Wish(AlertStatus.CLOSED, Disposition.RETRACTED, None, _WITHDRAWN, PLATFORM)
            apply_wish(tx, empty, wish, now)
            closed = {alert.id: alert for alert in self.get_many(tx, empty)}
            alerts = [closed.get(alert.id, alert) for alert in alerts]
        return alerts

    def _fold_plain(self, tx: Connection, sorted_out: Sorted, now: datetime) -> list[Alert]:
        groups = group_by_key(sorted_out.plain)
        before = dict(_latest_rows(tx, list(groups)))
        added: list[dict[str, Any]] = []
        grown: list[dict[str, Any]] = []
        alerts: list[Alert] = []
        verdicts: list[tuple[str, list[Finding]]] = []
        for key, members in groups.items():
            row = before.get(key)
            known = set(row["recent_findings"]) if row else set()
            fresh = [finding for finding in members if finding.finding_id not in known]
            if not fresh:
                continue
            part = fold(key, fresh)
            is_growing = row is not None and row["is_open"]
            alert = self._scored(
                _grown(alert_of(row), part, now)
                if row is not None and is_growing
                else _started(part, row["id"] if row else "", now)
            )
            recent = [*(row["recent_findings"] if row else ()), *part.finding_ids][-RECENT_KEPT:]
            (grown if is_growing else added).append(row_of(alert, recent))
            alerts.append(alert)
            verdicts.append((alert.id, fresh))
        if added:
            tx.execute(insert(ALERTS), added)
        if grown:
            tx.execute(_GROW, [_grow_values(row) for row in grown])
        keep_verdicts(tx, verdicts, sorted_out.states, now)
        return alerts

    def get(self, tx: Connection, alert_id: str) -> Alert | None:
        row = tx.execute(select(ALERTS).where(ALERTS.c.id == alert_id)).mappings().one_or_none()
        return alert_of(row) if row is not None else None

    def get_many(self, tx: Connection, ids: Sequence[str]) -> list[Alert]:
        """The alerts with these ids in that order; raises ``UnknownAlert`` for one that is not."""
        rows = _rows(tx, list(dict.fromkeys(ids)))
        found = {alert_id: alert_of(row) for alert_id, row in rows.items()}
        missing = [alert_id for alert_id in ids if alert_id not in found]
        if missing:
            raise UnknownAlert(
                f"no alert has the id {missing[0]!r}; it may belong to another store"
            )
        return [found[alert_id] for alert_id in dict.fromkeys(ids)]

    def page(
        self,
        tx: Connection,
        *,
        status: AlertStatus | None = None,
        is_open: bool | None = None,
        level: Level | None = None,
        entity_key: str | None = None,
        text: str | None = None,
        rule_id: str | None = None,
        assignee: str | None = None,
        case_id: str | None = None,
        tenant: str | None = None,
        cursor: str | None = None,
        size: int = 50,
    ) -> Page[Alert]:
        """Alerts by score, then last seen, highest and newest first; ``total`` counts all pages."""
        wanted = AlertFilter(
            status, is_open, level, entity_key, text, rule_id, assignee, case_id, tenant
        )
        conditions = wanted.conditions()
        columns = ALERTS.c
        total = tx.execute(select(func.count()).select_from(ALERTS).where(*conditions)).scalar_one()
        query = (
            select(ALERTS)
            .where(*conditions)
            .order_by(columns.score.desc(), columns.last_seen.desc(), columns.id.desc())
            .limit(size + 1)
        )
        if cursor:
            query = query.where(after_cursor(cursor))
        found = [alert_of(row) for row in tx.execute(query).mappings()]
        items = tuple(found[:size])
        follows = len(found) > size and items
        last = items[-1] if items else None
        return Page(
            items,
            total,
            cursor_behind(last.score.value, last.last_seen, last.id) if follows and last else None,
        )

    def counts(self, tx: Connection) -> dict[AlertStatus, int]:
        """How many alerts stand where; every status has a number."""
        columns = ALERTS.c
        rows = tx.execute(select(columns.status, func.count()).group_by(columns.status)).all()
        counted = {AlertStatus(status): number for status, number in rows}
        return {status: counted.get(status, 0) for status in AlertStatus}

    def change(
        self,
        tx: Connection,
        ids: Sequence[str],
        *,
        status: AlertStatus | None = None,
        disposition: Disposition | None = None,
        assignee: str | None = None,
        reason: str = "",
        by: str,
        now: datetime,
    ) -> list[Alert]:
        """Change any number of alerts at once; returns those that are different now.

        Closing needs a reason and takes a disposition (``undetermined`` when none is given);
        acknowledging assigns to ``by`` who has no one. All change or, on ``TriageError``, none.
        """
        if disposition is not None and disposition not in PEOPLE_SAY:
            raise RefusedChange(
                "only the platform retracts; close the alert as what it turned out to be"
            )
        wish = Wish(status, disposition, assignee, reason.strip(), by)
        changed = apply_wish(tx, list(dict.fromkeys(ids)), wish, now)
        return self.get_many(tx, changed)

    def change_where(
        self,
        tx: Connection,
        wanted: AlertFilter,
        *,
        status: AlertStatus | None = None,
        disposition: Disposition | None = None,
        assignee: str | None = None,
        reason: str = "",
        by: str,
        now: datetime,
    ) -> list[Alert]:
        """`change` for all alerts a filter finds, however many."""
        ids = tx.execute(select(ALERTS.c.id).where(*wanted.conditions())).scalars().all()
        return self.change(
            tx,
            ids,
            status=status,
            disposition=disposition,
            assignee=assignee,
            reason=reason,
            by=by,
            now=now,
        )

    def history(self, tx: Connection, alert_id: str) -> list[AlertChange]:
        """What people changed in an alert, oldest first."""
        return changes_of(tx, alert_id)

    def verdicts(self, tx: Connection, alert_id: str) -> list[CountedFinding]:
        """The verdicts on several events an alert holds or has held, latest told first."""
        return verdicts_of(tx, alert_id)

    def link_case(self, tx: Connection, ids: Sequence[str], case_id: str, now: datetime) -> None:
        """Note on each alert which case it is in."""
        self.get_many(tx, ids)
        for part in _chunks(list(ids)):
            tx.execute(
                update(ALERTS).where(ALERTS.c.id.in_(part)).values(case_id=case_id, updated_at=now)
            )

    def _scored(self, alert: Alert) -> Alert:
        tier = self._tiers.tier_of(alert.entity)
        score = alert_score(
            alert.level, alert.count, tier, alert.sources, alert.techniques, alert.rule_id
        )
        if not alert.count:
            score = without_grounds(score, alert.level)
        return dataclasses.replace(alert, score=score)


_GROWING = (
    *("level", "count", "first_seen", "last_seen", "related", "sources", "techniques", "tags"),
    *("exemplars", "recent_findings", "score", "addends", "rule_title", "search_text"),
    *("updated_at", "corrected", "retracted"),
)
_GROW = (
    update(ALERTS)
    .where(ALERTS.c.id == bindparam("new_id"))
    .values({name: bindparam(f"new_{name}") for name in _GROWING})
)


def _grow_values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": row[name] for name in ("id", *_GROWING)}


def _rows(tx: Connection, ids: list[str]) -> dict[str, RowMapping]:
    return {
        row["id"]: row
        for part in _chunks(ids)
        for row in tx.execute(select(ALERTS).where(ALERTS.c.id.in_(part))).mappings()
    }


def _latest_rows(tx: Connection, keys: list[str]) -> Iterator[tuple[str, RowMapping]]:
    """For each fold key its open alert, or else the one closed last."""
    columns = ALERTS.c
    for part in _chunks(keys):
        query = (
            select(ALERTS)
            .where(columns.fold_key.in_(part))
            .order_by(columns.is_open, columns.created_at, columns.id)
        )
        for row in tx.execute(query).mappings():
            yield row["fold_key"], row


def _started(part: Fold, previous_id: str, now: datetime) -> Alert:
    """A new alert, still without its score."""
    return Alert(
        id=new_id("alert", now),
        rule_id=part.rule_id,
        rule_title=part.rule_title,
        level=part.level,
        entity=part.entity,
        related=part.related,
        status=AlertStatus.NEW,
        count=part.count,
        first_seen=part.first_seen,
        last_seen=part.last_seen,
        score=Score(0.0),
        techniques=part.techniques,
        tags=part.tags,
        sources=part.sources,
        exemplars=part.exemplars,
        fold_key=part.key,
        tenant=part.tenant,
        created_at=now,
        updated_at=now,
        previous_id=previous_id,
    )


def _grown(alert: Alert, part: Fold, now: datetime) -> Alert:
    """The alert with the findings of ``part``; its level is the highest it ever had."""
    related = {entity.key: entity for entity in (*alert.related, *part.related)}
    return dataclasses.replace(
        alert,
        rule_title=part.rule_title,
        level=max(alert.level, part.level, key=lambda level: level.rank),
        related=tuple(related[key] for key in joined(list(related), ())),
        count=alert.count + part.count,
        first_seen=min(alert.first_seen, part.first_seen),
        last_seen=max(alert.last_seen, part.last_seen),
        sources=tuple(joined(alert.sources, part.sources)),
        techniques=tuple(joined(alert.techniques, part.techniques)),
        tags=tuple(joined(alert.tags, part.tags)),
        exemplars=tuple(joined_exemplars(alert.exemplars, part.exemplars)),
        updated_at=now,
    )


def _chunks(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
