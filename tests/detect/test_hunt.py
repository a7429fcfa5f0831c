"""The offline hunt's hits have the shape others rely on."""

import json
from collections.abc import Sequence

import pytest

from tests.detect.rule_texts import ID, one_rule
from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.hunt import HuntHit, Place, hits_in, iso_time, ndjson_line
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.model.event import EventBatch

LANE = lane_for("windows", "process_creation", None)
RULE = one_rule("  s: {Image: cmd.exe}\n  condition: s")
ENGINE = Engine(RuleSet((RULE,)))
EVENTS: list[dict[str, object]] = [
    {"Image": "cmd.exe", "EventRecordID": 77, "Computer": "pc1"},
    {"Image": "x"},
    {"Image": "CMD.exe"},
]


def found_in(batch: EventBatch, events: Sequence[dict[str, object]] = EVENTS) -> list[HuntHit]:
    numbers = {event_id: at for at, event_id in enumerate(batch.event_ids.to_pylist(), 1)}
    records = dict(zip(batch.event_ids.to_pylist(), events, strict=True))

    def place_of(event_id: str) -> Place:
        return "log.evtx", numbers[event_id]

    return hits_in(batch, ENGINE.evaluate(batch), place_of, records.__getitem__)


def test_a_line_tells_rule_event_and_file() -> None:
    lines = [json.loads(ndjson_line(RULE.rule, hit)) for hit in found_in(batch_of(LANE, EVENTS))]
    assert lines[0] == {
        "rule_id": ID,
        "rule_title": "A rule",
        "level": "high",
        "tags": ["attack.execution", "attack.t1059.001"],
        "time": "2000-01-01T00:00:00Z",
        "source": "sample",
        "record_id": "77",
        "file": "log.evtx",
        "event": {"Image": "cmd.exe", "EventRecordID": 77, "Computer": "pc1"},
    }
    assert [line["event"]["Image"] for line in lines] == ["cmd.exe", "CMD.exe"]


def test_a_record_its_source_did_not_number_has_its_number_in_the_file() -> None:
    first, second = found_in(batch_of(LANE, EVENTS))
    assert (first.record, first.host) == ("77", "pc1")
    assert (second.record, second.host) == ("3", "")


def test_a_correlation_is_told_beside_the_event() -> None:
    (hit, _) = found_in(batch_of(LANE, EVENTS))
    told = json.loads(ndjson_line(RULE.rule, hit._replace(correlation=b'{"measured":5.0}')))
    assert told["correlation"] == {"measured": 5.0}


def test_what_json_has_no_word_for_is_written_as_text() -> None:
    events: list[dict[str, object]] = [{"Image": "cmd.exe", "Data": b"\xffx"}]
    (hit,) = found_in(batch_of(LANE, events), events)
    assert json.loads(ndjson_line(RULE.rule, hit))["event"]["Data"] == "\ufffdx"


def test_an_event_is_told_as_it_was_read_whatever_stands_beside_it() -> None:
    events: list[dict[str, object]] = [
        {"Image": "cmd.exe", "Status": 5, "Huge": 2**70, "In": {"a": 1, "b": None}},
        {"Image": "x", "Status": "0xc000006d", "Huge": "x", "In": {"a": "x", "b": 2}},
    ]
    (hit,) = found_in(batch_of(LANE, events), events)
    told = json.loads(hit.event)
    assert told == {"Image": "cmd.exe", "Status": 5, "Huge": 2**70, "In": {"a": 1}}


@pytest.mark.parametrize(
    ("time_us", "told"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000, "1970-01-01T00:00:01.500000Z"),
        (-(2**62), "0001-01-01T00:00:00Z"),
        (2**62, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_any_time_is_told(time_us: int, told: str) -> None:
    assert iso_time(time_us) == told
    (hit, _) = found_in(batch_of(LANE, EVENTS))
    assert json.loads(ndjson_line(RULE.rule, hit._replace(time_us=time_us)))["time"] == told
