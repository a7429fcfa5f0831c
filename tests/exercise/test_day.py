"""The day as it is sent: exact, repeatable, in order, and broken only where it was planned."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.exercise.company import Company, ExerciseError
from tocsin.exercise.day import FEWEST_EVENTS, later_plan, quiet_plan, sending_plan
from tocsin.exercise.linux_day import SILENT_HOST, SILENT_HOURS
from tocsin.exercise.sending import Channel, Sending
from tocsin.exercise.trouble import BROKEN_RECORDS

END = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
EVENTS = 12_000


@pytest.fixture(scope="module")
def sendings(company: Company) -> list[Sending]:
    return list(sending_plan(company, end=END, events=EVENTS, seed=11))


def test_it_holds_exactly_the_records_asked_for(sendings: list[Sending]) -> None:
    assert sum(sending.records for sending in sendings) == EVENTS
    assert sum(sending.broken for sending in sendings) == BROKEN_RECORDS


def test_payloads_hold_as_many_records_as_they_say(sendings: list[Sending]) -> None:
    for sending in sendings:
        if sending.source == "cloudtrail":
            held = len(json.loads(sending.payload)["Records"])
        else:
            lines = [line for line in sending.messages if line and not line.startswith(b"#")]
            held = len(lines)
        assert held == sending.records


def test_broken_records_are_json_nobody_can_read(sendings: list[Sending]) -> None:
    broken = Counter[str]()
    for sending in sendings:
        if sending.channel is not Channel.HTTP:
            continue
        for line in sending.messages:
            try:
                json.loads(line)
            except ValueError:
                broken[sending.source] += 1
                assert line.startswith(b"{")
    assert sum(broken.values()) == BROKEN_RECORDS
    assert len(broken) >= 3


def test_the_same_seed_tells_the_same_day(company: Company, sendings: list[Sending]) -> None:
    assert list(sending_plan(company, end=END, events=EVENTS, seed=11)) == sendings
    assert list(sending_plan(company, end=END, events=EVENTS, seed=12)) != sendings


def test_sendings_come_in_the_order_of_time_within_the_day(sendings: list[Sending]) -> None:
    moments = [sending.at for sending in sendings]
    assert moments == sorted(moments)
    assert moments[0] >= END - timedelta(days=1)
    assert moments[-1] <= END


def test_every_door_is_used_and_datagrams_stay_few(sendings: list[Sending]) -> None:
    by_channel = Counter[Channel]()
    for sending in sendings:
        by_channel[sending.channel] += sending.records
        assert sending.records <= 500 or sending.channel is Channel.FILE
    assert set(by_channel) == set(Channel)
    assert by_channel[Channel.SYSLOG_UDP] < EVENTS / 10
    assert all(sending.filename for sending in sendings if sending.channel is Channel.FILE)


def test_one_source_falls_silent_and_the_others_talk_to_the_end(sendings: list[Sending]) -> None:
    last = {sending.source: sending.at for sending in sendings}
    silent = last.pop(f"syslog/{SILENT_HOST}")
    assert timedelta(hours=SILENT_HOURS - 0.1) < END - silent < timedelta(hours=SILENT_HOURS + 0.3)
    assert max(END - moment for moment in last.values()) < timedelta(minutes=45)


def test_a_quiet_day_has_neither_attack_nor_broken_records(company: Company) -> None:
    quiet = list(quiet_plan(company, end=END, events=EVENTS, seed=11))
    assert sum(sending.records for sending in quiet) == EVENTS
    assert sum(sending.broken for sending in quiet) == 0
    assert not any(b"203.0.113.66" in sending.payload for sending in quiet)


def test_the_story_can_end_at_any_hour(company: Company) -> None:
    end = datetime(2027, 1, 1, 3, 12, 7, tzinfo=UTC)
    day = list(sending_plan(company, end=end, events=FEWEST_EVENTS, seed=3))
    assert day[-1].at <= end
    assert sum(sending.records for sending in day) == FEWEST_EVENTS


def test_a_day_too_small_for_the_story_is_refused(company: Company) -> None:
    with pytest.raises(ExerciseError, match="ask for 8000 or more"):
        list(sending_plan(company, end=END, events=100, seed=3))


def test_life_goes_on_for_everyone_but_the_silent_one(
    company: Company, sendings: list[Sending]
) -> None:
    later = list(later_plan(company, start=END, end=END + timedelta(minutes=2), seed=11))
    before = {sending.source for sending in sendings}
    assert {sending.source for sending in later} == before - {f"syslog/{SILENT_HOST}"}
    assert sum(sending.records for sending in later) < 150
    assert all(END <= sending.at <= END + timedelta(minutes=2) for sending in later)
    with pytest.raises(ExerciseError, match="ask for a shorter time"):
        list(later_plan(company, start=END, end=END))
