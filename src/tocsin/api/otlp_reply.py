"""Answers to OpenTelemetry's exporters, in the encoding in which they asked."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from tocsin.ingest.bodies.otlp_body import Otlp

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


def media_of(request: Request) -> str:
    """The encoding of a request's body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def told(media: str, found: Otlp, rejected: str) -> Response:
    """What became of a request; ``rejected`` is the protocol's name for how many were refused."""
    if media == PROTOBUF:
        return Response(partial_success(rejected, found), media_type=PROTOBUF)
    partial = {rejected: str(found.refused), "errorMessage": _why(found)}
    return JSONResponse({"partialSuccess": partial} if found.refused else {})


def _why(found: Otlp) -> str:
    return f"{found.reason}; what was refused is kept in quarantine" if found.refused else ""


def partial_success(rejected: str, found: Otlp) -> bytes:
    """An ``Export…ServiceResponse`` in protobuf; empty when all was taken in."""
    refused, message = found.refused, _why(found)
    if not refused:
        return b""
    if rejected == "rejectedLogRecords":
        logs = ExportLogsServiceResponse()
        logs.partial_success.rejected_log_records = refused
        logs.partial_success.error_message = message
        return bytes(logs.SerializeToString())
    metrics = ExportMetricsServiceResponse()
    metrics.partial_success.rejected_data_points = refused
    metrics.partial_success.error_message = message
    return bytes(metrics.SerializeToString())


def told_error(
    media: str, status: int, code: int, message: str, headers: Mapping[str, str]
) -> Response:
    """A ``google.rpc.Status``, as the protocol has errors in either encoding."""
    if media == PROTOBUF:
        return Response(_status(code, message), status, dict(headers), media_type=PROTOBUF)
    content: dict[str, Any] = {"code": code, "message": message}
    return JSONResponse(content, status, dict(headers))


def _status(code: int, message: str) -> bytes:
    """``int32 code = 1; string message = 2``; there is no package for these two fields alone."""
    return bytes((0x08, code)) + _field(2, message.encode("utf-8", "replace"))


def retry_wait(wait_s: int) -> bytes:
    """A ``google.rpc.RetryInfo``: ``Duration retry_delay = 1``, of ``int64 seconds = 1``."""
    return _field(1, bytes((0x08, wait_s)))


def retry_status(code: int, message: str, wait_s: int) -> bytes:
    """A ``google.rpc.Status`` with it among ``repeated Any details = 3``; ``wait_s`` under 128."""
    kind = _field(1, b"type.googleapis.com/google.rpc.RetryInfo")
    return _status(code, message) + _field(3, kind + _field(2, retry_wait(wait_s)))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of protobuf."""
    size, written = len(content), bytearray((number << 3 | 2,))
    while size > 0x7F:
        written.append(size & 0x7F | 0x80)
        size >>= 7
    written.append(size)
    return bytes(written) + content
