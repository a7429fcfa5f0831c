"""OpenTelemetry's logs and metrics over HTTP (OTLP 1.x), in protobuf or JSON."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool

from tocsin.api.body import read_body
from tocsin.api.guard import House, NotPermitted, TokenMissing, TokenRefused, sender
from tocsin.api.otlp_reply import JSON, PROTOBUF, media_of, told, told_error
from tocsin.api.problem import Problem
from tocsin.api.sender_route import sender_name, sender_route
from tocsin.app.wiring import Tocsin
from tocsin.ingest.bodies.otlp_body import Otlp, take_logs, take_metrics
from tocsin.ingest.bodies.otlp_protobuf import take_proto_logs, take_proto_metrics
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.records.otlp_value import OtlpFault
from tocsin.model.principal import Principal
from tocsin.store.ports import SpoolFull, StoreError

# google.rpc.Code, which the protocol's errors are told by.
_INVALID, _DENIED, _EXHAUSTED, _UNIMPLEMENTED, _UNAVAILABLE, _UNKNOWN_CALLER = 3, 7, 8, 12, 14, 16


def _answer(request: Request, error: Exception) -> Response | None:
    headers: dict[str, str] = {}
    match error:
        case SpoolFull():
            status, code = 429, _EXHAUSTED
            headers["Retry-After"] = "5"
        case StoreError():
            status, code = 503, _UNAVAILABLE
            headers["Retry-After"] = "5"
        case OtlpFault() | RequestValidationError():
            status, code = 400, _INVALID
        case TokenMissing() | TokenRefused():
            status, code = 401, _UNKNOWN_CALLER
        case NotPermitted():
            status, code = 403, _DENIED
        case Problem():
            status, code = error.status, _UNIMPLEMENTED if error.status == 415 else _INVALID
        case _:
            return None
    return told_error(media_of(request), status, code, str(error), headers)


router = APIRouter(tags=["senders"], route_class=sender_route(_answer))
Taker = Callable[[bytes, Maker], Otlp]
Sender = Annotated[Principal, Depends(sender("bearer", "basic", "apikey"))]


@router.post("/v1/logs", summary="OTLP: send logs")
async def take_otlp_logs(request: Request, house: House, who: Sender) -> Response:
    """Answers when the log records are on disk; partial success names how many were refused."""
    return await _take(
        request, house, who, {JSON: take_logs, PROTOBUF: take_proto_logs}, "rejectedLogRecords"
    )


@router.post("/v1/metrics", summary="OTLP: send metrics")
async def take_otlp_metrics(request: Request, house: House, who: Sender) -> Response:
    """The same for metrics: every data point becomes an event."""
    return await _take(
        request,
        house,
        who,
        {JSON: take_metrics, PROTOBUF: take_proto_metrics},
        "rejectedDataPoints",
    )


async def _take(
    request: Request,
    house: Tocsin,
    who: Principal,
    takers: Mapping[str, Taker],
    rejected: str,
) -> Response:
    media = media_of(request)
    take = takers.get(media)
    if take is None:
        raise Problem(
            415,
            "The encoding is not known",
            f"Content-Type {media[:60]!r} can't be read here; send OTLP as {PROTOBUF} or {JSON}",
        )
    body = await read_body(request, house.settings.http.body_limit_bytes)
    address = request.client.host if request.client else "unknown"
    maker = Maker(f"otlp/{sender_name(who.name)}", f"otlp {address}", datetime.now(UTC))

    def store() -> Otlp:
        found = take(body, maker)
        if found.batches:
            house.spool.append(found.batches)
            house.flow.wake()
        return found

    return told(media, await run_in_threadpool(store), rejected)
