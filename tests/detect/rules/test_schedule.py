"""When a rule pages: hours over midnight, other times, daylight saving, and what is refused."""

import json
from datetime import UTC, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.detect.overlays.overlay_content import read_overlay, written
from tocsin.detect.rules.overlay import Overlay
from tocsin.detect.rules.schedule import DAYS, BadSchedule, Schedule, read_schedule
from tocsin.model.severity import Level

WORK = Schedule(DAYS[:5], time(8), time(18), "Europe/Berlin")
NIGHT = Schedule(("fri",), time(22), time(6))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-20T07:00:00Z", True),  # Friday, 08:00 in Berlin
        ("2026-11-20T06:59:59Z", False),
        ("2026-07-17T06:00:00Z", True),  # summer time
        ("2026-11-20T17:00:00Z", False),  # the end is not within
        ("2026-11-21T10:00:00Z", False),  # Saturday
    ],
)
def test_hours_are_those_of_the_zone(at: str, *, expected: bool) -> None:
    assert WORK.pages(datetime.fromisoformat(at)) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-20T22:00:00Z", True),
        ("2026-11-21T05:59:00Z", True),  # Saturday morning belongs to Friday's night
        ("2026-11-21T06:00:00Z", False),
        ("2026-11-21T22:00:00Z", False),
        ("2026-11-20T05:00:00Z", False),  # the morning of Friday is Thursday's night
    ],
)
def test_hours_over_midnight_belong_to_the_day_they_begin_on(at: str, *, expected: bool) -> None:
    assert NIGHT.pages(datetime.fromisoformat(at)) is expected


MOMENTS = st.integers(0, 4_000_000_000).map(lambda one: datetime.fromtimestamp(one, UTC))
schedules = st.builds(
    Schedule,
    st.sets(st.sampled_from(DAYS), min_size=1).map(
        lambda found: tuple(day for day in DAYS if day in found)
    ),
    st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    st.booleans(),
    st.none() | st.sampled_from(Level),
)


@given(schedules, MOMENTS)
def test_inside_and_outside_are_opposites_and_content_comes_back(
    schedule: Schedule, moment: datetime
) -> None:
    opposite = read_schedule({**schedule.as_json(), "outside": not schedule.outside})
    assert schedule.pages(moment) is not opposite.pages(moment)
    overlay = Overlay("r", schedule=schedule)
    assert read_overlay(written(overlay), "r") == (overlay, [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "a map"),
        ({"days": ["someday"], "start": "08:00", "end": "09:00"}, "mon, tue"),
        ({"days": ["mon"], "end": "09:00"}, "start is missing"),
        ({"days": ["mon"], "start": "25:00", "end": "09:00"}, "can't be read"),
        ({"days": ["mon"], "start": "08:00", "end": "09:00", "zone": "Mars/X"}, "no time zone"),
        ({"days": ["mon"], "start": "08:00", "end": "09:00", "zone": "../etc"}, "can't be read"),
        ({"days": ["mon"], "start": "08:00Z", "end": "09:00"}, "carry no zone"),
    ],
)
def test_what_is_no_schedule_is_refused_and_in_kept_content_told(content: Any, told: str) -> None:
    with pytest.raises(BadSchedule, match=told):
        read_schedule(content)
    if content:
        text = json.dumps({"state": "active", "schedule": content})
        overlay, damage = read_overlay(text, "r")
        assert overlay.schedule is None
        assert "pages at any time" in damage[0]
