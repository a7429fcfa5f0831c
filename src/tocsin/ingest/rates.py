"""How much each source sends, in slots of ten minutes, and how that compares with what is usual.

Events are counted in the slot they happened in, what could not be read or recognized in the slot
it arrived in. Usual is the median of the same time of day on the days before: an office sends
little at night, and that is no drop.
"""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from tocsin.ingest.clock_skew import Clock
from tocsin.ingest.seen_fields import new_fields
from tocsin.ingest.tables import source_slots
from tocsin.model.source import SourceLedger

SLOT_S = 600
KEPT = timedelta(days=15)
WINDOW_SLOTS = 2
"""A rate is measured over this many whole slots."""
FEWEST_DAYS = 3
"""Nothing is usual before as many days were seen."""
FEWEST_EVENTS = 20.0
"""A window in which fewer are usual says nothing: chance alone would make drops and surges."""
FEWEST_RECEIVED = 50
"""Shares of fewer records than this say nothing."""
_DAY_SLOTS = 86_400 // SLOT_S
_ARRIVALS = 3
_COUNTS = ("events", "received", "unreadable", "unrecognized", "ahead", "late")
_LEAST = ("least_lag_s", "clock_ahead_s")


@dataclass(frozen=True, slots=True)
class SourceRate:
    """What a source sends now; None where too little is known to tell.

    ``events_per_minute`` and ``usual_per_minute`` are of the last ``WINDOW_SLOTS`` whole slots,
    ``rate_share`` the one divided by the other. ``lag_s`` is how old the freshest record that
    arrived in the last half hour was on arrival, ``extra_lag_s`` how much more than usual. The
    shares are of what arrived in that half hour. ``clock_ahead_s`` is how far its clock was ahead
    of ours in the latest ten minutes of it that had events. ``new_fields`` were first sent within
    the last hour, by a source that has been known for longer than a day.
    """

    tenant: str
    source: str
    events_per_minute: float | None = None
    usual_per_minute: float | None = None
    rate_share: float | None = None
    lag_s: float | None = None
    extra_lag_s: float | None = None
    unreadable_share: float | None = None
    unrecognized_share: float | None = None
    late_share: float | None = None
    clock_ahead_s: float | None = None
    new_fields: int | None = None


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


@dataclass(slots=True)
class Arrival:
    """What one turn took in of one source; ``times_us`` are event times since 1970."""

    received: int
    unreadable: int
    unrecognized: int
    times_us: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    clock: Clock = field(default_factory=Clock)


def add_arrival(tx: Connection, tenant: str, source: str, came: Arrival, now: datetime) -> None:
    """Add an arrival to its slots; events older than is kept, or of the future, are left out."""
    current = slot_of(now)
    slots: dict[int, _Slot] = defaultdict(_Slot)
    here = slots[current]
    here.received, here.unreadable = came.received, came.unreadable
    here.unrecognized = came.unrecognized
    here.ahead, here.late = came.clock.ahead, came.clock.late
    here.clock_ahead_s = came.clock.ahead_s
    if len(came.times_us):
        here.least_lag_s = max(0.0, now.timestamp() - int(came.times_us.max()) / 1e6)
        numbers, counts = np.unique(came.times_us // (SLOT_S * 1_000_000), return_counts=True)
        oldest = current - int(KEPT.total_seconds()) // SLOT_S
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if oldest <= number <= current:
                slots[number].events = count
    _write(tx, tenant, source, slots)


def _write(tx: Connection, tenant: str, source: str, slots: dict[int, _Slot]) -> None:
    columns = source_slots.c
    query = select(source_slots).where(
        columns.tenant == tenant, columns.source == source, columns.slot.in_(list(slots))
    )
    before = {row["slot"]: row for row in tx.execute(query).mappings()}
    fresh: list[dict[str, Any]] = []
    grown: list[dict[str, Any]] = []
    for number, slot in slots.items():
        row = before.get(number)
        values: dict[str, Any] = {
            name: getattr(slot, name) + (row[name] if row else 0) for name in _COUNTS
        }
        for name in _LEAST:
            both = [one for one in (getattr(slot, name), row and row[name]) if one is not None]
            values[name] = min(both) if both else None
        if row is None:
            fresh.append({"tenant": tenant, "source": source, "slot": number, **values})
        else:
            named = {"of_tenant": tenant, "of_source": source, "of_slot": number}
            grown.append({**named, **{f"new_{name}": value for name, value in values.items()}})
    if fresh:
        tx.execute(insert(source_slots), fresh)
    if grown:
        tx.execute(_GROW, grown)


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
    places = {
        number % _DAY_SLOTS for number in range(slot_of(moment) - WINDOW_SLOTS, slot_of(moment))
    }
    query = select(source_slots).where(
        or_((columns.slot % _DAY_SLOTS).in_(places), columns.slot >= slot_of(now) - _DAY_SLOTS)
    )
    by_source: dict[tuple[str, str], dict[int, _Slot]] = defaultdict(dict)
    for row in tx.execute(query).mappings():
        slot = _Slot(*(row[name] for name in _Slot.__slots__))
        by_source[row["tenant"], row["source"]][row["slot"]] = slot
    fresh = new_fields(tx, now)
    rates = [
        _rate(ledger, by_source.get((ledger.tenant, ledger.name), {}), moment, now)
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
    ledger: SourceLedger, slots: dict[int, _Slot], moment: datetime, now: datetime
) -> SourceRate:
    end = slot_of(moment)
    events = _window(slots, end)
    usual = _usual(ledger, slots, end)
    minutes = WINDOW_SLOTS * SLOT_S / 60
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
        usual_per_minute=usual / minutes if usual is not None else None,
        rate_share=events / usual if usual is not None and usual >= FEWEST_EVENTS else None,
        lag_s=lag_s,
        extra_lag_s=extra_s,
        unreadable_share=unreadable / received if enough else None,
        unrecognized_share=unrecognized / received if enough else None,
        late_share=late / received if enough else None,
        clock_ahead_s=clocks[-1] if clocks else None,
    )


def _window(slots: dict[int, _Slot], end: int) -> int:
    """Events in the whole slots before ``end``."""
    return sum(slots[n].events for n in range(end - WINDOW_SLOTS, end) if n in slots)


def _usual(ledger: SourceLedger, slots: dict[int, _Slot], end: int) -> float | None:
    if ledger.first_seen is None or not slots:
        return None
    first = max(slot_of(ledger.first_seen), min(slots))
    days = int(KEPT.total_seconds()) // 86_400
    earlier = [end - day * _DAY_SLOTS for day in range(1, days)]
    known = [_window(slots, then) for then in earlier if then - WINDOW_SLOTS >= first]
    return float(statistics.median(known)) if len(known) >= FEWEST_DAYS else None


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
