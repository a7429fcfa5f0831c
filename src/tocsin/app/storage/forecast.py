"""When the disk will be full: growth by source, what retention will free, and what is free now."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tocsin.app.storage.retention_plan import age_rule
from tocsin.model.retention import Hold, RetentionRule
from tocsin.store.keeping import Lot

HORIZON_DAYS = 730
MEASURED_DAYS = 7
_LEAST_S = 3600.0
_DAY_S = 86_400.0

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes and events a day that come in of one source, over the time that was measured."""

    tenant: str
    source: str
    bytes_a_day: float
    events_a_day: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """``full_in_s``: None when the disk is not full within ``HORIZON_DAYS``, or it can't be told.

    ``measured_s`` is the time growth was measured over; 0 when it was too short to tell.
    ``days`` is the size of all events at the end of each of the coming days, today first.
    """

    free_bytes: int
    measured_s: float
    growth: tuple[Growth, ...]
    days: tuple[float, ...]
    full_in_s: float | None

    @property
    def bytes_a_day(self) -> float:
        return sum(one.bytes_a_day for one in self.growth)

    @property
    def is_known(self) -> bool:
        return self.measured_s > 0

    @property
    def full_in_days(self) -> float | None:
        return None if self.full_in_s is None else self.full_in_s / _DAY_S


def growth(lots: Iterable[Lot], now: datetime) -> tuple[float, tuple[Growth, ...]]:
    """How long it was measured (in s; 0: too short), and each source's growth, the fastest first.

    Over the last ``MEASURED_DAYS`` days of intake, or since the first event when that is shorter;
    what was taken in by a clock that was ahead is not counted.
    """
    begin = now - timedelta(days=MEASURED_DAYS)
    recent = [lot for lot in lots if begin <= lot.last_received <= now]
    if not recent:
        return 0.0, ()
    first = max(begin, min(lot.first_received for lot in recent))
    measured_s = (now - first).total_seconds()
    if measured_s < _LEAST_S:
        return 0.0, ()
    sums: dict[Pair, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for lot in recent:
        part = _part_after(lot, begin)
        sums[lot.tenant, lot.source][0] += lot.size_bytes * part
        sums[lot.tenant, lot.source][1] += lot.events * part
    rate = _DAY_S / measured_s
    found = [Growth(*pair, size * rate, events * rate) for pair, (size, events) in sums.items()]
    return measured_s, tuple(sorted(found, key=lambda one: (-one.bytes_a_day, one.source)))


def forecast(
    lots: Sequence[Lot],
    rules: Sequence[RetentionRule],
    holds: Sequence[Hold],
    free_bytes: int,
    now: datetime,
) -> Forecast:
    """Day by day: what comes in, less what the rules let go. Held sources are not let go.

    What lies cold is not on the disk, and does not count.
    """
    lots = [lot for lot in lots if not lot.is_cold]
    measured_s, growing = growth(lots, now)
    if not measured_s:
        return Forecast(free_bytes, 0.0, (), (), None)
    whole = [one for one in holds if not one.matching]  # what a filter finds is a small part
    stores = _stores(lots, growing, rules, whole, now.date())
    caps = [rule for rule in rules if rule.has_size]
    size_now = sum(one.size_bytes for one in stores)
    sizes: list[float] = []
    for day in range(1, HORIZON_DAYS + 1):
        for one in stores:
            one.pass_day(now.date() + timedelta(days=day))
        free = free_bytes + size_now - sum(one.size_bytes for one in stores)
        for rule in caps:
            free += _cut(rule, [one for one in stores if rule.name in one.caps], free)
        sizes.append(sum(one.size_bytes for one in stores))
        if free <= 0:
            break
    full = _full_after_days(sizes, size_now, free_bytes)
    full_in_s = None if full is None else full * _DAY_S
    return Forecast(free_bytes, measured_s, growing, tuple(sizes), full_in_s)


@dataclass(slots=True)
class _Store:
    """Bytes of sources under the same rules, by day of intake, oldest first.

    ``held`` of them never go.
    """

    keep_days: float | None
    caps: frozenset[str]
    a_day: float = 0.0
    held: float = 0.0
    free_to_go: float = 0.0
    days: dict[date, float] = field(default_factory=dict)

    @property
    def size_bytes(self) -> float:
        return self.held + self.free_to_go

    def add(self, day: date, size_bytes: float) -> None:
        self.days[day] = self.days.get(day, 0.0) + size_bytes
        self.free_to_go += size_bytes

    def pass_day(self, today: date) -> None:
        self.add(today, self.a_day)
        if self.keep_days is None:
            return
        oldest = today - timedelta(days=math.ceil(self.keep_days))
        while self.days and (first := next(iter(self.days))) < oldest:
            self.take(first, self.days[first])

    def take(self, day: date, size_bytes: float) -> None:
        self.free_to_go -= size_bytes
        self.days[day] -= size_bytes
        if self.days[day] <= 0:
            del self.days[day]


def _stores(
    lots: Sequence[Lot],
    growing: Sequence[Growth],
    rules: Sequence[RetentionRule],
    holds: Sequence[Hold],
    today: date,
) -> list[_Store]:
    """Sources put together by what holds of them: there are few such groups."""
    stores: dict[tuple[float | None, frozenset[str]], _Store] = {}

    def store_of(pair: Pair) -> _Store:
        rule = age_rule(rules, pair)
        keep_days = rule.keep_days if rule is not None else None
        if any(hold.covers(*pair) and hold.until is None for hold in holds):
            keep_days = None  # what comes in is held too
        caps = frozenset(one.name for one in rules if one.has_size and one.covers(*pair))
        return stores.setdefault((keep_days, caps), _Store(keep_days, caps))

    by_pair = {pair: store_of(pair) for pair in {(lot.tenant, lot.source) for lot in lots}}
    for lot in sorted(lots, key=lambda one: one.day):
        pair = lot.tenant, lot.source
        if any(hold.covers(*pair) and _is_held(lot, hold) for hold in holds):
            by_pair[pair].held += lot.size_bytes
        else:
            by_pair[pair].add(min(lot.day, today), lot.size_bytes)
    for one in growing:
        by_pair[one.tenant, one.source].a_day += one.bytes_a_day
    return list(stores.values())


def _cut(rule: RetentionRule, scope: Sequence[_Store], free_bytes: float) -> float:
    """Delete the oldest days of what a bound of size covers; bytes freed."""
    excess = 0.0
    if rule.most_bytes is not None:
        excess = sum(one.size_bytes for one in scope) - rule.most_bytes
    if rule.least_free_bytes is not None:
        excess = max(excess, rule.least_free_bytes - free_bytes)
    freed = 0.0
    while freed < excess:
        filled = [one for one in scope if one.days]
        if not filled:
            break
        oldest = min(filled, key=lambda one: next(iter(one.days)))
        day = next(iter(oldest.days))
        taken = min(oldest.days[day], excess - freed)
        oldest.take(day, taken)
        freed += taken
    return freed


def _full_after_days(sizes: Sequence[float], size_now: float, free_bytes: int) -> float | None:
    """Days until the free bytes are used up, with the part of the last one."""
    before = 0.0
    for number, size in enumerate(sizes):
        used = size - size_now
        if used >= free_bytes:
            rise = used - before
            return number + ((free_bytes - before) / rise if rise > 0 else 0.0)
        before = used
    return None


def _is_held(lot: Lot, hold: Hold) -> bool:
    return (
        hold.start is None or lot.last_time >= hold.start or lot.last_received >= hold.start
    ) and (hold.until is None or lot.first_time < hold.until or lot.first_received < hold.until)


def _part_after(lot: Lot, begin: datetime) -> float:
    """The part of a lot that came in after ``begin``, as if it came in evenly."""
    lasted_s = (lot.last_received - lot.first_received).total_seconds()
    if lot.first_received >= begin or lasted_s <= 0:
        return 1.0
    return (lot.last_received - begin).total_seconds() / lasted_s
