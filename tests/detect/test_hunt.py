"""The offline hunt's rows have the shape others rely on."""

import json

from tests.detect.rule_texts import ID, one_rule
from tocsin.detect.engine import Engine
from tocsin.detect.hunt import hunt, ndjson_line
from tocsin.detect.ruleset import RuleSet
from tocsin.detect.sample_batch import batch_of, lane_for
from tocsin.model.severity import Level

LANE = lane_for("windows", "process_creation", None)
ENGINE = Engine(RuleSet((one_rule("  s: {Image: cmd.exe}\n  condition: s"),)))
EVENTS = [{"Image": "cmd.exe", "EventRecordID": 77}, {"Image": "x"}, {"Image": "CMD.exe"}]


def test_a_row_tells_rule_event_and_file() -> None:
    batch = batch_of(LANE, EVENTS)
    rows = [json.loads(ndjson_line(row)) for row in hunt([("log.evtx", batch)], ENGINE)]
    assert rows[0] == {
        "rule_id": ID,
        "rule_title": "A rule",
        "level": "high",
        "tags": ["attack.execution", "attack.t1059.001"],
        "time": "2000-01-01T00:00:00Z",
        "source": "sample",
        "record_id": "77",
        "file": "log.evtx",
        "event": {"Image": "cmd.exe", "EventRecordID": 77},
    }
    assert [row["event"]["Image"] for row in rows] == ["cmd.exe", "CMD.exe"]
    assert rows[1]["record_id"] == batch.event_ids[2].as_py()


def test_rules_below_the_level_are_left_out() -> None:
    batch = batch_of(LANE, EVENTS)
    assert list(hunt([("f", batch)], ENGINE, level=Level.CRITICAL)) == []
    assert len(list(hunt([("f", batch)], ENGINE, level=Level.HIGH))) == 2


def test_what_json_has_no_word_for_is_written_as_text() -> None:
    batch = batch_of(LANE, [{"Image": "cmd.exe", "Data": b"\xffx"}])
    (row,) = hunt([("f", batch)], ENGINE)
    assert json.loads(ndjson_line(row))["event"]["Data"] == "\ufffdx"
