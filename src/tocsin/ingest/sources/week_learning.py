"""Keeps what each source usually sends by hour of week, learned from its slots of ten minutes."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from tocsin.ingest.sources.tables import source_slots, source_weeks, sources
from tocsin.ingest.sources.usual_week import RELEARNED_HOURS, UsualWeek, hour_of, learned
from tocsin.model.source import SourceLedger

HOUR_SLOTS = 6
SLOT_DAYS = 15
MOST_A_ROUND = 100
"""Sources learned in one round; the others' turn comes with the next."""

_Key = tuple[str, str]


def usual_weeks(
    tx: Connection, of_sources: Collection[str] | None = None
) -> Mapping[_Key, UsualWeek]:
    """By tenant and source; of those whose name is asked for, None: all."""
    query = select(source_weeks)
    if of_sources is not None:
        query = query.where(source_weeks.c.source.in_(of_sources))
    return {
        (row.tenant, row.source): UsualWeek.from_bytes(row.last_hour, row.counts)
        for row in tx.execute(query)
    }


def learn_weeks(tx: Connection, ledgers: Sequence[SourceLedger], moment: datetime) -> int:
    """Learn the whole hours up to ``moment`` (how far events have come); of how many sources.

    A source is learned up to its last event: what it does not send later is no habit yet.
    """
    whole = hour_of(moment) - 1
    columns = source_weeks.c
    rows = tx.execute(select(columns.tenant, columns.source, columns.last_hour))
    known = {(row.tenant, row.source): row.last_hour for row in rows}
    due = []
    for ledger in ledgers:
        if ledger.last_seen is None or ledger.expected_interval_s is None:
            continue
        key = (ledger.tenant, ledger.name)
        through = min(whole, hour_of(ledger.last_seen))
        if known.get(key, -1) < through:
            due.append((known.get(key, -1), key, through))
    due.sort()
    oldest = hour_of(moment) - SLOT_DAYS * 24 + 1
    for last, key, through in due[:MOST_A_ROUND]:
        _learn(tx, key, last, through, oldest)
    return min(len(due), MOST_A_ROUND)


def _learn(tx: Connection, key: _Key, last: int, through: int, oldest: int) -> None:
    columns = source_weeks.c
    here = (columns.tenant == key[0]) & (columns.source == key[1])
    row = tx.execute(select(source_weeks).where(here)).one_or_none() if last >= 0 else None
    before = UsualWeek.from_bytes(row.last_hour, row.counts) if row is not None else None
    start = max(oldest, last - RELEARNED_HOURS + 1)
    told = _told_silence(tx, key)
    week = learned(before, _hours(tx, key, start, through), through, told)
    if week is None:
        return
    values = {"last_hour": week.last, "counts": week.as_bytes()}
    if row is None:
        tx.execute(insert(source_weeks).values(tenant=key[0], source=key[1], **values))
    else:
        tx.execute(update(source_weeks).where(here).values(values))


def _hours(tx: Connection, key: _Key, start: int, through: int) -> dict[int, int]:
    """Events of the hours that had some."""
    columns = source_slots.c
    hour = (columns.slot - columns.slot % HOUR_SLOTS).label("hour")
    query = (
        select(hour, func.sum(columns.events).label("events"))
        .where(
            columns.tenant == key[0],
            columns.source == key[1],
            columns.slot >= start * HOUR_SLOTS,
            columns.slot < (through + 1) * HOUR_SLOTS,
        )
        .group_by(hour)
    )
    rows = tx.execute(query).all()
    return {row.hour // HOUR_SLOTS: int(row.events) for row in rows if row.events}


def _told_silence(tx: Connection, key: _Key) -> int | None:
    query = select(sources.c.reported_silence).where(
        sources.c.tenant == key[0], sources.c.name == key[1]
    )
    told: datetime | None = tx.execute(query).scalar_one_or_none()
    return hour_of(told) if told is not None else None
