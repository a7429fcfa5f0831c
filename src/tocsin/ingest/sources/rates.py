"""How much each source sends, in slots of ten minutes, and how that compares with what is usual.

Events are counted in the slot they happened in, what could not be read or recognized in the slot
it arrived in. Usual is what ``usual_week`` learned of this hour of the week.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from tocsin.ingest.sources.clock_skew import Clock
from tocsin.ingest.sources.seen_fields import new_fields
from tocsin.ingest.sources.silence import own_moment
from tocsin.ingest.sources.tables import source_slots
from tocsin.ingest.sources.usual_week import UsualWeek, share_of_usual, usual_between
from tocsin.ingest.sources.week_learning import usual_weeks
from tocsin.model.source import SourceLedger

SLOT_S = 600
KEPT = timedelta(days=15)
WINDOW_SLOTS = 6
"""A rate is measured over this many whole slots: an hour, so that a job of every hour is in it."""
FEWEST_RECEIVED = 50
"""Shares of fewer records than this say nothing."""
_DAY_SLOTS = 86_400 // SLOT_S
_ARRIVALS = 3
_COUNTS = (
    *("events", "received", "unreadable", "unrecognized", "ahead", "late"),
    *("dropped", "tls_refused"),
)
_LEAST = ("least_lag_s", "clock_ahead_s")
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class SourceRate:
    """What a source sends now; None where too little is known to tell.

    ``events_per_minute`` is of the last ``WINDOW_SLOTS`` whole slots; from ``least_per_minute``
    over ``usual_per_minute`` to ``most_per_minute`` is usual then. ``rate_share`` is 1 within
    that band, else the share of its nearest edge. ``lag_s`` is how old the freshest record that
    arrived in the last half hour was on arrival, ``extra_lag_s`` how much more than usual. The
    shares are of what arrived in that half hour, ``dropped`` and ``tls_refused`` what was lost at
    the door in it. ``clock_ahead_s`` is how far its clock was ahead of ours in the latest ten
    minutes of it that had events. ``new_fields`` were first sent within the last hour, by a source
    that has been known for longer than a day.
    """

    tenant: str
    source: str
    events_per_minute: float | None = None
    usual_per_minute: float | None = None
    least_per_minute: float | None = None
    most_per_minute: float | None = None
    rate_share: float | None = None
    lag_s: float | None = None
    extra_lag_s: float | None = None
    unreadable_share: float | None = None
    unrecognized_share: float | None = None
    late_share: float | None = None
    clock_ahead_s: float | None = None
    new_fields: int | None = None
    dropped: int | None = None
    tls_refused: int | None = None


@dataclass(slots=True)
class _Slot:
    events: int = 0
    received: int = 0
    unreadable: int = 0
    unrecognized: int = 0
    least_lag_s: float | None = None
    ahead: int = 0
    late: int = 0
    clock_ahead_s: float | None = None
    dropped: int = 0
    tls_refused: int = 0


@dataclass(slots=True)
class Arrival:
    """What one turn took in of one source; ``times_us`` are event times since 1970.

    ``dropped`` and ``tls_refused`` never came in.
    """

    received: int = 0
    unreadable: int = 0
    unrecognized: int = 0
    times_us: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    clock: Clock = field(default_factory=Clock)
    dropped: int = 0
    tls_refused: int = 0


def add_arrivals(
    tx: Connection, arrivals: Iterable[tuple[str, str, Arrival]], now: datetime
) -> None:
    """Add what came of each (tenant, source) to its slots, each source once.

    Events older than is kept, or of the future, are left out.
    """
    alike: dict[tuple[str, frozenset[int]], dict[str, dict[int, _Slot]]] = {}
    for tenant, source, came in arrivals:
        slots = _slots(came, now)
        alike.setdefault((tenant, frozenset(slots)), {})[source] = slots
    for (tenant, numbers), by_source in alike.items():
        names = list(by_source)
        for start in range(0, len(names), _CHUNK):
            some = {name: by_source[name] for name in names[start : start + _CHUNK]}
            _write(tx, tenant, numbers, some)


def _slots(came: Arrival, now: datetime) -> dict[int, _Slot]:
    current = slot_of(now)
    slots: dict[int, _Slot] = defaultdict(_Slot)
    here = slots[current]
    here.received, here.unreadable = came.received, came.unreadable
    here.unrecognized = came.unrecognized
    here.ahead, here.late = came.clock.ahead, came.clock.late
    here.clock_ahead_s = came.clock.ahead_s
    here.dropped, here.tls_refused = came.dropped, came.tls_refused
    if len(came.times_us):
        here.least_lag_s = max(0.0, now.timestamp() - int(came.times_us.max()) / 1e6)
        numbers, counts = np.unique(came.times_us // (SLOT_S * 1_000_000), return_counts=True)
        oldest = current - int(KEPT.total_seconds()) // SLOT_S
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if oldest <= number <= current:
                slots[number].events = count
    return slots


def _write(
    tx: Connection,
    tenant: str,
    numbers: frozenset[int],
    by_source: Mapping[str, Mapping[int, _Slot]],
) -> None:
    """Add to the slots of sources that all have the same ``numbers``."""
    columns = source_slots.c
    query = select(source_slots).where(
        columns.tenant == tenant,
        columns.source.in_(list(by_source)),
        columns.slot.in_(sorted(numbers)),
    )
    before = {(row["source"], row["slot"]): row for row in tx.execute(query).mappings()}
    fresh: list[dict[str, Any]] = []
    grown: list[dict[str, Any]] = []
    for source, slots in by_source.items():
        for number, slot in slots.items():
            row = before.get((source, number))
            values = _added(slot, row)
            if row is None:
                fresh.append({"tenant": tenant, "source": source, "slot": number, **values})
            else:
                named = {"of_tenant": tenant, "of_source": source, "of_slot": number}
                grown.append({**named, **{f"new_{name}": value for name, value in values.items()}})
    if fresh:
        tx.execute(insert(source_slots), fresh)
    if grown:
        tx.execute(_GROW, grown)


def _added(slot: _Slot, row: RowMapping | None) -> dict[str, Any]:
    """The counts of a slot and of its row before."""
    values: dict[str, Any] = {
        name: getattr(slot, name) + (row[name] if row is not None else 0) for name in _COUNTS
    }
    for name in _LEAST:
        before = row[name] if row is not None else None
        both = [one for one in (getattr(slot, name), before) if one is not None]
        values[name] = min(both) if both else None
    return values


_GROW = (
    update(source_slots)
    .where(
        source_slots.c.tenant == bindparam("of_tenant"),
        source_slots.c.source == bindparam("of_source"),
        source_slots.c.slot == bindparam("of_slot"),
    )
    .values({name: bindparam(f"new_{name}") for name in (*_COUNTS, *_LEAST)})
)


def source_rates(
    tx: Connection, ledgers: Sequence[SourceLedger], moment: datetime, now: datetime
) -> list[SourceRate]:
    """The rate of each source.

    Events are counted up to ``moment`` (how far events have come), arrivals up to ``now``.
    """
    columns = source_slots.c
    query = select(source_slots).where(columns.slot >= slot_of(now) - _DAY_SLOTS)
    by_source: dict[tuple[str, str], dict[int, _Slot]] = defaultdict(dict)
    for row in tx.execute(query).mappings():
        slot = _Slot(*(row[name] for name in _Slot.__slots__))
        by_source[row["tenant"], row["source"]][row["slot"]] = slot
    fresh = new_fields(tx, now)
    weeks = usual_weeks(tx)
    rates = [
        _rate(
            ledger,
            by_source.get((ledger.tenant, ledger.name), {}),
            weeks.get((ledger.tenant, ledger.name)),
            moment,
            now,
        )
        for ledger in ledgers
    ]
    return [
        replace(rate, new_fields=len(fresh[rate.tenant, rate.source]))
        if (rate.tenant, rate.source) in fresh
        else rate
        for rate in rates
    ]


def forget_old_slots(tx: Connection, now: datetime) -> None:
    """Delete the slots no rate looks at any more."""
    tx.execute(delete(source_slots).where(source_slots.c.slot < slot_of(now - KEPT)))


def slot_of(moment: datetime) -> int:
    """The number of the ten minutes a moment is in, since 1970."""
    return int(moment.timestamp()) // SLOT_S


def _rate(
    ledger: SourceLedger,
    slots: dict[int, _Slot],
    week: UsualWeek | None,
    moment: datetime,
    now: datetime,
) -> SourceRate:
    end = slot_of(own_moment(ledger, moment, now))
    events = _window(slots, end)
    minutes = WINDOW_SLOTS * SLOT_S / 60
    usual = usual_between(week, _start_of(end - WINDOW_SLOTS), _start_of(end)) if week else None
    arrived = [
        slots[n] for n in range(slot_of(now) - _ARRIVALS + 1, slot_of(now) + 1) if n in slots
    ]
    received = sum(slot.received for slot in arrived)
    lag_s, extra_s = _lag(ledger, slots, arrived, now)
    enough = received >= FEWEST_RECEIVED
    unreadable = sum(slot.unreadable for slot in arrived)
    unrecognized = sum(slot.unrecognized for slot in arrived)
    late = sum(slot.late for slot in arrived)
    clocks = [slot.clock_ahead_s for slot in arrived if slot.clock_ahead_s is not None]
    return SourceRate(
        tenant=ledger.tenant,
        source=ledger.name,
        events_per_minute=events / minutes,
        usual_per_minute=usual.middle / minutes if usual else None,
        least_per_minute=usual.low / minutes if usual else None,
        most_per_minute=usual.high / minutes if usual else None,
        rate_share=share_of_usual(events, usual) if usual else None,
        lag_s=lag_s,
        extra_lag_s=extra_s,
        unreadable_share=unreadable / received if enough else None,
        unrecognized_share=unrecognized / received if enough else None,
        late_share=late / received if enough else None,
        clock_ahead_s=clocks[-1] if clocks else None,
        dropped=sum(slot.dropped for slot in arrived),
        tls_refused=sum(slot.tls_refused for slot in arrived),
    )


def _window(slots: dict[int, _Slot], end: int) -> int:
    """Events in the whole slots before ``end``."""
    return sum(slots[n].events for n in range(end - WINDOW_SLOTS, end) if n in slots)


def _start_of(slot: int) -> datetime:
    return datetime.fromtimestamp(slot * SLOT_S, UTC)


def _lag(
    ledger: SourceLedger, slots: dict[int, _Slot], arrived: Sequence[_Slot], now: datetime
) -> tuple[float | None, float | None]:
    lags = [slot.least_lag_s for slot in arrived if slot.least_lag_s is not None]
    if not lags or ledger.expected_interval_s is None:
        return None, None
    present = slot_of(now) - _ARRIVALS
    before = [
        slot.least_lag_s
        for number, slot in slots.items()
        if number <= present and slot.least_lag_s is not None
    ]
    extra_s = max(0.0, min(lags) - statistics.median(before)) if len(before) >= 6 else None
    return min(lags), extra_s
