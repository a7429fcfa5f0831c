"""What may go by the rules of retention: which events of which source, by which rule."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tocsin.model.retention import CountedFrom, Hold, RetentionRule
from tocsin.store.keeping import FIRST_INTAKE, Expiry, Held, Lot, Span

Pair = tuple[str, str]
_MICRO = timedelta(microseconds=1)
_ROOM = 0.02
"""So much of a bound is freed beyond it, so that not every look deletes a little."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Events of one source that may go, and the rule that says so."""

    rule: RetentionRule
    expiry: Expiry

    @property
    def pair(self) -> Pair:
        return self.expiry.tenant, self.expiry.source


def pairs_of(lots: Iterable[Lot]) -> list[Pair]:
    """Tenant and source of each, once."""
    return sorted({(lot.tenant, lot.source) for lot in lots})


def age_rule(rules: Sequence[RetentionRule], pair: Pair) -> RetentionRule | None:
    """The most exact of the rules that say how old events of a source get; None without any."""
    covering = [one for one in rules if one.says_age and one.covers(*pair)]
    return max(covering, key=lambda one: (one.exactness, one.name), default=None)


def by_age(
    rules: Sequence[RetentionRule], holds: Sequence[Hold], pairs: Iterable[Pair], now: datetime
) -> Iterator[Planned]:
    """What is too old at ``now``; whole hours (UTC), so that files are not touched for minutes."""
    for pair in pairs:
        rule = age_rule(rules, pair)
        if rule is None or rule.keep_days is None:
            continue
        before = (now - timedelta(days=rule.keep_days)).replace(minute=0, second=0, microsecond=0)
        spared = spans(holds, pair)
        expiry = Expiry(*pair, before, rule.counted_from, spared, held=held(holds, pair))
        yield Planned(rule, expiry)


def by_size(
    rules: Sequence[RetentionRule],
    holds: Sequence[Hold],
    lots: Sequence[Lot],
    free_bytes: int,
    not_freed: int = 0,
) -> Iterator[Planned]:
    """What lies beyond a bound of size, the oldest first; what is held is passed over.

    Bounds of size are of the disk: what lies cold neither counts nor goes. ``not_freed`` is what
    went for gone and stays, as a hold finds it: so much more is looked for.
    """
    ordered = sorted(lots, key=lambda lot: (lot.last_received, lot.source, lot.tenant))
    found: dict[Pair, Planned] = {}
    for rule in rules:
        scope = [lot for lot in ordered if not lot.is_cold and rule.covers(lot.tenant, lot.source)]
        excess = _excess(rule, sum(lot.size_bytes for lot in scope), free_bytes)
        excess += not_freed if excess > 0 else 0
        for lot in scope:
            if excess <= 0:
                break
            pair = lot.tenant, lot.source
            if lot.first_received < FIRST_INTAKE or _is_touched(lot, spans(holds, pair)):
                continue
            excess -= lot.size_bytes
            before = lot.last_received + _MICRO
            if pair not in found or found[pair].expiry.before < before:
                expiry = Expiry(
                    *(*pair, before, CountedFrom.INTAKE, spans(holds, pair)),
                    with_cold=False,
                    held=held(holds, pair),
                )
                found[pair] = Planned(rule, expiry)
    yield from found.values()


def counted_on(planned: Iterable[Planned], lots: Iterable[Lot]) -> int:
    """Bytes that ``by_size`` took for freed by what it planned."""
    bounds = {one.pair: one.expiry for one in planned}
    return sum(
        lot.size_bytes
        for lot in lots
        if (expiry := bounds.get((lot.tenant, lot.source))) is not None
        and not lot.is_cold
        and lot.first_received >= FIRST_INTAKE
        and lot.last_received < expiry.before
        and not _is_touched(lot, expiry.spared)
    )


def spans(holds: Sequence[Hold], pair: Pair) -> tuple[Span, ...]:
    """The times of a source of which holds spare every event."""
    return tuple(
        Span(one.start, one.until) for one in holds if not one.matching and one.covers(*pair)
    )


def held(holds: Sequence[Hold], pair: Pair) -> tuple[Held, ...]:
    """What holds spare of a source event by event."""
    return tuple(
        Held(Span(one.start, one.until), one.matching)
        for one in holds
        if one.matching and one.covers(*pair)
    )


def left_after(lots: Sequence[Lot], gone: Sequence[Lot]) -> list[Lot]:
    """What stays of ``lots`` when ``gone`` is deleted; within a day the oldest go first."""
    going: dict[tuple[str, str, object], int] = defaultdict(int)
    for lot in gone:
        going[lot.tenant, lot.source, lot.day] += lot.events
    left = []
    for lot in sorted(lots, key=lambda one: one.last_received):
        key = lot.tenant, lot.source, lot.day
        taken = min(lot.events, going[key])
        going[key] -= taken
        if taken < lot.events:
            stays = lot.events - taken
            size = round(lot.size_bytes * stays / lot.events)
            left.append(replace(lot, events=stays, size_bytes=size))
    return left


def rules_of(planned: Iterable[Planned]) -> Mapping[Pair, RetentionRule]:
    return {one.pair: one.rule for one in planned}


def _excess(rule: RetentionRule, size_bytes: int, free_bytes: int) -> float:
    """Bytes to free; 0 within the bounds."""
    excess = 0.0
    if rule.most_bytes is not None and size_bytes > rule.most_bytes:
        excess = size_bytes - rule.most_bytes * (1 - _ROOM)
    least = rule.least_free_bytes
    if least is not None and free_bytes < least:
        excess = max(excess, least * (1 + _ROOM) - free_bytes)
    return excess


def _is_touched(lot: Lot, spared: Sequence[Span]) -> bool:
    return any(
        span.meets(lot.first_time, lot.last_time)
        or span.meets(lot.first_received, lot.last_received)
        for span in spared
    )
