"""OpenTelemetry's logs and metrics over gRPC (OTLP 1.x), answered as over HTTP."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc  # type: ignore[import-untyped]

from tocsin.api.otlp_reply import partial_success, retry_status, retry_wait
from tocsin.api.sender_route import sender_name
from tocsin.app.wiring import Tocsin
from tocsin.ingest.bodies.otlp_body import Otlp
from tocsin.ingest.bodies.otlp_protobuf import take_proto_logs, take_proto_metrics
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.errors import IngestError
from tocsin.ingest.records.otlp_value import OtlpFault
from tocsin.model.principal import Permission, Principal
from tocsin.store.ports import SpoolFull, StoreError

_SERVICES = "opentelemetry.proto.collector"
_ASK_AGAIN_S = 5
_STOP_S = 5.0
_WORKERS = 16
_STREAMS = 16
"""Requests of one connection at a time; more wait at the sender."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM: the server's chain and key; with ``client_ca`` senders must show a certificate, too."""

    chain: bytes
    key: bytes
    client_ca: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Signal:
    take: Callable[[bytes, Maker], Otlp]
    rejected: str


_SIGNALS = {
    "logs.v1.LogsService": _Signal(take_proto_logs, "rejectedLogRecords"),
    "metrics.v1.MetricsService": _Signal(take_proto_metrics, "rejectedDataPoints"),
}


class OtlpGrpc:
    """The ``Export`` methods for logs and metrics on a port of their own; 0 takes any free one.

    gRPC's server with threads: the one on the event loop (grpcio 1.85) ends for good at the first
    method that is no UTF-8, whoever sends it.
    """

    def __init__(
        self, house: Tocsin, host: str, port: int, certificate: Certificate | None = None
    ) -> None:
        self._house = house
        self._host = f"[{host}]" if ":" in host else host
        self._wanted = port
        self._certificate = certificate
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="otlp-grpc")
        self._server: Any = None
        self.port = 0

    @property
    def is_tls(self) -> bool:
        return self._certificate is not None

    async def start(self) -> None:
        """Listen; raises IngestError when the port or the certificate is no good."""
        limit = self._house.settings.http.body_limit_bytes
        server = grpc.server(
            self._workers,
            options=(
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_concurrent_streams", _STREAMS),
            ),
        )
        for name, signal in _SIGNALS.items():
            method = grpc.unary_unary_rpc_method_handler(self._export(signal))
            handler = grpc.method_handlers_generic_handler(
                f"{_SERVICES}.{name}", {"Export": method}
            )
            server.add_generic_rpc_handlers((handler,))
        where = f"{self._host}:{self._wanted}"
        try:
            self.port = self._bind(server, where)
        except RuntimeError as error:
            raise IngestError(
                f"OTLP over gRPC can't listen on {where}; choose another otlp.grpc_port, or stop "
                "what uses it"
            ) from error
        server.start()
        self._server = server

    async def stop(self) -> None:
        """Answer what has come, then end."""
        if self._server is not None:
            await asyncio.to_thread(self._server.stop(_STOP_S).wait)
        self._workers.shutdown(wait=False)

    def _bind(self, server: Any, where: str) -> int:
        told = self._certificate
        if told is None:
            return int(server.add_insecure_port(where))
        credentials = grpc.ssl_server_credentials(
            [(told.key, told.chain)],
            root_certificates=told.client_ca,
            require_client_auth=told.client_ca is not None,
        )
        return int(server.add_secure_port(where, credentials))

    def _export(self, signal: _Signal) -> Callable[[bytes, Any], bytes]:
        def export(body: bytes, context: Any) -> bytes:
            who = self._sender(context)
            now = datetime.now(UTC)
            maker = Maker(f"otlp/{sender_name(who.name)}", f"otlp {_address(context)}", now)
            try:
                found = self._store(signal, body, maker)
            except OtlpFault as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except SpoolFull as error:
                _refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
            except StoreError as error:
                _refuse(context, grpc.StatusCode.UNAVAILABLE, str(error))
            return partial_success(signal.rejected, found)

        return export

    def _store(self, signal: _Signal, body: bytes, maker: Maker) -> Otlp:
        found = signal.take(body, maker)
        if found.batches:
            self._house.keep(found.batches)
        return found

    def _sender(self, context: Any) -> Principal:
        """Who has sent a good token; ends the call for all others."""
        told = next(
            (value for name, value in context.invocation_metadata() if name == "authorization"), ""
        )
        scheme, _, token = str(told).partition(" ")
        access, now = self._house.access, datetime.now(UTC)
        who = None
        if scheme.lower() == "bearer" and token.strip():
            who = access.principal_of_token(token.strip(), now)
        if who is None:
            context.abort(
                grpc.StatusCode.UNAUTHENTICATED,
                "send the metadata 'authorization: Bearer TOKEN' with a token that is valid; make "
                "one with: tocsin admin token create NAME --role ROLE",
            )
        elif not who.may(Permission.EVENTS_INGEST):
            context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                f"{who.name} lacks {Permission.EVENTS_INGEST}; ask an administrator for a role "
                "that has it",
            )
        assert who is not None  # noqa: S101  # abort raises
        return who


def _refuse(context: Any, status: Any, reason: str) -> None:
    """For now: senders give up what is refused without a word on when to send again."""
    code = int(status.value[0])
    context.set_trailing_metadata(
        (
            ("grpc-status-details-bin", retry_status(code, reason, _ASK_AGAIN_S)),
            ("google.rpc.retryinfo-bin", retry_wait(_ASK_AGAIN_S)),
        )
    )
    context.abort(status, reason)


def _address(context: Any) -> str:
    """``ipv4:10.0.0.5:4711`` without what is not the address."""
    _, _, rest = str(context.peer()).partition(":")
    address = rest.rpartition(":")[0]
    return address.strip("[]").replace("%5B", "").replace("%5D", "") or "unknown"
