"""A small body can't become very many records, nor very large ones by what is said of all."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from tests.loki_push import pushed
from tocsin.ingest import request_bounds
from tocsin.ingest.bodies.bulk_body import BulkFault, take_bulk
from tocsin.ingest.bodies.hec_body import take_events, take_raw
from tocsin.ingest.bodies.loki_body import LokiFault, push_in_json, take_push
from tocsin.ingest.bodies.loki_proto import push_in_protobuf
from tocsin.ingest.bodies.otlp_body import take_logs, take_metrics
from tocsin.ingest.bodies.otlp_protobuf import take_proto_logs, take_proto_metrics
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.decode import decode
from tocsin.ingest.records.otlp_value import OtlpFault
from tocsin.ingest.request_bounds import RequestTooLarge

MAKER = Maker("sender", "test", datetime(2026, 7, 1, tzinfo=UTC))
WORD = "w" * 1000
MOST = 100_000
"""Bytes: a hundred records that repeat a thousand are too many."""
FEW, MANY = 40, 400
MOST_RECORDS = 100


def logs(records: int, scopes: int = 1) -> dict[str, Any]:
    resource = {"attributes": [{"key": "k", "value": {"stringValue": WORD}}]}
    some = {"logRecords": [{"body": {"stringValue": "x"}}] * records}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [some] * scopes}]}


def metrics(points: int, resource: str = "", name: str = "n", unit: str = "u") -> dict[str, Any]:
    told = {"attributes": [{"key": "k", "value": {"stringValue": resource}}]}
    gauge = {"gauge": {"dataPoints": [{"asDouble": 1.0}] * points}}
    scope = {"metrics": [{"name": name, "unit": unit, **gauge}]}
    return {"resourceMetrics": [{"resource": told, "scopeMetrics": [scope]}]}


def in_protobuf(told: dict[str, Any]) -> bytes:
    request = ExportLogsServiceRequest if "resourceLogs" in told else ExportMetricsServiceRequest
    return bytes(ParseDict(told, request()).SerializeToString())


def hec(lines: int) -> int:
    return take_raw(b"x\n" * lines, {"source": WORD}, MAKER).events


def loki(lines: int) -> int:
    stream = {"stream": {"job": WORD}, "values": [["1", "x"]] * lines}
    request = push_in_json(json.dumps({"streams": [stream]}).encode())
    return sum(batch.payload.count(b"\n") + 1 for batch in take_push(request, MAKER))


def loki_streams(streams: int) -> int:
    stream = {"stream": {"job": WORD}, "values": [["1", "x"]]}
    take_push({"streams": [stream] * streams}, MAKER)
    return streams


def loki_protobuf(lines: int) -> int:
    body = pushed({(("job", WORD),): [(1, "x", {})] * lines})
    return sum(batch.payload.count(b"\n") + 1 for batch in take_push(push_in_protobuf(body), MAKER))


def ndjson(lines: int, body: bytes = b"") -> int:
    batches = split_lines(body or b"x\n" * lines, "sender", MAKER.received_at)
    return sum(len(decode(batch).records) for batch in batches)


def array(values: int) -> int:
    return ndjson(values, b"[" + b",".join([b"{}"] * values) + b"]")


def scalars(values: int) -> int:
    body = b"[{}" + b",1" * (values - 1) + b"]"
    return len(split_lines(body, "sender", MAKER.received_at))


def events(many: int) -> int:
    return take_events(b'{"event":1}' * many, MAKER).events


def bulk(many: int) -> int:
    return len(take_bulk(b'{"index":{}}\n{}\n' * many, "i", MAKER).actions)


TAKERS: dict[str, Callable[[int], int]] = {
    "hec": hec,
    "loki": loki,
    "loki_streams": loki_streams,
    "loki_protobuf": loki_protobuf,
    "logs": lambda many: take_logs(json.dumps(logs(many)).encode(), MAKER).records,
    "scopes": lambda many: take_logs(json.dumps(logs(1, many)).encode(), MAKER).records,
    "logs_protobuf": lambda many: take_proto_logs(in_protobuf(logs(many)), MAKER).records,
    "scopes_protobuf": lambda many: take_proto_logs(in_protobuf(logs(1, many)), MAKER).records,
    "metrics": lambda many: take_metrics(json.dumps(metrics(many, WORD)).encode(), MAKER).records,
    "metric_name": lambda many: (
        take_metrics(json.dumps(metrics(many, name=WORD)).encode(), MAKER).records
    ),
    "metric_unit": lambda many: (
        take_metrics(json.dumps(metrics(many, unit=WORD)).encode(), MAKER).records
    ),
    "metrics_protobuf": lambda many: (
        take_proto_metrics(in_protobuf(metrics(many, WORD)), MAKER).records
    ),
}


OTHERS: dict[str, Callable[[int], int]] = {
    "ndjson": ndjson,
    "array": array,
    "scalars": scalars,
    "events": events,
    "bulk": bulk,
}
FAULTS = (RequestTooLarge, OtlpFault, LokiFault, BulkFault)


@pytest.mark.parametrize("name", TAKERS)
def test_what_repeats_too_much_is_refused_with_the_reason(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_bounds, "MOST_REPEATED_BYTES", MOST)
    assert TAKERS[name](FEW) == FEW
    with pytest.raises(FAULTS, match="would be written with each"):
        TAKERS[name](MANY)


@pytest.mark.parametrize("name", TAKERS | OTHERS)
def test_too_many_records_are_refused_with_the_reason(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_bounds, "MOST_RECORDS", MOST_RECORDS)
    assert (TAKERS | OTHERS)[name](FEW) == FEW
    with pytest.raises(FAULTS, match="send at most 100 records in a request"):
        (TAKERS | OTHERS)[name](MANY)
