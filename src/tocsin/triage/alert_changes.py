"""What people change in alerts: checked, applied in bulk, and kept with who and why."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from tocsin.model.alert import AlertStatus, Disposition
from tocsin.triage.errors import RefusedChange, UnknownAlert
from tocsin.triage.risk import refresh_risk
from tocsin.triage.tables import ALERT_CHANGES, ALERTS

_CHUNK = 500
_FIELDS = ("status", "disposition", "assignee", "reason")


@dataclass(frozen=True, slots=True)
class Wish:
    """What ``by`` wants of alerts; None leaves a part as it is."""

    status: AlertStatus | None
    disposition: Disposition | None
    assignee: str | None
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class AlertChange:
    """One change of one alert: the parts that differ, as they were and as they are."""

    alert_id: str
    time: datetime
    author: str
    before: dict[str, str | None]
    after: dict[str, str | None]
    reason: str


def apply_wish(tx: Connection, ids: list[str], wish: Wish, now: datetime) -> list[str]:
    """Change these alerts and refresh their entities' risk; the ids that are different now."""
    alike: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    changes: list[dict[str, Any]] = []
    entities: set[tuple[str, str]] = set()
    reopened: set[str] = set()
    for row in _rows(tx, ids):
        after = _after(tx, row, wish)
        differing = [name for name in _FIELDS if row[name] != after[name]]
        if not differing:
            continue
        if row["status"] == AlertStatus.CLOSED != after["status"]:
            if row["fold_key"] in reopened:
                raise RefusedChange(
                    f"alert {row['id']} can't be re-opened together with another of the same rule "
                    "and entity; re-open the latest only"
                )
            reopened.add(row["fold_key"])
        alike[tuple(after[name] for name in _FIELDS)].append(row["id"])
        changes.append(
            {
                "alert_id": row["id"],
                "time": now,
                "author": wish.by,
                "before": {name: row[name] for name in differing},
                "after": {name: after[name] for name in differing},
                "reason": wish.reason,
            }
        )
        entities.add((row["tenant"], row["entity_key"]))
    for values, members in alike.items():
        _update(tx, members, dict(zip(_FIELDS, values, strict=True)), now)
    if changes:
        tx.execute(insert(ALERT_CHANGES), changes)
        refresh_risk(tx, entities, now)
    return [change["alert_id"] for change in changes]


def _update(tx: Connection, ids: list[str], after: dict[str, str | None], now: datetime) -> None:
    is_open = after["status"] != AlertStatus.CLOSED
    for start in range(0, len(ids), _CHUNK):
        tx.execute(
            update(ALERTS)
            .where(ALERTS.c.id.in_(ids[start : start + _CHUNK]))
            .values(
                **after,
                is_open=is_open,
                open_fold_key=ALERTS.c.fold_key if is_open else None,
                updated_at=now,
            )
        )


def changes_of(tx: Connection, alert_id: str) -> list[AlertChange]:
    columns = ALERT_CHANGES.c
    query = select(ALERT_CHANGES).where(columns.alert_id == alert_id).order_by(columns.number)
    return [
        AlertChange(
            row["alert_id"], row["time"], row["author"], row["before"], row["after"], row["reason"]
        )
        for row in tx.execute(query).mappings()
    ]


def _rows(tx: Connection, ids: list[str]) -> Iterator[RowMapping]:
    columns = ALERTS.c
    wanted = [columns.id, columns.tenant, columns.entity_key, columns.fold_key]
    wanted += [columns[name] for name in _FIELDS]
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        found = {
            row["id"]: row
            for row in tx.execute(select(*wanted).where(columns.id.in_(part))).mappings()
        }
        for alert_id in part:
            if alert_id not in found:
                raise UnknownAlert(f"no alert has the id {alert_id!r}; nothing was changed")
            yield found[alert_id]


def _after(tx: Connection, row: RowMapping, wish: Wish) -> dict[str, str | None]:
    """The changeable columns of a row as they will be; raises ``RefusedChange``."""
    status = AlertStatus(wish.status) if wish.status is not None else AlertStatus(row["status"])
    is_closed = status is AlertStatus.CLOSED
    was_closed = row["status"] == AlertStatus.CLOSED
    disposition = row["disposition"]
    if is_closed:
        if not was_closed and not wish.reason:
            raise RefusedChange(f"closing alert {row['id']} needs a reason; say what it was")
        if wish.disposition is not None:
            disposition = Disposition(wish.disposition).value
        disposition = disposition or Disposition.UNDETERMINED.value
    elif wish.disposition is not None:
        raise RefusedChange(
            f"alert {row['id']} is {status.value}: a disposition says what a closed alert turned "
            "out to be; close it with this disposition"
        )
    elif was_closed:
        _check_reopening(tx, row, wish)
        disposition = None
    assignee = row["assignee"] if wish.assignee is None else wish.assignee.strip()
    if wish.status == AlertStatus.ACKNOWLEDGED and wish.assignee is None:
        assignee = assignee or wish.by
    return {
        "status": status.value,
        "disposition": disposition,
        "assignee": assignee,
        "reason": wish.reason or row["reason"],
    }


def _check_reopening(tx: Connection, row: RowMapping, wish: Wish) -> None:
    if not wish.reason:
        raise RefusedChange(f"re-opening alert {row['id']} needs a reason; say why")
    columns = ALERTS.c
    successor = tx.execute(
        select(columns.id).where(columns.open_fold_key == row["fold_key"])
    ).scalar_one_or_none()
    if successor is not None:
        raise RefusedChange(
            f"alert {row['id']} can't be re-opened: {successor} took its place and is open; "
            "work on that one"
        )
