"""The usual week: learned over four weeks with days, nights, weekends and a holiday."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.ingest.sources.usual_week import (
    KEPT_HOURS,
    UNKNOWN,
    UsualWeek,
    hour_of,
    learned,
    missed_since,
    share_of_usual,
    usual_between,
)

MONDAY = datetime(2026, 9, 7, tzinfo=UTC)
HOLIDAY = MONDAY + timedelta(days=16)  # a Wednesday, in the third week
HOUR = timedelta(hours=1)


def office(moment: datetime) -> int:
    """Busy from eight to six on weekdays, nothing at the weekend, a little at night."""
    if moment.weekday() >= 5 or moment.date() == HOLIDAY.date():
        return 0
    return 1000 if 8 <= moment.hour < 18 else 3


def nightly(moment: datetime) -> int:
    return 50_000 if moment.hour == 2 else 0


def steady(_moment: datetime) -> int:
    return 600


def lived(rate: Callable[[datetime], int], days: float, start: datetime = MONDAY) -> UsualWeek:
    """What is known after so many days, learned once a day."""
    week: UsualWeek | None = None
    counts: dict[int, int] = {}
    for number in range(int(days * 24)):
        moment = start + number * HOUR
        counts[hour_of(moment)] = rate(moment)
        if number % 24 == 23 or number == int(days * 24) - 1:
            week = learned(week, {at: n for at, n in counts.items() if n}, hour_of(moment))
    assert week is not None
    return week


def share(week: UsualWeek, end: datetime, events: int) -> float | None:
    usual = usual_between(week, end - HOUR, end)
    assert usual is not None
    return share_of_usual(events, usual)


@pytest.fixture(scope="module")
def four_weeks() -> UsualWeek:
    return lived(office, 28)


NEXT = MONDAY + timedelta(days=28)


def test_the_same_hour_of_the_week_is_usual(four_weeks: UsualWeek) -> None:
    noon, night, sunday = NEXT + 12 * HOUR, NEXT + 26 * HOUR, NEXT + timedelta(days=6, hours=12)
    for moment, events in ((noon, 1000), (night, 3), (sunday, 0)):
        band = four_weeks.own_band(hour_of(moment))
        assert band is not None
        assert band.middle == events
    assert share(four_weeks, noon, 1000) == 1.0


@pytest.mark.parametrize(("events", "expected"), [(100, 0.1), (0, 0.0), (10_000, 10.0), (900, 0.9)])
def test_a_drop_and_a_surge_are_shares_of_the_bands_edge(
    four_weeks: UsualWeek, events: int, expected: float
) -> None:
    assert share(four_weeks, NEXT + 13 * HOUR, events) == pytest.approx(expected)


def test_a_busy_sunday_is_a_surge_and_a_quiet_one_is_nothing(four_weeks: UsualWeek) -> None:
    sunday = NEXT + timedelta(days=6, hours=12)
    assert share(four_weeks, sunday, 1000) == 50.0
    assert share(four_weeks, sunday, 0) is None


def test_the_beginning_of_work_may_be_an_hour_early_or_late(four_weeks: UsualWeek) -> None:
    for hours, events in ((8, 1000), (9, 0), (18, 0), (19, 1000)):
        assert share(four_weeks, NEXT + hours * HOUR, events) in (None, 1.0)


def test_a_holiday_is_a_drop_on_its_day_and_leaves_no_trace(four_weeks: UsualWeek) -> None:
    before = lived(office, 16)
    assert share(before, HOLIDAY + 12 * HOUR, 0) == 0.0
    wednesday = NEXT + timedelta(days=2, hours=13)
    assert share(four_weeks, wednesday, 1000) == 1.0
    assert share(four_weeks, wednesday, 100) == pytest.approx(0.1, abs=0.05)


def test_who_stops_at_work_is_missed_within_minutes_and_at_night_in_the_morning(
    four_weeks: UsualWeek,
) -> None:
    at_work = NEXT + timedelta(hours=11)
    assert missed_since(four_weeks, at_work, at_work + timedelta(minutes=14), 900) is None
    assert missed_since(four_weeks, at_work, at_work + timedelta(minutes=16), 900) is not None
    friday = NEXT + timedelta(days=4, hours=17, minutes=59)
    monday = NEXT + timedelta(days=7)
    assert missed_since(four_weeks, friday, monday - HOUR, 900) is None
    missed = missed_since(four_weeks, friday, monday + timedelta(hours=9, minutes=20), 900)
    assert missed is not None
    assert missed.events >= 20


def test_a_nightly_batch_is_not_missed_at_noon_and_is_two_hours_after_it_should_have_come() -> None:
    week = lived(nightly, 28)
    came = NEXT - timedelta(hours=21, minutes=40)
    for hours in (-12, 0, 2, 3.9):
        assert missed_since(week, came, NEXT + hours * HOUR, 900) is None
    missed = missed_since(week, came, NEXT + 4 * HOUR, 900)
    assert missed is not None
    assert missed.events == 50_000
    assert missed_since(week, NEXT + 3.2 * HOUR, NEXT + 27.9 * HOUR, 900) is None, "an hour late"
    assert share(week, NEXT + 12 * HOUR, 0) is None


def test_a_source_that_sends_once_an_hour_is_not_missed_between() -> None:
    week = lived(steady, 21)
    at = MONDAY + timedelta(days=21, minutes=2)
    assert missed_since(week, at, at + timedelta(minutes=70), 3 * 3600) is None
    assert missed_since(week, at, at + timedelta(hours=3, minutes=5), 3 * 3600) is not None


def test_little_is_known_at_first_and_more_by_the_week() -> None:
    assert lived(steady, 0.5).band(hour_of(MONDAY + 12 * HOUR)) is None
    by_all_hours = lived(office, 2)
    assert share(by_all_hours, MONDAY + timedelta(days=2, hours=2), 3) == 1.0, "a quiet night"
    assert share(by_all_hours, MONDAY + timedelta(days=2, hours=12), 20_000) == 20.0
    by_hour_of_day = lived(office, 4.5)
    friday = MONDAY + timedelta(days=4, hours=13)
    assert share(by_hour_of_day, friday, 50) == pytest.approx(0.05)
    saturday = friday + timedelta(days=1)
    assert share(by_hour_of_day, saturday, 0) == 1.0, "the first weekend is no drop"


def test_hours_of_a_told_silence_stay_unknown() -> None:
    week = lived(steady, 14)
    stopped = week.last
    back = stopped + 100
    again = learned(week, {back: 600, back + 1: 600}, back + 1, stopped)
    assert again is not None
    assert [again.at(stopped + step) for step in (0, 1, 99, 100)] == [600, UNKNOWN, UNKNOWN, 600]
    later = learned(again, {back + 2: 600}, back + 30, stopped)
    assert later is not None
    assert [later.at(at) for at in (back - 1, back + 2, back + 3)] == [UNKNOWN, 600, 0]


def test_late_events_count_for_the_hour_they_happened_in() -> None:
    week = learned(None, {10: 5, 11: 7, 13: 9}, 13)
    assert week is not None
    assert [week.at(at) for at in (10, 11, 12, 13)] == [UNKNOWN, 7, 0, 9]
    again = learned(week, {11: 7, 12: 4, 13: 9, 14: 1}, 14)
    assert again is not None
    assert [again.at(at) for at in (11, 12, 13, 14)] == [7, 4, 9, 1]


counts = st.dictionaries(st.integers(0, 3000), st.integers(0, 2**40), max_size=20)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(counts, st.integers(0, 3000)), max_size=4), st.integers(0, 4000))
def test_what_is_kept_is_bounded_and_comes_back_from_its_bytes(
    turns: list[tuple[dict[int, int], int]], hour: int
) -> None:
    week, last = None, 0
    for came, through in turns:
        last = max(last, through)
        week = learned(week, came, last) or week
    if week is None:
        return
    assert len(week.counts) == KEPT_HOURS
    assert UsualWeek.from_bytes(week.last, week.as_bytes()) == week
    assert len(week.as_bytes()) == 4 * KEPT_HOURS
    band = week.band(hour)
    assert band is None or 0 <= band.low <= band.middle <= band.high
