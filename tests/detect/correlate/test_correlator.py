"""Correlation: what is found, told, corrected and remembered."""

from tests.detect.correlate.playing import Stream, correlation, event, field_values
from tocsin.detect.correlate.oracle import episodes_of


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
