"""Answers to OpenTelemetry's exporters, in the encoding in which they asked."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from tocsin.ingest.otlp_body import Otlp

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


def media_of(request: Request) -> str:
    """The encoding of a request's body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def told(media: str, found: Otlp, rejected: str) -> Response:
    """What became of a request; ``rejected`` is the protocol's name for how many were refused."""
    message = f"{found.reason}; what was refused is kept in quarantine" if found.refused else ""
    if media == PROTOBUF:
        return Response(_partial_success(rejected, found.refused, message), media_type=PROTOBUF)
    partial = {rejected: str(found.refused), "errorMessage": message}
    return JSONResponse({"partialSuccess": partial} if found.refused else {})


def _partial_success(rejected: str, refused: int, message: str) -> bytes:
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
    text = message.encode("utf-8", "replace")
    size, written = len(text), bytearray((0x08, code, 0x12))
    while size > 0x7F:
        written.append(size & 0x7F | 0x80)
        size >>= 7
    written.append(size)
    return bytes(written) + text
