"""OpenTelemetry's exporters: logs and metrics in JSON are found, refused ones are counted."""

import gzip
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.sending import Door, close_door, open_door

TIME = "1700000000250000000"
BODY_LIMIT_BYTES = 500_000


def text(value: str) -> dict[str, Any]:
    return {"stringValue": value}


def pairs(**values: Any) -> list[dict[str, Any]]:
    return [{"key": key.replace("__", "."), "value": value} for key, value in values.items()]


def logs(service: str, *records: Any) -> dict[str, Any]:
    resource = {"attributes": pairs(service__name=text(service), host__name=text("node-1"))}
    scope = {"name": "app.auth", "version": "2.0"}
    return {
        "resourceLogs": [
            {"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": list(records)}]}
        ]
    }


def send(door: Door, path: str, content: Any, **headers: str) -> httpx2.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    told = {"Authorization": f"Bearer {door.token}", "Content-Type": "application/json"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    answer: httpx2.Response = door.client.post(path, content=body, headers=told)
    return answer


def test_a_log_record_is_found_with_all_that_is_said_about_it(door: Door) -> None:
    record = {
        "timeUnixNano": TIME,
        "observedTimeUnixNano": "1700000009000000000",
        "severityNumber": 13,
        "severityText": "WARN",
        "body": text("login refused"),
        "attributes": pairs(
            user__name=text("carol"),
            tries={"intValue": "3"},
            ratio={"doubleValue": 0.5},
            locked={"boolValue": True},
            roles={"arrayValue": {"values": [text("a"), text("b")]}},
            inner={"kvlistValue": {"values": pairs(x={"intValue": 1})}},
            none={},
        ),
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "EEE19B7EC3C1B174",
    }
    answer = send(door, "/v1/logs", logs("shop", record))
    assert (answer.status_code, answer.json()) == (200, {})
    (found,) = door.found("native.otel.attributes.tries:3")
    assert found["source"] == "otlp/agent/shop"
    assert found["time"].startswith("2023-11-14T22:13:20.25")
    assert found["ocsf"]["message"] == "login refused"
    assert found["ocsf"]["device.hostname"] == "node-1"
    otel = found["native"]["otel"]
    assert otel["attributes"]["user.name"] == "carol"
    assert otel["attributes"]["roles"] == ["a", "b"]
    assert otel["attributes"]["inner"] == {"x": 1}
    assert otel["resource"] == {"service.name": "shop", "host.name": "node-1"}
    assert otel["scope"] == {"name": "app.auth", "version": "2.0"}
    assert otel["severityText"] == "WARN"
    assert found["ocsf"]["severity_id"] == 2
    assert otel["traceId"] == record["traceId"]


def test_a_body_is_read_as_what_it_is(door: Door) -> None:
    line = "Nov 14 22:13:20 bastion sshd[7]: Failed password for oscar from 192.0.2.7 port 22 ssh2"
    fields = {"kvlistValue": {"values": pairs(mark=text("bodymap"), n={"intValue": "7"})}}
    records = [{"body": text(line)}, {"body": fields}, {"eventName": "ping"}]
    assert send(door, "/v1/logs", logs("files", *records)).json() == {}
    (found,) = door.found("user:oscar")
    assert found["lane"] == "linux.sshd"
    assert found["native"]["otel"]["resource"]["service.name"] == "files"
    (mapped,) = door.found("native.mark:bodymap")
    assert mapped["native"]["n"] == 7
    assert len(door.found("native.otel.eventName:ping")) == 1


def test_refused_records_are_counted_and_kept(door: Door) -> None:
    bad = [
        "text",
        {"body": {"stringValue": 5}},
        {"body": {"frob": 1}},
        {"body": text("x"), "attributes": [{"value": text("no key")}]},
        {"body": text("x"), "timeUnixNano": "yesterday"},
        {"body": text("x"), "attributes": {"a": 1}},
    ]
    good = {"body": text("good one")}
    told = send(door, "/v1/logs", logs("mixed", *bad, good)).json()["partialSuccess"]
    assert told["rejectedLogRecords"] == str(len(bad))
    assert "no object" in told["errorMessage"]
    assert door.ledgers()["otlp/agent/mixed"] == (7, 1, 6)


@pytest.mark.parametrize("depth", [60, 120, 200])
def test_a_deep_body_is_kept_whether_it_can_be_read_or_not(door: Door, depth: int) -> None:
    body: dict[str, Any] = text("bottom")
    for _ in range(depth):
        body = {"arrayValue": {"values": [body]}}
    told = send(door, "/v1/logs", logs(f"deep{depth}", {"body": body}, {"body": text("flat")}))
    assert told.status_code == 200
    received, stored, quarantined = door.ledgers()[f"otlp/agent/deep{depth}"]
    assert (received, stored + quarantined) == (2, 2)
    assert stored == (2 if depth < 100 else 1)


def test_every_data_point_becomes_an_event(door: Door) -> None:
    resource = {"attributes": pairs(host__name=text("node-2"))}
    metrics = [
        {
            "name": "cpu.use",
            "unit": "1",
            "gauge": {
                "dataPoints": [
                    {"timeUnixNano": TIME, "asDouble": 0.25, "attributes": pairs(cpu=text("0"))},
                    {"timeUnixNano": TIME, "asInt": "2", "attributes": pairs(cpu=text("1"))},
                ]
            },
        },
        {
            "name": "latency",
            "histogram": {
                "dataPoints": [
                    {"count": "3", "sum": 6.5, "bucketCounts": ["1", "2"], "explicitBounds": [2]}
                ]
            },
        },
        {"name": "odd"},
        {"name": "worse", "sum": {"dataPoints": [5]}},
    ]
    content = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}
    told = send(door, "/v1/metrics", content).json()["partialSuccess"]
    assert told["rejectedDataPoints"] == "2"
    found = door.found('native.metric.name:"cpu.use"')
    assert {one["native"]["metric"]["value"] for one in found} == {0.25, 2}
    assert found[0]["time"].startswith("2023-11-14T22:13:20.25")
    (latency,) = door.found("native.metric.name:latency")
    assert latency["native"]["metric"]["sum"] == 6.5
    assert door.ledgers()["otlp/agent/node-2"] == (5, 3, 2)


def test_gzip_is_unpacked_and_nothing_is_nothing(door: Door) -> None:
    body = gzip.compress(json.dumps(logs("packed", {"body": text("packed one")})).encode())
    assert send(door, "/v1/logs", body, Content_Encoding="gzip").json() == {}
    assert door.ledgers()["otlp/agent/packed"] == (1, 1, 0)
    assert send(door, "/v1/logs", {}).json() == {}
    assert send(door, "/v1/logs", {"resourceLogs": None}).json() == {}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        ({"resourceLogs": {}}, "resourceLogs is no list"),
        ({"resourceLogs": [5]}, "resourceLogs[0] is no object"),
        ({"resourceLogs": [{"scopeLogs": 5}]}, "scopeLogs is no list"),
        ({"resourceLogs": [{"resource": {"attributes": [5]}}]}, "no KeyValue"),
        ({"resourceLogs": [{"scopeLogs": [{"logRecords": {}}]}]}, "logRecords is no list"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_whole(
    door: Door, content: Any, says: str
) -> None:
    before = door.ledgers()
    answer = send(door, "/v1/logs", content)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert says in answer.json()["message"]
    assert door.ledgers() == before


def test_errors_are_told_as_the_protocol_has_them(door: Door) -> None:
    thrift = send(door, "/v1/logs", b"\n", Content_Type="application/x-thrift")
    assert (thrift.status_code, thrift.json()["code"]) == (415, 12)
    assert "application/x-protobuf" in thrift.json()["message"]
    bomb = gzip.compress(b" " * 5_000_000)
    assert send(door, "/v1/logs", bomb, Content_Encoding="gzip").status_code == 413
    wrong = send(door, "/v1/logs", {}, Authorization="Bearer toc_x")
    assert (wrong.status_code, wrong.json()["code"]) == (401, 16)


def test_a_full_spool_makes_the_sender_wait(tmp_path: Path) -> None:
    door = open_door(tmp_path, spool__limit_bytes=1 << 20)
    try:
        content = logs("full", {"body": text("x" * 600_000)})
        assert send(door, "/v1/logs", content).status_code == 200
        answer = send(door, "/v1/logs", content)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
        assert len(door.found()) == 1
    finally:
        close_door(door)
