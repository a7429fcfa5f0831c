"""Objects that hold many records are opened at every door; whatever stands beside them is kept."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.ingest.bodies.bulk_body import take_bulk
from tocsin.ingest.bodies.hec_body import take_events, take_raw
from tocsin.ingest.bodies.otlp_body import take_logs
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.cutting.recognition import Shape, recognize
from tocsin.ingest.decode import decode
from tocsin.ingest.pull.pull_messages import cut_messages
from tocsin.model.record import RawBatch

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MAKER = Maker("here", "there", NOW)
AZURE = {"records": [{"category": "SignInLogs", "n": 1}, {"category": "AuditLogs", "n": 2}]}
TRAIL = {"Records": [{"eventName": "GetUser"}, {"eventName": "PutUser"}]}
GROUP = {
    "messageType": "DATA_MESSAGE",
    "owner": "123456789012",
    "logGroup": "/aws/web",
    "logStream": "i-1",
    "subscriptionFilters": ["all"],
    "logEvents": [
        {"id": "1", "timestamp": 1772323200000, "message": '{"user":"ada"}'},
        {"id": "2", "timestamp": 1772323201000, "message": "plain words"},
    ],
}
ABOUT = {
    "owner": "123456789012",
    "logGroup": "/aws/web",
    "logStream": "i-1",
    "subscriptionFilters": ["all"],
}
OF_GROUP = [
    {"user": "ada", "shipper": {"timestamp": 1772323200000, "cloudwatch": {**ABOUT, "id": "1"}}},
    {
        "message": "plain words",
        "shipper": {"timestamp": 1772323201000, "cloudwatch": {**ABOUT, "id": "2"}},
    },
]
WRAPPERS = pytest.mark.parametrize(
    ("wrapper", "records"),
    [(AZURE, AZURE["records"]), (TRAIL, TRAIL["Records"]), (GROUP, OF_GROUP)],
    ids=["azure", "cloudtrail", "cloudwatch"],
)


def read(batches: list[RawBatch]) -> list[dict[str, Any]]:
    decoded = [decode(batch) for batch in batches]
    assert not [one for some in decoded for one in some.unreadable]
    return [dict(record) for some in decoded for record in some.records]


def without(records: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: one[name] for name in one if name not in names} for one in records]


@WRAPPERS
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("between", ["", "\n", " \r\n"])
def test_as_files_and_bodies(
    wrapper: dict[str, Any], records: list[Any], indent: int | None, between: str
) -> None:
    body = between.join([json.dumps(wrapper, indent=indent)] * 3).encode()
    assert read(split_lines(body, "here", NOW)) == records * 3


@WRAPPERS
def test_as_messages_of_a_queue(wrapper: dict[str, Any], records: list[Any]) -> None:
    whole = json.dumps(wrapper).encode()
    cuts = list(cut_messages([(b'{"a":1}', "@0"), (whole, "@1"), (b'{"b":2}', "@2")], MAKER))
    assert read([cut for cut in cuts if isinstance(cut, RawBatch)]) == [
        {"a": 1},
        *records,
        {"b": 2},
    ]


@WRAPPERS
@pytest.mark.parametrize("is_text", [False, True])
def test_in_events_of_hec(wrapper: dict[str, Any], records: list[Any], is_text: bool) -> None:
    event = json.dumps(wrapper) if is_text else wrapper
    body = json.dumps({"event": event, "host": "edge"}) + json.dumps({"event": "and a line"})
    found = take_events(body.encode(), MAKER)
    assert (found.events, found.fault) == (len(records) + 1, None)
    *told, last = read(found.batches)
    assert without(told, "hec") == records
    assert [one["hec"] for one in told] == [{"host": "edge"}] * len(records)
    assert last == {"message": "and a line"}


@WRAPPERS
def test_in_lines_of_hec(wrapper: dict[str, Any], records: list[Any]) -> None:
    found = take_raw(json.dumps(wrapper).encode(), {"sourcetype": "azure"}, MAKER)
    assert without(read(found.batches), "hec") == records


def test_in_documents_the_one_item_is_answered_for_all() -> None:
    lines = [{"index": {"_id": "x"}}, AZURE, {"index": {}}, {"n": 3}]
    found = take_bulk(b"\n".join(json.dumps(one).encode() for one in lines), "logs", MAKER)
    assert (len(found.actions), dict(found.reasons)) == (2, {})
    told = read(found.batches)
    assert told == [*({**one, "_id": "x"} for one in AZURE["records"]), {"n": 3}]


@WRAPPERS
@pytest.mark.parametrize("is_text", [False, True])
def test_in_records_of_opentelemetry(
    wrapper: dict[str, Any], records: list[Any], is_text: bool
) -> None:
    body = _any_value(json.dumps(wrapper) if is_text else wrapper)
    request = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": body, "flags": 1}]}]}]}
    told = read(take_logs(json.dumps(request).encode(), MAKER).batches)
    assert without(told, "otel") == records
    assert [one["otel"] for one in told] == [{"flags": 1}] * len(records)


@pytest.mark.parametrize(
    "whole",
    [
        {"records": 3, "Records": [{"a": 1}]},
        {"Records": ["a", "b"]},
        {"Records": []},
        {"user": "ada", "records": [{"a": 1}]},
        {"messageType": "DATA_MESSAGE", "logEvents": [{"id": 1}]},
        {"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "a check"}]},
    ],
)
def test_what_only_looks_so_stays_one_record(whole: dict[str, Any]) -> None:
    found = take_events(json.dumps({"event": whole}).encode(), MAKER)
    assert read(found.batches) == [whole]


def test_a_fault_is_told_by_its_number_and_nothing_is_opened_beside_it() -> None:
    body = json.dumps({"event": AZURE}) + json.dumps({"even": 1})
    found = take_events(body.encode(), MAKER)
    assert (found.events, found.fault_at) == (1, 1)


def test_what_stands_behind_the_records_is_one_more() -> None:
    assert read(split_lines(b'{"records":[{"a":1}],"next":"b"}', "here", NOW)) == [
        {"a": 1},
        {"next": "b"},
    ]
    (broken,) = split_lines(b'{"records":[{"a":1}] next}', "here", NOW)[1:]
    assert decode(broken).unreadable[0].payload == b"next}"


def test_objects_with_nothing_between_them_are_told_from_text() -> None:
    assert recognize(b'{"a":1}{"b":2}') is Shape.JSON
    assert recognize(b'{"a":"}{"} {"b":2}\n') is Shape.JSON
    for line in (b'{"a":1}', b'{"a":1}\n{"b":2}', b"{x}{y} stopped", b'{"a":1} x', b'{"a'):
        assert recognize(line) is Shape.LINES


def _any_value(value: Any) -> dict[str, Any]:
    """As OTLP writes it in JSON."""
    if isinstance(value, dict):
        pairs = [{"key": name, "value": _any_value(one)} for name, one in value.items()]
        return {"kvlistValue": {"values": pairs}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(one) for one in value]}}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


@pytest.mark.parametrize("is_text", [False, True])
@pytest.mark.parametrize("times", [1, 20, 600])
def test_however_many_come_at_once(is_text: bool, times: int) -> None:
    """Small bodies are looked at record by record, large ones by columns."""
    plain = [{"event": {"a": "x" * 90, "n": n}} for n in range(times)]
    wrapped = [{"event": json.dumps(AZURE) if is_text else AZURE}] * times
    body = b"\n".join(json.dumps(one).encode() for one in (*plain, *wrapped))
    told = read(take_events(body, MAKER).batches)
    assert told == [*(one["event"] for one in plain), *AZURE["records"] * times]
    if not is_text:
        lines = [one for event in (*plain, *wrapped) for one in ({"create": {}}, event["event"])]
        found = take_bulk(b"\n".join(json.dumps(one).encode() for one in lines), "logs", MAKER)
        assert (read(found.batches), len(found.actions)) == (told, 2 * times)


def test_what_stands_around_many_records_is_not_multiplied_without_end() -> None:
    heavy = {"event": {"records": [{}] * 2_000}, "fields": {"pad": "x" * 100_000}}
    found = take_events(json.dumps(heavy).encode(), MAKER)
    assert sum(len(batch.payload) for batch in found.batches) < 1_000_000
    assert found.events == 1
    group = {**GROUP, "logGroup": "x" * 100_000, "logEvents": [{"message": "m"}] * 2_000}
    (only,) = split_lines(json.dumps(group).encode(), "here", NOW)
    assert len(only.payload) < 1_000_000
