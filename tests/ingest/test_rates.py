"""Rates are compared with what a source usually sends at this time of day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tocsin.ingest import tables
from tocsin.ingest.clock_skew import clock_of
from tocsin.ingest.rates import (
    KEPT,
    SLOT_S,
    Arrival,
    SourceRate,
    add_arrival,
    forget_old_slots,
    source_rates,
)
from tocsin.model.source import SourceLedger
from tocsin.store.engines.sqlite_state import SqliteState

NOW = datetime(2026, 11, 21, 12, 5, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    assert tables.source_slots is not None
    store = SqliteState(tmp_path / "state.db")
    yield store
    store.close()


def spread(start: datetime, minutes: int, per_minute: int) -> np.ndarray:
    """Event times in microseconds, evenly spread."""
    first = int(start.timestamp() * 1e6)
    return first + np.arange(minutes * per_minute) * (60_000_000 // per_minute)


def send(
    state: SqliteState, start: datetime, minutes: int, per_minute: int, *, lag_s: float = 1.0
) -> None:
    times = spread(start, minutes, per_minute)
    end = start + timedelta(minutes=minutes, seconds=lag_s)
    with state.begin() as tx:
        add_arrival(tx, "default", "fw", Arrival(len(times), 0, 0, times), end)


def rate_of(state: SqliteState, now: datetime = NOW, days: float = 14) -> SourceRate:
    ledger = SourceLedger(
        *("fw", "default", 0, 0, 0, 0, 0),
        first_seen=now - timedelta(days=days),
        last_seen=now,
        last_received=now,
        expected_interval_s=60.0,
    )
    with state.read() as tx:
        return source_rates(tx, [ledger], now, now)[0]


def live(state: SqliteState, days: int, per_minute: int = 10) -> None:
    """The same hour of each of the days before."""
    for day in range(1, days + 1):
        send(state, NOW - timedelta(days=day, minutes=45), 60, per_minute)


def test_a_steady_source_sends_its_usual_share(state: SqliteState) -> None:
    live(state, 5)
    send(state, NOW - timedelta(minutes=30), 30, 10)
    found = rate_of(state)
    assert found.usual_per_minute == 10
    assert found.rate_share == pytest.approx(1.0)


@pytest.mark.parametrize(("per_minute", "share"), [(1, 0.1), (60, 6.0)])
def test_drops_and_surges_show_in_the_share(
    state: SqliteState, per_minute: int, share: float
) -> None:
    live(state, 5)
    send(state, NOW - timedelta(minutes=30), 30, per_minute)
    assert rate_of(state).rate_share == pytest.approx(share)


def test_a_quiet_hour_is_compared_with_the_same_quiet_hour(state: SqliteState) -> None:
    live(state, 5)
    night = NOW - timedelta(hours=9)
    for day in range(1, 6):
        send(state, night - timedelta(days=day, minutes=45), 60, 1)
    send(state, night - timedelta(minutes=30), 30, 1)
    assert rate_of(state, night).rate_share == pytest.approx(1.0)


def test_nothing_is_usual_in_the_first_days(state: SqliteState) -> None:
    live(state, 2)
    assert rate_of(state, days=2.5).rate_share is None


def test_a_trickle_makes_no_share(state: SqliteState) -> None:
    for day in range(1, 6):
        send(state, NOW - timedelta(days=day, minutes=45), 10, 1)
    assert rate_of(state).rate_share is None


def test_shares_of_what_arrived_need_enough_records(state: SqliteState) -> None:
    with state.begin() as tx:
        add_arrival(tx, "default", "fw", Arrival(40, 20, 0), NOW)
    assert rate_of(state).unreadable_share is None
    with state.begin() as tx:
        add_arrival(tx, "default", "fw", Arrival(60, 5, 30), NOW)
    found = rate_of(state)
    assert found.unreadable_share == pytest.approx(0.25)
    assert found.unrecognized_share == pytest.approx(0.30)


def test_lag_is_that_of_the_freshest_record(state: SqliteState) -> None:
    send(state, NOW - timedelta(hours=9), 520, 1, lag_s=60.0)
    assert rate_of(state).lag_s == pytest.approx(120.0, abs=1)
    send(state, NOW - timedelta(minutes=5), 5, 1, lag_s=0.0)
    assert rate_of(state).lag_s == pytest.approx(60.0, abs=1)


def test_extra_lag_is_what_exceeds_the_usual(state: SqliteState) -> None:
    for slot in range(10, 0, -1):
        send(state, NOW - timedelta(minutes=30 + slot * 10), 5, 1, lag_s=120.0)
    send(state, NOW - timedelta(minutes=25), 5, 1, lag_s=1080.0)
    assert rate_of(state).extra_lag_s == pytest.approx(960.0, abs=1)


def test_old_slots_are_forgotten(state: SqliteState) -> None:
    live(state, 5)
    with state.begin() as tx:
        forget_old_slots(tx, NOW + KEPT)
        left = tx.execute(tables.source_slots.select()).all()
    assert left == []


def test_events_of_another_age_make_no_slots(state: SqliteState) -> None:
    odd = np.array([0, int(NOW.timestamp() + 10 * SLOT_S) * 1_000_000])
    with state.begin() as tx:
        add_arrival(tx, "default", "fw", Arrival(2, 0, 0, odd), NOW)
        rows = tx.execute(tables.source_slots.select()).mappings().all()
    assert [row["events"] for row in rows] == [0]


def test_a_clock_that_is_ahead_shows_and_one_odd_date_does_not(state: SqliteState) -> None:
    start = NOW - timedelta(minutes=5)
    right = spread(start, 1, 60)
    odd = right.copy()
    odd[-1] += 3_600_000_000
    for times, expected in ((odd, 0.0), (right + 600_000_000, 600.0)):
        moment = NOW if expected else NOW - timedelta(minutes=20)
        clock = clock_of(times, right)
        with state.begin() as tx:
            arrival = Arrival(60, 0, 0, times, clock)
            add_arrival(tx, "default", "fw", arrival, moment)
        assert rate_of(state, moment).clock_ahead_s == expected


def test_late_records_are_counted_by_their_share(state: SqliteState) -> None:
    times = spread(NOW - timedelta(minutes=5), 2, 60)
    received = times.copy()
    received[:30] += 2 * 3_600_000_000
    with state.begin() as tx:
        arrival = Arrival(120, 0, 0, times, clock_of(times, received))
        add_arrival(tx, "default", "fw", arrival, NOW)
    assert rate_of(state).late_share == 0.25
