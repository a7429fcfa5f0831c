"""OpenTelemetry over gRPC: broken messages to a door that listens, and broken bytes on its wire."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from tests.fuzz import samples
from tests.fuzz.decoders import LIMIT, Decoder, account
from tocsin.api.otlp_grpc import OtlpGrpc
from tocsin.model.principal import Permission, Principal
from tocsin.model.record import RawBatch

_LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
_AUTHORIZATION = (("authorization", "Bearer fuzz"),)
_PATIENCE_S = 60.0
_LOOKED_AT_EVERY = 100
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _HEADERS, _DATA = 4, 1, 0
_END_STREAM, _END_HEADERS = 1, 4
_SEND_RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class _Access:
    """Knows one token's owner."""

    who: Principal

    def principal_of_token(self, token: str, now: datetime) -> Principal | None:
        return self.who if token == "fuzz" else None


@dataclass(slots=True)
class _House:
    """As much of a house as the door asks for; keeps what was to become durable."""

    settings: Any = field(
        default_factory=lambda: SimpleNamespace(http=SimpleNamespace(body_limit_bytes=LIMIT))
    )
    access: _Access = field(
        default_factory=lambda: _Access(
            Principal("token:fuzz", (), frozenset({Permission.EVENTS_INGEST}), "token")
        )
    )
    kept: list[RawBatch] = field(default_factory=list)

    def keep(self, batches: Sequence[RawBatch]) -> int:
        self.kept += batches
        return len(self.kept)


class GrpcLane:
    """A door on a free port in a thread of its own, and a client of it."""

    def __init__(self) -> None:
        self.house = _House()
        self.port = 0
        self._end: Callable[[], object] = lambda: None
        listening = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="otlp-grpc", daemon=True
        )
        self._thread.start()
        assert listening.wait(_PATIENCE_S)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")
        self._connected = 0

    async def _serve(self, listening: threading.Event) -> None:
        door = OtlpGrpc(self.house, "127.0.0.1", 0)  # type: ignore[arg-type]
        await door.start()
        self.port = door.port
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._end = lambda: loop.call_soon_threadsafe(ended.set)
        listening.set()
        await ended.wait()
        await door.stop()

    def close(self) -> None:
        self._channel.close()
        self._end()
        self._thread.join(_PATIENCE_S)

    def check_message(self, path: str, rejected_of: Callable[[bytes], int], case: bytes) -> None:
        """Taken in or refused with a reason, and what is answered is what was kept."""
        self.house.kept.clear()
        export = self._channel.unary_unary(path)
        call = export.future(case, metadata=_AUTHORIZATION, timeout=_PATIENCE_S)
        if call.code() is grpc.StatusCode.INVALID_ARGUMENT:
            assert call.details()
            assert not self.house.kept
            return
        answer = call.result()
        _, unreadable = account(self.house.kept)
        assert rejected_of(answer) == unreadable

    def check_wire(self, case: bytes) -> None:
        """Whatever comes on a connection, the next one is served."""
        with socket.create_connection(("127.0.0.1", self.port), _PATIENCE_S) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _SEND_RESET)  # frees the port
            sender.sendall(case)
        self._connected += 1
        if self._connected % _LOOKED_AT_EVERY == 1:
            answer = self._channel.unary_unary(_LOGS)(
                b"", metadata=_AUTHORIZATION, timeout=_PATIENCE_S
            )
            assert answer == b""
            self.house.kept.clear()


@cache
def _lane() -> GrpcLane:
    return GrpcLane()


def close_lane() -> None:
    """If one was opened. At exit it is too late: a loop has no threads any more."""
    if _lane.cache_info().currsize:
        _lane().close()
        _lane.cache_clear()


def grpc_decoders() -> list[Decoder]:
    logs = samples.in_protobuf(ExportLogsServiceRequest, samples.otlp_logs())
    metrics = samples.in_protobuf(ExportMetricsServiceRequest, samples.otlp_metrics())
    return [
        Decoder(
            "grpc_logs", [logs], lambda case: _lane().check_message(_LOGS, _rejected_logs, case)
        ),
        Decoder(
            "grpc_metrics",
            [metrics],
            lambda case: _lane().check_message(_METRICS, _rejected_points, case),
        ),
        Decoder(
            "grpc_wire",
            [request_bytes(_LOGS, logs), request_bytes(_METRICS, metrics)],
            lambda case: _lane().check_wire(case),
        ),
    ]


def _rejected_logs(answer: bytes) -> int:
    told = ExportLogsServiceResponse.FromString(answer).partial_success
    return int(told.rejected_log_records)


def _rejected_points(answer: bytes) -> int:
    told = ExportMetricsServiceResponse.FromString(answer).partial_success
    return int(told.rejected_data_points)


def request_bytes(path: str, message: bytes) -> bytes:
    """A whole connection: preface, settings, headers (HPACK's plain literals) and the message."""
    headers = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode("utf-8", "surrogateescape")),
        (b":authority", b"fuzz"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        (b"authorization", b"Bearer fuzz"),
    )
    packed = b"".join(
        b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in headers
    )
    framed = b"\0" + struct.pack(">I", len(message)) + message
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, packed)
        + _frame(_DATA, _END_STREAM, 1, framed)
    )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes([kind, flags])
        + struct.pack(">I", stream)
        + payload
    )
