"""Correlation: what is found, told, corrected and remembered."""

from datetime import timedelta

import pytest

from tests.detect.correlate.playing import (
    START,
    Stream,
    correlation,
    event,
    field_values,
    received,
)
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.oracle import episodes_of
from tocsin.detect.errors import DetectError


def test_a_thousand_failed_logons_are_a_few_findings_of_one_episode() -> None:
    rule = correlation("event_count", ("gte", 10))
    events = [event(n, n, "logon", user="Alice") for n in range(1000)]
    stream = Stream([rule])
    for at in range(0, 1000, 7):
        stream.turn(events[at : at + 7])
    stream.turn(final=True)
    assert len(stream.said) < 8
    (found,) = stream.standing.values()
    assert (found.event_count, found.measured) == (1000, 60)
    assert field_values(found) == {"user": "alice"}
    assert len(found.event_ids) == 100
    assert found.event_ids[-1] == events[-1].id
    assert found.because == "event_count 60, gte 10 within 1m"


def test_the_first_finding_comes_with_the_event_that_fulfils_the_condition() -> None:
    stream = Stream([correlation("event_count", ("gte", 3))])
    assert stream.turn([event(1, 0, "logon", user="a"), event(2, 1, "logon", user="a")]) == []
    (found,) = stream.turn([event(3, 2, "logon", user="a", host="web1")])
    assert found.native == {"user": "a", "host": "web1"}
    assert found.source == "dc01"
    assert found.lane == "sample.windows.security"
    assert found.event_count == 3


def test_a_dropped_turn_leaves_no_trace_and_repeats_its_ids() -> None:
    stream = Stream([correlation("event_count", ("gte", 2))])
    events = [event(1, 0, "logon", user="a"), event(2, 1, "logon", user="a")]
    dropped = stream.turn(events, dropped=True)
    assert [one.finding_id for one in dropped] == [one.finding_id for one in stream.turn(events)]


def test_rules_near_each_other_in_time_are_found_in_any_order() -> None:
    rule = correlation("temporal", rules=("whoami", "net", "ipconfig"))
    events = [
        event(1, 0, "net", user="a"),
        event(2, 20, "ipconfig", user="a"),
        event(3, 30, "whoami", user="b"),
        event(4, 50, "whoami", user="a"),
    ]
    stream = Stream([rule])
    stream.turn(events[2:])
    stream.turn(events[:2])
    stream.turn(final=True)
    assert stream.episodes() == episodes_of(rule, events)
    assert len(stream.episodes()) == 1


def test_late_events_within_the_allowance_reopen_what_was_closed() -> None:
    rule = correlation("event_count", ("lt", 3))
    stream = Stream([rule], Limits(lateness=timedelta(minutes=10)))
    stream.turn([event(1, 0, "logon", user="a"), event(2, 1, "logon", user="a")])
    (found,) = stream.turn([event(3, 200, "logon", user="b")])
    assert (found.event_count, found.retracted) == (2, False)
    (taken_back,) = stream.turn([event(4, 30, "logon", user="a")])
    assert taken_back.retracted
    assert taken_back.supersedes == found.finding_id
    assert stream.correlator.counts()["correlation"].late == 0


def test_events_later_than_the_allowance_are_counted_and_change_nothing() -> None:
    rule = correlation("event_count", ("gte", 2))
    stream = Stream([rule], Limits(lateness=timedelta(minutes=1)))
    for second in range(0, 1000, 10):
        stream.turn([event(second, second, "logon", user=f"u{second}")])
    assert stream.turn([event(1, 1, "logon", user="u0"), event(2, 2, "logon", user="u0")]) == []
    assert stream.correlator.counts()["correlation"].late == 2
    assert stream.correlator.counts()["correlation"].entries < 30


def test_an_episode_outlives_its_entries() -> None:
    rule = correlation("event_count", ("gte", 3), within_s=10)
    stream = Stream([rule], Limits(lateness=timedelta(seconds=20)))
    for second in range(400):
        stream.turn([event(second, second, "logon", user="a")])
    stream.restart()
    stream.turn(final=True)
    (found,) = stream.standing.values()
    assert found.event_count == 400
    assert found.since == START
    assert len(stream.said) < 8
    assert stream.correlator.counts()["correlation"].entries < 100


def test_a_clock_a_year_ahead_holds_up_and_closes_nothing() -> None:
    rule = correlation("absence", rules=("backup", "backup_done"), by=("host",))
    stream = Stream([rule], Limits(lateness=timedelta(minutes=5)))
    year = 365 * 86400
    stream.turn([event(1, 0, "backup", host="web1"), received(event(2, year, "other"), 0)])
    assert stream.turn([event(3, 30, "backup_done", host="web1")]) == []
    stream.turn(final=True)
    assert stream.standing == {}


def test_a_silent_source_does_not_hold_up_what_others_close() -> None:
    rule = correlation("absence", rules=("backup", "backup_done"), by=("host",))
    stream = Stream([rule], Limits(idle=timedelta(seconds=30)))
    assert stream.turn([event(1, 0, "backup", host="web1")]) == []
    stream.now += timedelta(seconds=60)
    assert stream.turn() == []
    stream.now += timedelta(seconds=60)
    (found,) = stream.turn()
    assert found.because == "nothing expected came within 1m of 1 events"
    assert found.event_ids == (event(1, 0).id,)


def test_a_flooding_group_makes_room_out_of_its_own() -> None:
    rule = correlation("event_count", ("gte", 60), within_s=3600)
    stream = Stream([rule], Limits(entries=500))
    quiet = [event(n, n * 10, "logon", user="victim") for n in range(59)]
    flood = [event(1000 + n, n * 0.3, "logon", user="noise") for n in range(2000)]
    stream.turn(quiet[:30])
    for at in range(0, 2000, 100):
        stream.turn(flood[at : at + 100])
    stream.turn(quiet[30:])
    (found,) = stream.turn([event(9999, 600, "logon", user="victim")])
    assert (field_values(found), found.event_count) == ({"user": "victim"}, 60)
    counts = stream.correlator.counts()["correlation"]
    assert counts.entries <= 500
    assert counts.evicted >= 1500


def test_random_groups_push_out_each_other_first() -> None:
    rule = correlation("event_count", ("gte", 5), within_s=3600)
    stream = Stream([rule], Limits(groups=100))
    stream.turn([event(n, n, "logon", user="victim") for n in range(4)])
    for at in range(10):
        some = [event(10 + at * 50 + n, 10 + at, "logon", user=f"r{at}-{n}") for n in range(50)]
        stream.turn(some)
    (found,) = stream.turn([event(9999, 60, "logon", user="victim")])
    assert found.event_count == 5
    assert stream.correlator.counts()["correlation"].groups <= 100


def test_what_is_saved_grows_with_what_comes_not_with_what_is_held() -> None:
    rule = correlation("value_count", ("gte", 1000), fields=("target",), within_s=3600)
    stream = Stream([rule])
    many = [event(n, n * 0.1, "logon", user=f"u{n % 500}", target=n % 77) for n in range(9000)]
    stream.turn(many)
    held = stream.correlator.counts()["correlation"]
    assert held.entries == 9000
    assert held.size_bytes < 200 * 9000
    before = dict(stream.saved)
    stream.turn([event(99999, 901, "logon", user="u1", target="x")])
    written = [content for key, content in stream.saved.items() if before.get(key) != content]
    assert sum(map(len, written)) < 5000


def test_a_rule_that_measures_something_else_starts_afresh_and_leaves_nothing_behind() -> None:
    stream = Stream([correlation("event_count", ("gte", 3))])
    stream.turn([event(n, n, "logon", user="a") for n in range(2)])
    stream.replace([correlation("event_count", ("lt", 3))])
    stream.turn([event(5, 5, "logon", user="a")])
    stream.restart()
    (found,) = stream.turn(final=True)
    assert found.event_count == 1


def test_a_rule_that_stays_goes_on_when_others_change() -> None:
    rule = correlation("event_count", ("gte", 3))
    stream = Stream([rule])
    stream.turn([event(n, n, "logon", user="a") for n in range(2)])
    stream.replace([rule, correlation("event_count", ("gte", 9), rule_id="another")])
    assert len(stream.turn([event(5, 5, "logon", user="a")])) == 1


def test_guessing_then_success_is_found_in_the_fields_of_the_events_themselves() -> None:
    guessing = correlation(
        "event_count", ("gte", 3), rules=("failed",), by=("host",), rule_id="guessing"
    )
    taken_over = correlation(
        "temporal_ordered",
        rules=("guessing", "success"),
        by=("account",),
        rule_id="taken_over",
        aliases={"account": {"guessing": "user", "success": "TargetUser"}},
    )
    stream = Stream([taken_over, guessing])
    stream.turn([event(n, n, "failed", user="Bob", host="web1") for n in range(5)])
    assert stream.said == []  # a step without ``generate`` is not told
    (found,) = stream.turn([event(9, 20, "success", TargetUser="BOB", host="db7")])
    assert field_values(found) == {"account": "bob"}
    assert found.rule.id == "taken_over"
    assert event(4, 0).id in found.event_ids


def test_correlations_that_take_each_other_are_refused() -> None:
    one = correlation("event_count", ("gte", 1), rules=("two",), rule_id="one")
    two = correlation("event_count", ("gte", 1), rules=("one",), rule_id="two")
    with pytest.raises(DetectError, match="circle: "):
        Correlator([one, two])


def test_state_that_cannot_be_read_is_refused_with_its_rule() -> None:
    stream = Stream([correlation("event_count", ("gte", 3))])
    stream.turn([event(1, 1, "logon", user="a")])
    key = next(key for key in stream.saved if key[1].startswith("e"))
    stream.saved[key] = b"broken"
    with pytest.raises(DetectError, match="saved correlation state of correlation can't be read"):
        stream.restart()


def test_odd_values_are_taken_as_they_are() -> None:
    rule = correlation("value_sum", ("gte", 1e18), fields=("size",))
    natives = [{"size": float("nan")}, {"size": float("inf")}, {"size": 2**63 - 1}, {"size": -1}]
    events = [event(n, n, "logon", user="a\0b", **native) for n, native in enumerate(natives)]
    stream = Stream([rule])
    for one in events:
        stream.turn([one])
    stream.turn(final=True)
    (found,) = stream.standing.values()
    assert field_values(found) == {"user": "a\ufffdb"}
    assert found.event_count == 2
