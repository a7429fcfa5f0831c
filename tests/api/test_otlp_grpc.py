"""OpenTelemetry's own exporters send over gRPC, and are told what became of it."""

import asyncio
import math
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
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

from tests.api.sending import Door, close_door, open_door
from tests.fuzz.grpc_lane import request_bytes
from tests.ingest.certificates import Authority
from tests.places import SOURCE
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin
from tocsin.cli.otlp_door import open_otlp
from tocsin.ingest.errors import IngestError
from tocsin.store.ports import SpoolFull, StoreError

PATIENCE_S = 60
RESOURCE = Resource({"service.name": "shop", "host.name": "node-1"})
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


@contextmanager
def listening(house: Tocsin) -> Iterator[int]:
    """The port at which the house takes OTLP over gRPC while this is open."""
    ports: list[int] = []
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        try:
            async with open_otlp(house) as door:
                assert door is not None
                ports.append(door.port)
                ready.set()
                await asyncio.to_thread(done.wait)
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="otlp")
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield ports[0]
    finally:
        done.set()
        thread.join(PATIENCE_S)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    opened = open_door(
        tmp_path_factory.mktemp("home"), otlp__grpc_port=0, http__body_limit_bytes=1 << 20
    )
    yield opened
    close_door(opened)


@pytest.fixture(scope="module")
def port(door: Door) -> Iterator[int]:
    with listening(door.house) as found:
        yield found


def options(door: Door, port: int) -> dict[str, Any]:
    return {
        "endpoint": f"http://127.0.0.1:{port}",
        "headers": {"authorization": f"Bearer {door.token}"},
        "timeout": 30,
    }


def call(port: int, method: str, request: Any, token: str | None) -> tuple[bytes, Any]:
    """The answer, or the error."""
    metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()
    body = request if isinstance(request, bytes) else request.SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer: bytes = channel.unary_unary(method)(body, metadata=metadata, timeout=PATIENCE_S)
        except grpc.RpcError as error:
            return b"", error
        return answer, None


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_sdks_logs_are_found(door: Door, port: int, compression: Any) -> None:
    exporter = OTLPLogExporter(compression=compression, **options(door, port))
    provider = LoggerProvider(RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    mark = f"grpc-{compression.name}"
    provider.get_logger("app.auth").emit(
        LogRecord(
            timestamp=1_700_000_000_250_000_000,
            severity_number=SeverityNumber.ERROR,
            body={"message": "login refused"},
            attributes={"mark": mark},
        )
    )
    provider.shutdown()
    (found,) = door.found(f'native.otel.attributes.mark:"{mark}"')
    assert found["source"] == "otlp/agent/shop"
    assert found["native"]["message"] == "login refused"
    assert found["time"].startswith("2023-11-14T22:13:20.25")


def test_the_sdks_metrics_are_found(door: Door, port: int) -> None:
    exporter = OTLPMetricExporter(**options(door, port))
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
    provider = MeterProvider([reader], RESOURCE, shutdown_on_exit=False)
    provider.get_meter("app").create_counter("logins", unit="1").add(7)
    assert provider.force_flush()
    provider.shutdown()
    (found,) = door.found("native.metric.name:logins")
    assert found["native"]["metric"]["value"] == 7


def test_refused_records_are_told_and_kept(door: Door, port: int) -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add().body.string_value = "good"
    records.add(attributes=[{"key": "", "value": {}}]).body.string_value = "good too"
    answer, error = call(port, LOGS, request, door.token)
    assert (answer, error) == (b"", None)
    metrics = ExportMetricsServiceRequest()
    told = metrics.resource_metrics.add().scope_metrics.add().metrics
    told.add(name="sound").gauge.data_points.add(as_int=1)
    told.add(name="of no kind")
    answer, error = call(port, METRICS, metrics, door.token)
    assert error is None
    partial = ExportMetricsServiceResponse.FromString(answer).partial_success
    assert partial.rejected_data_points == 1
    assert "of no known kind" in partial.error_message
    received, stored, quarantined = door.ledgers()["otlp/agent"]
    assert received == stored + quarantined
    assert quarantined == 1
    assert ExportLogsServiceResponse.FromString(b"").partial_success.rejected_log_records == 0


@pytest.mark.parametrize("token", [None, "", "toc_wrong"])
def test_a_token_is_needed(port: int, token: str | None) -> None:
    _, error = call(port, LOGS, ExportLogsServiceRequest(), token)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "tocsin admin token create" in error.details()


def test_what_is_no_request_and_what_is_too_large_is_refused(door: Door, port: int) -> None:
    _, error = call(port, LOGS, b"\xff\xff\xff", door.token)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = "x" * (2 << 20)
    _, error = call(port, LOGS, request, door.token)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in dict(error.trailing_metadata())


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (SpoolFull("no room"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (StoreError("no disk"), grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_senders_are_told_when_to_send_again(
    door: Door, port: int, monkeypatch: pytest.MonkeyPatch, trouble: Exception, code: Any
) -> None:
    def refuse(self: Any, batches: Any, note: Any = None) -> int:
        raise trouble

    monkeypatch.setattr(type(door.house.spool), "append", refuse)
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "later"
    _, error = call(port, LOGS, request, door.token)
    assert (error.code(), error.details()) == (code, str(trouble))
    told = dict(error.trailing_metadata())
    assert RetryInfo.FromString(told["google.rpc.retryinfo-bin"]).retry_delay.seconds == 5
    status = Status.FromString(told["grpc-status-details-bin"])
    assert (status.code, status.message) == (code.value[0], str(trouble))
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    assert info.retry_delay.seconds == 5


def test_with_tls_a_sender_shows_its_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, sender = authority.issue("server"), authority.issue("sender")
    opened = open_door(
        tmp_path / "home",
        otlp__grpc_port=0,
        otlp__tls_certificate=server.certificate,
        otlp__tls_key=server.key,
        otlp__tls_client_ca=authority.certificate,
    )
    try:
        with listening(opened.house) as port:
            ca = Path(authority.certificate).read_bytes()
            pair = (Path(sender.key).read_bytes(), Path(sender.certificate).read_bytes())
            request = ExportLogsServiceRequest().SerializeToString()
            metadata = (("authorization", f"Bearer {opened.token}"),)
            for credentials, is_good in (
                (grpc.ssl_channel_credentials(ca, *pair), True),
                (grpc.ssl_channel_credentials(ca), False),
            ):
                with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
                    export = channel.unary_unary(LOGS)
                    if is_good:
                        assert export(request, metadata=metadata, timeout=PATIENCE_S) == b""
                        continue
                    with pytest.raises(grpc.RpcError) as refused:
                        export(request, metadata=metadata, timeout=PATIENCE_S)
                    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        close_door(opened)


def test_a_port_that_is_taken_is_named(door: Door, port: int) -> None:
    settings = load_settings(home=door.house.settings.home, otlp__grpc_port=port)

    async def open_again() -> None:
        async with open_otlp(door.house):
            pass

    before, door.house.settings = door.house.settings, settings
    try:
        with pytest.raises(IngestError, match=rf"can't listen on 127\.0\.0\.1:{port}"):
            asyncio.run(open_again())
    finally:
        door.house.settings = before


def test_only_the_door_imports_grpc() -> None:
    """A server without it starts without it: it is imported by name when it is asked for."""
    eager = re.compile(r"^(?:import grpc|from grpc|from tocsin\.api\.otlp_grpc)", re.MULTILINE)
    found = [path.name for path in SOURCE.rglob("*.py") if eager.search(path.read_text("utf-8"))]
    assert found == ["otlp_grpc.py"]


def test_a_method_that_is_no_utf8_is_not_found_and_the_door_stays_open(
    door: Door, port: int
) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sender:
        sender.sendall(request_bytes("/no.\udcc2.utf8/Export", b""))
        told = b""
        while b"Method not found" not in told:
            told += sender.recv(4096) or pytest.fail(f"it ended after {told!r}")
        answer, error = call(port, LOGS, ExportLogsServiceRequest(), door.token)
        assert (answer, error) == (b"", None)
