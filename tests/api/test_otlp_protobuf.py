"""OpenTelemetry's own exporters send in protobuf, and are told what became of it."""

import gzip
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from tests.api.listening import listening
from tests.api.sending import Door, close_door, open_door
from tocsin.ingest.bodies.otlp_body import Otlp
from tocsin.ingest.bodies.otlp_protobuf import take_proto_logs, take_proto_metrics
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.records.otlp_value import OtlpFault

PROTOBUF = "application/x-protobuf"
TIME_NS = 1_700_000_000_250_000_000
RESOURCE = Resource({"service.name": "shop", "host.name": "node-1"})


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    opened = open_door(tmp_path_factory.mktemp("home"))
    yield opened
    close_door(opened)


@pytest.fixture(scope="module")
def exporting(door: Door) -> Iterator[dict[str, Any]]:
    """What an exporter is given besides its address, and the address."""
    with listening(door) as url, requests.Session() as session:
        session.trust_env = False
        headers = {"authorization": f"Bearer {door.token}"}
        yield {"url": url, "options": {"headers": headers, "session": session, "timeout": 30}}


def post(door: Door, path: str, body: bytes, **headers: str) -> httpx2.Response:
    told = {"Authorization": f"Bearer {door.token}", "Content-Type": PROTOBUF}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    answer: httpx2.Response = door.client.post(path, content=body, headers=told)
    return answer


@pytest.mark.parametrize("compression", list(Compression))
def test_the_sdks_logs_are_found(
    door: Door, exporting: dict[str, Any], compression: Compression
) -> None:
    exporter = OTLPLogExporter(
        f"{exporting['url']}/v1/logs", compression=compression, **exporting["options"]
    )
    provider = LoggerProvider(RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    mark = f"sdk-{compression.value}"
    provider.get_logger("app.auth", "2.0").emit(
        LogRecord(
            timestamp=TIME_NS,
            severity_number=SeverityNumber.ERROR,
            severity_text="ERROR",
            body={"message": "login refused", "n": 2.5, "codes": [1, 2], "raw": b"\x00\xff"},
            attributes={"mark": mark, "tries": 3},
        )
    )
    provider.shutdown()
    (found,) = door.found(f'native.otel.attributes.mark:"{mark}"')
    assert found["source"] == "otlp/agent/shop"
    assert found["time"].startswith("2023-11-14T22:13:20.25")
    assert found["ocsf"]["severity_id"] == 3
    assert found["ocsf"]["device.hostname"] == "node-1"
    assert found["native"]["message"] == "login refused"
    assert (found["native"]["n"], found["native"]["codes"]) == (2.5, [1, 2])
    assert found["native"]["raw"] == "AP8="
    otel = found["native"]["otel"]
    assert otel["attributes"]["tries"] == 3
    assert otel["scope"] == {"name": "app.auth", "version": "2.0"}
    assert otel["resource"] == {"service.name": "shop", "host.name": "node-1"}


def test_the_sdks_metrics_are_found(door: Door, exporting: dict[str, Any]) -> None:
    exporter = OTLPMetricExporter(
        f"{exporting['url']}/v1/metrics", compression=Compression.Gzip, **exporting["options"]
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
    provider = MeterProvider([reader], RESOURCE, shutdown_on_exit=False)
    meter = provider.get_meter("app")
    meter.create_counter("logins", unit="1").add(7, {"result": "refused"})
    meter.create_gauge("load").set(0.25)
    meter.create_histogram("latency").record(12.5)
    assert provider.force_flush()
    provider.shutdown()
    assert told_of(door, "logins") == {
        **{"name": "logins", "kind": "sum", "unit": "1", "value": 7},
        "attributes": {"result": "refused"},
    }
    assert told_of(door, "load")["value"] == 0.25
    latency = told_of(door, "latency")
    assert (latency["count"], latency["sum"], sum(latency["bucketCounts"])) == (1, 12.5, 1)


def told_of(door: Door, name: str) -> dict[str, Any]:
    (found,) = door.found(f"native.metric.name:{name}")
    told: dict[str, Any] = found["native"]["metric"]
    return told


def test_points_of_every_kind_keep_what_they_say(door: Door) -> None:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    metrics = resource.scope_metrics.add().metrics
    summary = metrics.add(name="a_summary").summary.data_points.add(count=2, sum=3.0)
    summary.quantile_values.add(quantile=0.5, value=1.5)
    spread = metrics.add(name="spread").exponential_histogram.data_points
    spread.add(count=3, sum=math.inf, scale=-1, zero_count=1)
    metrics.add(name="odd_gauge").gauge.data_points.add(as_double=math.nan)
    answer = post(door, "/v1/metrics", request.SerializeToString())
    assert (answer.status_code, answer.content) == (200, b"")
    assert told_of(door, "a_summary")["quantileValues"] == [{"quantile": 0.5, "value": 1.5}]
    told = told_of(door, "spread")
    assert (told["kind"], told["sum"], told["scale"]) == ("exponentialHistogram", "Infinity", -1)
    assert "min" not in told
    assert told_of(door, "odd_gauge")["value"] == "NaN"


def test_partial_success_is_told_in_protobuf(door: Door) -> None:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name="of no kind")
    answer = post(door, "/v1/metrics", request.SerializeToString())
    assert (answer.status_code, answer.headers["content-type"]) == (200, PROTOBUF)
    told = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert told.rejected_data_points == 1
    assert "no known kind" in told.error_message


def test_a_body_too_deep_to_be_kept_is_counted(door: Door) -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add().body.string_value = "flat one"
    value = records.add().body
    for _ in range(40):
        value = value.array_value.values.add()
    value.string_value = "bottom"
    answer = post(
        door, "/v1/logs", gzip.compress(request.SerializeToString()), Content_Encoding="gzip"
    )
    told = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, told.rejected_log_records) == (200, 0)
    received, stored, quarantined = door.ledgers()["otlp/agent"]
    assert received == stored + quarantined


@pytest.mark.parametrize(
    ("headers", "body", "status", "code", "says"),
    [
        ({}, b"\xff\xff\xff", 400, 3, "no ExportLogsServiceRequest in protobuf"),
        ({}, b'{"resourceLogs": []}', 400, 3, "protobuf"),
        ({"Authorization": "Bearer toc_x"}, b"", 401, 16, "unknown"),
        ({"Content_Encoding": "br"}, b"", 415, 12, "can't be unpacked; gzip"),
        ({"Content_Encoding": "gzip"}, b"plain", 400, 3, "unpack"),
    ],
)
def test_errors_are_a_status_in_protobuf(
    door: Door, headers: dict[str, str], body: bytes, status: int, code: int, says: str
) -> None:
    answer = post(door, "/v1/logs", body, **headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROTOBUF)
    told_code, message = read_status(answer.content)
    assert told_code == code
    assert says in message


def read_status(content: bytes) -> tuple[int, str]:
    """``google.rpc.Status`` by the package that has it, which only tests need."""
    status_pb2 = pytest.importorskip("google.rpc.status_pb2")
    status = status_pb2.Status.FromString(content)
    return status.code, status.message


@given(st.binary(max_size=200))
def test_noise_is_read_or_refused(body: bytes) -> None:
    maker = Maker("noise", "test", datetime.now(UTC))
    for take in (take_proto_logs, take_proto_metrics):
        with suppress(OtlpFault):
            assert isinstance(take(body, maker), Otlp)
