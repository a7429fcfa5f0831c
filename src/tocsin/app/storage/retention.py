"""Deletes what the rules of retention let go, in small steps, and stops and asks when it is odd."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, insert, select, update

from tocsin.app.access.audit import AuditLog
from tocsin.app.moment import span
from tocsin.app.settings.retention_settings import RetentionSettings
from tocsin.app.storage.holds import HoldBook
from tocsin.app.storage.retention_account import deleted_in_words
from tocsin.app.storage.retention_book import RetentionBook, RetentionError
from tocsin.app.storage.retention_plan import (
    Planned,
    by_age,
    by_size,
    counted_on,
    left_after,
    pairs_of,
)
from tocsin.app.storage.retention_tables import RETENTION_STATE
from tocsin.model.retention import Hold, RetentionRule
from tocsin.store.keeping import Lot
from tocsin.store.ports import EventStore, StateStore

_log = structlog.get_logger()
ACTOR = "retention"
_ROW = 1
_ALLOWED_FOR = timedelta(days=1)
_PLANS = 8
"""So often at most is looked for more room in one go, where holds keep some of it back."""


@dataclass(frozen=True, slots=True)
class RetentionState:
    """How it goes. ``stopped_because`` is empty while nothing keeps it from deleting."""

    looked_at: datetime | None = None
    allowed_events: int = 0
    allowed_until: datetime | None = None
    stopped_at: datetime | None = None
    stopped_because: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """What may go now, by age and, beyond that, by size.

    ``asks`` says why deleting would stop and ask; empty when it would not.
    """

    aged: tuple[Planned, ...]
    aged_lots: tuple[Lot, ...]
    large: tuple[Planned, ...]
    large_lots: tuple[Lot, ...]
    stored_events: int
    asks: str = ""

    @property
    def lots(self) -> tuple[Lot, ...]:
        return (*self.aged_lots, *self.large_lots)

    @property
    def events(self) -> int:
        return sum(lot.events for lot in self.lots)

    @property
    def size_bytes(self) -> int:
        return sum(lot.size_bytes for lot in self.lots)

    @property
    def share(self) -> float:
        """Of all events that are stored."""
        return self.events / self.stored_events if self.stored_events else 0.0


class Retention:
    """Looks for what may go and takes it out. Safe to ask from several threads; one ``step``s."""

    def __init__(
        self,
        settings: RetentionSettings,
        state: StateStore,
        events: EventStore,
        audit: AuditLog,
    ) -> None:
        self.book = RetentionBook(state, audit, settings.rules)
        self.holds = HoldBook(state, audit)
        self._settings = settings
        self._state = state
        self._events = events
        self._audit = audit

    def state(self) -> RetentionState:
        with self._state.read() as tx:
            return _state(tx)

    def sparing(self, now: datetime) -> tuple[Hold, ...]:
        """The holds of which nothing is deleted at ``now``."""
        with self._state.read() as tx:
            return self.holds.sparing(tx, now)

    def due(self, now: datetime, rules: Sequence[RetentionRule] | None = None) -> Due:
        """What would go at ``now`` by ``rules`` (None: those in force); nothing goes."""
        with self._state.read() as tx:
            in_force, holds = self.book.in_force(tx), self.holds.sparing(tx, now)
            state = _state(tx)
        return self._due(in_force if rules is None else rules, holds, state, now)

    def step(self, now: datetime) -> bool:
        """Take out a bounded part of what is due; True when more may be due at once.

        When the clock has leapt, or when too much would go at once, nothing goes: that is kept
        as the reason, and told by the health rules, until someone lets it go on or it is over.
        """
        with self._state.read() as tx:
            rules, state = self.book.in_force(tx), _state(tx)
            holds = self.holds.sparing(tx, now)
        found = self._due(rules, holds, state, now)
        if found.asks:
            self._stop(state, found.asks, now)
            return False
        if not found.events:
            self._settle(state, now)
            return False
        return self._take_out(found, rules, holds, now) > 0

    def put(
        self, rule: RetentionRule, *, by: str, now: datetime, seen_events: int | None = None
    ) -> RetentionRule:
        """Put a rule in force. Where much would go at once, ``seen_events`` must be that many."""
        due = self._agreed(self.book.with_rule(rule), now, seen_events)
        kept = self.book.put(rule, by=by, now=now)
        self._allow(due, seen_events, by, now)
        return kept

    def remove(self, name: str, *, by: str, now: datetime, seen_events: int | None = None) -> None:
        """Take a rule that was set at run time out of force, as ``put`` does."""
        due = self._agreed(self.book.without_rule(name), now, seen_events)
        self.book.remove(name, by=by, now=now)
        self._allow(due, seen_events, by, now)

    def go_on(self, *, by: str, now: datetime, seen_events: int) -> Due:
        """Let what is due go although it is odd; ``seen_events`` is how many the person saw."""
        found = self.due(now)
        if found.events > seen_events:
            raise RetentionError(
                f"{found.events:,} events may go by now, not {seen_events:,}: look at them again"
            )
        self._allow(found, seen_events, by, now)
        with self._state.begin() as tx:
            detail = f"{found.events:,} events may go; it had stopped: {found.asks or 'not at all'}"
            self._audit.append(
                tx, actor=by, action="retention.go_on", subject="retention", detail=detail, now=now
            )
        return found

    def _due(
        self,
        rules: Sequence[RetentionRule],
        holds: Sequence[Hold],
        state: RetentionState,
        now: datetime,
    ) -> Due:
        lots = self._events.lots() if rules else []
        aged = tuple(by_age(rules, holds, pairs_of(lots), now))
        gone = self._events.due([one.expiry for one in aged])
        left = left_after(lots, gone)
        free = self._events.disk().free_bytes + sum(lot.size_bytes for lot in gone)
        large, more = self._too_large(rules, holds, left, gone, free)
        stored = sum(lot.events for lot in lots)
        found = Due(aged, tuple(gone), large, tuple(more), stored)
        return replace(found, asks=self._asks(found, state, now))

    def _too_large(
        self,
        rules: Sequence[RetentionRule],
        holds: Sequence[Hold],
        left: Sequence[Lot],
        gone: Sequence[Lot],
        free_bytes: int,
    ) -> tuple[tuple[Planned, ...], list[Lot]]:
        """What goes beyond bounds of size, planned anew where holds kept some of it back."""
        not_freed = 0
        for _ in range(_PLANS):
            planned = tuple(by_size(rules, holds, left, free_bytes, not_freed))
            going = left_after(self._events.due([one.expiry for one in planned]), gone)
            missing = counted_on(planned, left) - sum(lot.size_bytes for lot in going)
            if missing <= not_freed or not any(one.expiry.held for one in planned):
                break
            not_freed = missing
        return planned, going

    def _asks(self, due: Due, state: RetentionState, now: datetime) -> str:
        """Why this needs a person's word; empty when it may go."""
        is_allowed = state.allowed_until is not None and now <= state.allowed_until
        if not due.events or (is_allowed and due.events <= state.allowed_events):
            return ""
        leap = timedelta(days=self._settings.most_leap_days)
        if state.looked_at is not None and now - state.looked_at > leap:
            ahead = span((now - state.looked_at).total_seconds())
            return (
                f"the clock is {ahead} after the last look at {state.looked_at:%Y-%m-%d %H:%M} "
                "UTC: either nothing ran for so long, or the clock is wrong"
            )
        if due.share > self._settings.most_share:
            return (
                f"{due.events:,} events, {due.share:.0%} of all, would go at once, more than "
                f"{self._settings.most_share:.0%}"
            )
        return ""

    def _agreed(
        self, rules: Sequence[RetentionRule], now: datetime, seen_events: int | None
    ) -> Due:
        """What would go by ``rules``; raises RetentionError when it is much and was not seen."""
        found = self.due(now, rules)
        if found.asks and (seen_events is None or found.events > seen_events):
            raise RetentionError(
                f"{found.asks}: look at the preview, then confirm {found.events} events"
            )
        return found

    def _allow(self, due: Due, seen_events: int | None, by: str, now: datetime) -> None:
        """Let what was seen go; who has seen it says as well that the clock is right."""
        has_seen = seen_events is not None and 0 < due.events <= seen_events
        _log.info("retention_changed", by=by, due_events=due.events, seen_events=seen_events)
        with self._state.begin() as tx:
            state = replace(_state(tx), stopped_at=None, stopped_because="")
            if has_seen:
                until = now + _ALLOWED_FOR
                state = RetentionState(now, allowed_events=due.events, allowed_until=until)
            _keep(tx, state)

    def _stop(self, state: RetentionState, because: str, now: datetime) -> None:
        if state.stopped_because:
            return
        _log.error("retention_stopped", reason=because)
        with self._state.begin() as tx:
            _keep(tx, replace(_state(tx), stopped_at=now, stopped_because=because))
            self._audit.append(
                tx,
                actor=ACTOR,
                action="retention.stop",
                subject="retention",
                detail=because,
                outcome="stopped",
                now=now,
            )

    def _settle(self, state: RetentionState, now: datetime) -> None:
        """Nothing is due: what was allowed is done with, and the clock is believed so far."""
        with self._state.begin() as tx:
            _keep(tx, RetentionState(looked_at=_later(state.looked_at, now)))

    def _take_out(
        self, found: Due, rules: Sequence[RetentionRule], holds: Sequence[Hold], now: datetime
    ) -> int:
        """One step, what is too old first; how many events went."""
        planned = found.aged if found.aged_lots else found.large
        with self._events.expiring([one.expiry for one in planned]) as taken:
            if not taken.events:
                return 0
            with self._state.begin() as tx:
                if (self.book.in_force(tx), self.holds.sparing(tx, now)) != (rules, holds):
                    return 0  # someone changed them meanwhile: the next look goes by the new ones
                taken.delete(tx)
                told = deleted_in_words(taken.lots, planned)
                self._audit.append_many(tx, told, actor=ACTOR, now=now)
                state = _state(tx)
                left = max(0, state.allowed_events - taken.events)
                until = state.allowed_until if left else None
                _keep(tx, RetentionState(_later(state.looked_at, now), left, until))
        _log.info("retention_deleted", events=taken.events, size_bytes=taken.size_bytes)
        return taken.events


def _later(before: datetime | None, now: datetime) -> datetime:
    return now if before is None else max(before, now)


def _state(tx: Connection) -> RetentionState:
    wanted = select(RETENTION_STATE).where(RETENTION_STATE.c.id == _ROW)
    row = tx.execute(wanted).mappings().one_or_none()
    if row is None:
        return RetentionState()
    return RetentionState(**{name: value for name, value in row.items() if name != "id"})


def _keep(tx: Connection, state: RetentionState) -> None:
    values = {
        "looked_at": state.looked_at,
        "allowed_events": state.allowed_events,
        "allowed_until": state.allowed_until,
        "stopped_at": state.stopped_at,
        "stopped_because": state.stopped_because,
    }
    changed = tx.execute(update(RETENTION_STATE).where(RETENTION_STATE.c.id == _ROW).values(values))
    if not changed.rowcount:
        tx.execute(insert(RETENTION_STATE).values(id=_ROW, **values))
