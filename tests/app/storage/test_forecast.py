"""When the disk will be full is told from growth, from what rules will free, and from holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.app.storage.forecast import HORIZON_DAYS, forecast, growth
from tocsin.app.storage.retention_plan import by_size
from tocsin.model.retention import Hold, RetentionRule
from tocsin.store.keeping import Lot

NOW = datetime(2026, 6, 10, tzinfo=UTC)
DAY = timedelta(days=1)
MB = 1_000_000


def lot(days_ago: float, size: int, *, source: str = "a", lasting: timedelta = DAY) -> Lot:
    """Taken in over the day that began so many days ago."""
    first = NOW - days_ago * DAY
    last = first + lasting - timedelta(microseconds=1)
    return Lot("default", source, first.date(), 1000, size, first, last, first, last)


def week(size: int, source: str = "a") -> list[Lot]:
    return [lot(days, size, source=source) for days in range(1, 8)]


def hold(**scope) -> Hold:
    return Hold("h", "h", "because", "lea", NOW, **scope)


def test_growth_is_told_by_day_and_source():
    measured_s, found = growth([*week(10 * MB), *week(30 * MB, "b")], NOW)
    assert measured_s == 7 * 86_400
    assert [(one.source, round(one.bytes_a_day / MB)) for one in found] == [("b", 30), ("a", 10)]
    assert round(found[0].events_a_day) == 1000


def test_what_came_in_long_ago_is_no_growth():
    _, found = growth([*week(10 * MB), lot(200, 9000 * MB, source="old")], NOW)
    assert [one.source for one in found] == ["a"]


def test_of_a_lot_only_the_part_within_the_days_measured_counts():
    _, found = growth([lot(8, 20 * MB, lasting=2 * DAY), *week(10 * MB)[:6]], NOW)
    assert round(found[0].bytes_a_day / MB) == 10


@pytest.mark.parametrize("lots", [[], [lot(0.01, 5 * MB, lasting=DAY / 200)], [lot(-400, MB)]])
def test_too_little_says_nothing(lots):
    told = forecast(lots, (), (), 10**9, NOW)
    assert (told.is_known, told.full_in_s, told.full_in_days) == (False, None, None)


def test_the_disk_is_full_when_the_growth_has_used_it_up():
    told = forecast(week(10 * MB), (), (), 195 * MB, NOW)
    assert told.full_in_days == pytest.approx(19.5)
    assert told.bytes_a_day == pytest.approx(10 * MB)


def test_a_rule_by_age_keeps_it_from_getting_full():
    rules = [RetentionRule("all", keep_days=30)]
    told = forecast(week(10 * MB), rules, (), 300 * MB, NOW)
    assert told.full_in_s is None
    assert len(told.days) == HORIZON_DAYS
    assert told.days[-1] == pytest.approx(310 * MB, rel=0.02)
    too_long = [RetentionRule("all", keep_days=60)]
    assert forecast(week(10 * MB), too_long, (), 300 * MB, NOW).full_in_days == pytest.approx(30)


def test_a_bound_of_size_keeps_it_from_getting_full():
    rules = [RetentionRule("size", most_bytes=200 * MB)]
    told = forecast(week(10 * MB), rules, (), 150 * MB, NOW)
    assert told.full_in_s is None
    assert max(told.days) == pytest.approx(200 * MB)
    least = [RetentionRule("disk", least_free_bytes=50 * MB)]
    assert forecast(week(10 * MB), least, (), 150 * MB, NOW).full_in_s is None


def test_what_is_held_does_not_go():
    rules = [RetentionRule("all", keep_days=7)]
    lots = [*week(10 * MB)]
    free = forecast(lots, rules, (), 100 * MB, NOW)
    assert free.full_in_s is None
    assert forecast(lots, rules, [hold()], 100 * MB, NOW).full_in_days == pytest.approx(10)
    past = hold(until=NOW)
    held = forecast(lots, rules, [past], 100 * MB, NOW)
    assert held.full_in_s is None
    assert held.days[-1] == pytest.approx(free.days[-1] + 70 * MB)
    of_another = [hold(sources=("b",))]
    assert forecast(lots, rules, of_another, 100 * MB, NOW).days == free.days


def test_a_rule_of_one_source_frees_only_its_own():
    lots = [*week(10 * MB), *week(10 * MB, "b")]
    rules = [RetentionRule("b", source="b", keep_days=7)]
    told = forecast(lots, rules, (), 100 * MB, NOW)
    assert told.full_in_days == pytest.approx(9, abs=0.6)


def test_what_lies_cold_is_not_on_the_disk():
    cold = [replace(one, is_cold=True) for one in week(500 * MB)]
    told = forecast([*week(10 * MB), *cold], (), (), 100 * MB, NOW)
    assert told.full_in_days == pytest.approx(10)
    rules = [RetentionRule("size", most_bytes=200 * MB)]
    assert list(by_size(rules, (), [*week(10 * MB), *cold], 0)) == []
