"""What each source sent, hour by hour: for pictures, and to see when a trouble began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, func, select

from tocsin.ingest.sources.rates import SLOT_S, slot_of
from tocsin.ingest.sources.tables import source_slots
from tocsin.ingest.sources.usual_week import Band, hour_of
from tocsin.ingest.sources.week_learning import usual_weeks

_HOUR_SLOTS = 3600 // SLOT_S


@dataclass(frozen=True, slots=True)
class SourceHour:
    """One hour: ``events`` by the time they happened, the others by the time they arrived.

    ``usual`` is how many events an hour like it has; None when that is not known or was not asked.
    """

    start: datetime
    events: int = 0
    received: int = 0
    unreadable: int = 0
    unrecognized: int = 0
    usual: Band | None = None


def source_hours(
    tx: Connection, now: datetime, hours: int, source: str | None = None
) -> Mapping[tuple[str, str], list[SourceHour]]:
    """The last ``hours`` hours of each (tenant, source), the present one last, none left out.

    Sources of which nothing is counted in that time are missing.
    """
    columns = source_slots.c
    last = slot_of(now) // _HOUR_SLOTS
    first = last - hours + 1
    hour = columns.slot - columns.slot % _HOUR_SLOTS
    counted = ("events", "received", "unreadable", "unrecognized")
    query = (
        select(
            columns.tenant,
            columns.source,
            hour.label("hour"),
            *(func.sum(columns[name]).label(name) for name in counted),
        )
        .where(columns.slot >= first * _HOUR_SLOTS, columns.slot < (last + 1) * _HOUR_SLOTS)
        .group_by(columns.tenant, columns.source, hour)
    )
    if source is not None:
        query = query.where(columns.source == source)
    found: dict[tuple[str, str], list[SourceHour]] = {}
    for row in tx.execute(query).mappings():
        mine = found.setdefault(
            (row["tenant"], row["source"]), [_empty(first + at) for at in range(hours)]
        )
        at = row["hour"] // _HOUR_SLOTS - first
        events, received, unreadable, unrecognized = (int(row[name]) for name in counted)
        mine[at] = SourceHour(mine[at].start, events, received, unreadable, unrecognized)
    return found


def with_usual(
    tx: Connection, hours: Mapping[tuple[str, str], Sequence[SourceHour]]
) -> Mapping[tuple[str, str], list[SourceHour]]:
    """The same hours, each with what is usual in it."""
    weeks = usual_weeks(tx, [source for _, source in hours])
    return {
        key: [
            replace(one, usual=weeks[key].band(hour_of(one.start))) if key in weeks else one
            for one in mine
        ]
        for key, mine in hours.items()
    }


def _empty(hour: int) -> SourceHour:
    return SourceHour(datetime.fromtimestamp(0, UTC) + timedelta(hours=hour))
