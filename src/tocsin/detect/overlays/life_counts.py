"""Counts by rule and day what exceptions hid and what staged rules found, with some of the events."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Table, insert, select, update

from tocsin.detect.overlays.hidden import Hidden
from tocsin.detect.overlays.overlay_tables import HIDDEN_HITS, STAGED_FINDINGS
from tocsin.model.finding import Finding

SAMPLES_KEPT = 5


@dataclass(frozen=True, slots=True)
class DayCount:
    """How many on a day (``2026-11-22``, UTC); ``samples`` are ids of the latest events.

    ``exception_id`` is empty in counts of staged findings.
    """

    rule_id: str
    day: str
    count: int
    samples: tuple[str, ...]
    last_at: datetime
    exception_id: str = ""


def count_hidden(tx: Connection, hidden: Sequence[Hidden], now: datetime) -> None:
    """Add what exceptions hid to the day of ``now``."""
    events: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in hidden:
        events[one.rule_id, one.exception_id].append(one.event_id)
    _add(tx, HIDDEN_HITS, ("rule_id", "exception_id"), events, now)


def count_staged(tx: Connection, findings: Iterable[Finding], now: datetime) -> None:
    """Add what staged rules found, corrections and retractions aside, to the day of ``now``."""
    events: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in findings:
        if one.staged and not one.supersedes and not one.retracted:
            events[one.rule_id,].append(one.event_id)
    _add(tx, STAGED_FINDINGS, ("rule_id",), events, now)


def hidden_by_day(tx: Connection, rule_id: str, days: int = 90) -> list[DayCount]:
    """What the exceptions of a rule hid, latest day first."""
    return _read(tx, HIDDEN_HITS, rule_id, days * 20)


def staged_by_day(tx: Connection, rule_id: str, days: int = 90) -> list[DayCount]:
    """What a rule found while it was staged, latest day first."""
    return _read(tx, STAGED_FINDINGS, rule_id, days)


def _add(
    tx: Connection,
    table: Table,
    names: tuple[str, ...],
    events: dict[tuple[str, ...], list[str]],
    now: datetime,
) -> None:
    day = f"{now:%Y-%m-%d}"
    for key, event_ids in events.items():
        where: list[Any] = [table.c.day == day]
        where += [_column(table, name) == part for name, part in zip(names, key, strict=True)]
        row = tx.execute(select(table.c.count, table.c.samples).where(*where)).one_or_none()
        samples = [*(row.samples if row else ()), *event_ids][-SAMPLES_KEPT:]
        values = {
            "count": (row[0] if row else 0) + len(event_ids),
            "samples": samples,
            "last_at": now,
        }
        if row is None:
            of = dict(zip(names, key, strict=True))
            tx.execute(insert(table).values(**of, day=day, **values))
        else:
            tx.execute(update(table).where(*where).values(values))


def _read(tx: Connection, table: Table, rule_id: str, size: int) -> list[DayCount]:
    query = (
        select(table)
        .where(table.c.rule_id == rule_id)
        .order_by(table.c.day.desc(), table.c.last_at.desc())
        .limit(size)
    )
    return [
        DayCount(**{**row, "samples": tuple(row["samples"])})
        for row in tx.execute(query).mappings()
    ]


def _column(table: Table, name: str) -> Column[Any]:
    return table.c[name]
