"""Rates are compared with what a source usually sends in this hour of the week."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tocsin.ingest.sources import tables
from tocsin.ingest.sources.clock_skew import clock_of
from tocsin.ingest.sources.rates import (
    KEPT,
    SLOT_S,
    Arrival,
    SourceRate,
    add_arrivals,
    forget_old_slots,
    source_rates,
)
from tocsin.ingest.sources.week_learning import learn_weeks
from tocsin.model.source import SourceLedger
from tocsin.store.engines.state.sqlite_state import SqliteState

NOW = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)


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
        add_arrivals(tx, [("default", "fw", Arrival(len(times), 0, 0, times))], end)


def fw(now: datetime, days: float = 14) -> SourceLedger:
    return SourceLedger(
        *("fw", "default", 0, 0, 0, 0, 0),
        first_seen=now - timedelta(days=days),
        last_seen=now,
        last_received=now,
        expected_interval_s=60.0,
    )


def rate_of(state: SqliteState, now: datetime = NOW) -> SourceRate:
    """What is told of it now, when the weeks before are learned."""
    with state.begin() as tx:
        learn_weeks(tx, [fw(now)], now - timedelta(hours=2))
    with state.read() as tx:
        return source_rates(tx, [fw(now)], now, now)[0]


def live(state: SqliteState, days: int, per_minute: int = 10, quiet: int = 0) -> None:
    """So many whole days before the last hour; ``quiet`` is what it sends before six o'clock."""
    midnight = NOW.replace(hour=0, minute=0)
    for day in range(1, days + 1):
        start = midnight - timedelta(days=day)
        send(state, start, 360, quiet or per_minute)
        send(state, start + timedelta(hours=6), 1080, per_minute)
    send(state, midnight, 360, quiet or per_minute)
    send(state, midnight + timedelta(hours=6), 300, per_minute)


def test_a_steady_source_sends_its_usual_share(state: SqliteState) -> None:
    live(state, 5)
    send(state, NOW - timedelta(minutes=65), 65, 10)
    found = rate_of(state)
    band = (found.least_per_minute, found.usual_per_minute, found.most_per_minute)
    assert band == pytest.approx((10, 10, 10))
    assert found.rate_share == 1.0


@pytest.mark.parametrize(("per_minute", "share"), [(1, 0.1), (60, 6.0)])
def test_drops_and_surges_show_in_the_share(
    state: SqliteState, per_minute: int, share: float
) -> None:
    live(state, 5)
    send(state, NOW - timedelta(minutes=65), 65, per_minute)
    assert rate_of(state).rate_share == pytest.approx(share)


def test_a_quiet_hour_is_compared_with_the_same_quiet_hour(state: SqliteState) -> None:
    live(state, 5, quiet=1)
    night = NOW - timedelta(hours=9)
    assert rate_of(state, night).usual_per_minute == pytest.approx(1.0)
    assert rate_of(state, night).rate_share == 1.0


def test_who_sends_what_was_held_back_has_not_dropped(state: SqliteState) -> None:
    live(state, 5)
    with state.begin() as tx:
        learn_weeks(tx, [fw(NOW)], NOW - timedelta(hours=2))
    behind = replace(fw(NOW), last_seen=NOW - timedelta(minutes=65), advanced_at=NOW)
    with state.read() as tx:
        assert source_rates(tx, [fw(NOW)], NOW, NOW)[0].rate_share == 0.0
        assert source_rates(tx, [behind], NOW, NOW)[0].rate_share == 1.0


def test_nothing_is_usual_on_the_first_day(state: SqliteState) -> None:
    live(state, 0)
    assert rate_of(state).rate_share is None


def test_a_trickle_makes_no_share(state: SqliteState) -> None:
    for day in range(1, 6):
        send(state, NOW - timedelta(days=day, minutes=45), 10, 1)
    assert rate_of(state).rate_share is None


def test_what_was_lost_at_the_door_shows_for_half_an_hour(state: SqliteState) -> None:
    with state.begin() as tx:
        add_arrivals(tx, [("default", "fw", Arrival(dropped=3, tls_refused=2))], NOW)
        add_arrivals(tx, [("default", "fw", Arrival(dropped=4))], NOW)
    found = rate_of(state)
    assert (found.dropped, found.tls_refused) == (7, 2)
    assert rate_of(state, NOW + timedelta(minutes=35)).dropped == 0


def test_shares_of_what_arrived_need_enough_records(state: SqliteState) -> None:
    with state.begin() as tx:
        add_arrivals(tx, [("default", "fw", Arrival(40, 20, 0))], NOW)
    assert rate_of(state).unreadable_share is None
    with state.begin() as tx:
        add_arrivals(tx, [("default", "fw", Arrival(60, 5, 30))], NOW)
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
        add_arrivals(tx, [("default", "fw", Arrival(2, 0, 0, odd))], NOW)
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
            add_arrivals(tx, [("default", "fw", arrival)], moment)
        assert rate_of(state, moment).clock_ahead_s == expected


def test_late_records_are_counted_by_their_share(state: SqliteState) -> None:
    times = spread(NOW - timedelta(minutes=5), 2, 60)
    received = times.copy()
    received[:30] += 2 * 3_600_000_000
    with state.begin() as tx:
        arrival = Arrival(120, 0, 0, times, clock_of(times, received))
        add_arrivals(tx, [("default", "fw", arrival)], NOW)
    assert rate_of(state).late_share == 0.25
