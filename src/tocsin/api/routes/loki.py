"""Grafana Loki's push, for Alloy, Promtail, Docker's driver and others that know nothing else."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from starlette.concurrency import run_in_threadpool

from tocsin.api.body import read_body
from tocsin.api.guard import House, NotPermitted, TokenMissing, TokenRefused, sender
from tocsin.api.problem import Problem
from tocsin.api.sender_route import sender_name, sender_route
from tocsin.ingest.bodies.content_encoding import UnpackedTooLarge, UnpackFault, unpacked
from tocsin.ingest.bodies.loki_body import LokiFault, push_in_json, take_push
from tocsin.ingest.bodies.loki_proto import push_in_protobuf
from tocsin.ingest.cutting.cutting import Maker
from tocsin.model.principal import Principal
from tocsin.store.ports import SpoolFull, StoreError

_PROTOBUF = "application/x-protobuf"


def _answer(request: Request, error: Exception) -> Response | None:
    """Loki's errors are lines of text; its agents send again what was refused with 429 or 5xx."""
    match error:
        case SpoolFull():
            status = 429
        case StoreError():
            status = 503
        case UnpackedTooLarge():
            status = 413
        case LokiFault() | UnpackFault() | RequestValidationError():
            status = 400
        case TokenMissing() | TokenRefused():
            status = 401
        case NotPermitted():
            status = 403
        case Problem():
            status = error.status
        case _:
            return None
    headers = {"Retry-After": "5"} if isinstance(error, StoreError) else None
    return PlainTextResponse(f"{error}\n", status, headers)


router = APIRouter(tags=["senders"], route_class=sender_route(_answer))
Sender = Annotated[Principal, Depends(sender("bearer", "basic"))]


@router.post("/loki/api/v1/push", summary="Loki: push lines", status_code=204)
async def take_push_request(request: Request, house: House, who: Sender) -> Response:
    """Streams of lines with labels, in JSON or in protobuf and snappy; answers when they are on disk."""
    limit = house.settings.http.body_limit_bytes
    body = await read_body(request, limit)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_packed = media == _PROTOBUF and not request.headers.get("content-encoding")
    address = request.client.host if request.client else "unknown"
    maker = Maker(f"loki/{sender_name(who.name)}", f"loki {address}", datetime.now(UTC))

    def store() -> None:
        plain = unpacked(body, "snappy", limit) if is_packed else body
        told = push_in_protobuf(plain) if media == _PROTOBUF else push_in_json(plain)
        batches = take_push(told, maker)
        if batches:
            house.spool.append(batches)
            house.flow.wake()

    await run_in_threadpool(store)
    return Response(status_code=204)


@router.get("/ready", summary="Loki: is it there")
def tell_ready() -> PlainTextResponse:
    """What agents ask before they begin; needs no token."""
    return PlainTextResponse("ready\n")
