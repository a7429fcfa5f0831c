"""Splunk's HTTP Event Collector, for senders that know nothing else."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from tocsin.api.body import read_body
from tocsin.api.guard import House, NotPermitted, TokenMissing, TokenRefused, sender
from tocsin.api.problem import Problem
from tocsin.api.sender_route import sender_name, sender_route
from tocsin.app.wiring import Tocsin
from tocsin.ingest.bodies.hec_body import HecIntake, take_events, take_raw
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.request_bounds import RequestTooLarge
from tocsin.model.principal import Principal
from tocsin.store.ports import StoreError

# Splunk's documented codes: the HTTP status and the text of each.
_CODES = {
    0: (200, "Success"),
    1: (403, "Token disabled"),
    2: (401, "Token is required"),
    3: (401, "Invalid authorization"),
    4: (403, "Invalid token"),
    5: (400, "No data"),
    6: (400, "Invalid data format"),
    9: (503, "Server is busy"),
    10: (400, "Data channel is missing"),
    11: (400, "Invalid data channel"),
    12: (400, "Event field is required"),
    13: (400, "Event field cannot be blank"),
    15: (400, "Error in handling indexed fields"),
    16: (400, "Query string authorization is not enabled"),
    17: (200, "HEC is healthy"),
    18: (503, "HEC is unhealthy, queues are full"),
    27: (413, "Request entity too large"),
}
_MOST_ACKS = 10_000


class _Refusal(Problem):
    """One of the codes, with what Splunk's texts do not say."""

    def __init__(self, code: int, detail: str, **more: object) -> None:
        super().__init__(_CODES[code][0], _CODES[code][1], detail, **more)
        self.code = code


def _answer(request: Request, error: Exception) -> Response | None:
    if isinstance(error, StoreError):
        return _reply(9, {"detail": str(error)}, {"Retry-After": "5"})
    code = _code_of(request, error)
    if code is None:
        return None
    more = error.more if isinstance(error, _Refusal) else {}
    return _reply(code, {"detail": str(error), **more})


def _code_of(request: Request, error: Exception) -> int | None:
    match error:
        case _Refusal():
            return error.code
        case TokenMissing():
            if request.headers.get("authorization"):
                return 3
            return 16 if "token" in request.query_params else 2
        case TokenRefused():
            return 4
        case NotPermitted():
            return 1
        case RequestTooLarge():
            return 27
        case Problem():
            return 27 if error.status == 413 else 6
        case RequestValidationError():
            return 6
    return None


def _reply(
    code: int, more: dict[str, object] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    status, text = _CODES[code]
    return JSONResponse(
        {"text": text, "code": code, **(more or {})}, status_code=status, headers=headers
    )


router = APIRouter(tags=["senders"], route_class=sender_route(_answer))
Sender = Annotated[Principal, Depends(sender("splunk", "basic", "bearer"))]
_PREFIX = "/services/collector"


async def channel_of(
    request: Request, channel: Annotated[str, Query(max_length=100)] = ""
) -> str | None:
    """The channel of a request, None when it has none; raises code 11 when it is no GUID."""
    told = request.headers.get("x-splunk-request-channel", "") or channel
    if not told:
        return None
    try:
        return str(uuid.UUID(told))
    except ValueError:
        raise _Refusal(11, "a channel is a GUID, as uuidgen makes them") from None


Channel = Annotated[str | None, Depends(channel_of)]


@router.post(_PREFIX, summary="HEC: send events")
@router.post(f"{_PREFIX}/event", summary="HEC: send events")
@router.post(f"{_PREFIX}/event/1.0", summary="HEC: send events")
async def take_hec_events(
    request: Request, house: House, who: Sender, channel: Channel
) -> JSONResponse:
    """JSON objects one after another, each with ``event`` and, if known, ``time`` and more.

    Answers when the events are on disk. When one is not sound the answer names it, and the
    others are taken in all the same: it alone goes to quarantine.
    """
    body = await read_body(request, house.settings.http.body_limit_bytes)
    return await run_in_threadpool(_take, house, request, who, channel, body, take_events)


@router.options(f"{_PREFIX}/event", summary="HEC: is it there")
@router.options(f"{_PREFIX}/event/1.0", summary="HEC: is it there")
def tell_methods() -> Response:
    """Docker's log driver starts no container before it has been answered this, without a token."""
    return Response(headers={"Allow": "OPTIONS, POST"})


@router.post(f"{_PREFIX}/raw", summary="HEC: send lines of text")
@router.post(f"{_PREFIX}/raw/1.0", summary="HEC: send lines of text")
async def take_hec_lines(
    request: Request, house: House, who: Sender, channel: Channel
) -> JSONResponse:
    """One event a line; ``host``, ``source``, ``sourcetype`` and ``index`` come in the query."""
    about = {
        name: request.query_params[name][:1000]
        for name in ("time", "host", "source", "sourcetype", "index")
        if request.query_params.get(name)
    }
    body = await read_body(request, house.settings.http.body_limit_bytes)

    def take(body: bytes, maker: Maker) -> HecIntake:
        return take_raw(body, about, maker)

    return await run_in_threadpool(_take, house, request, who, channel, body, take)


def _take(
    house: Tocsin,
    request: Request,
    who: Principal,
    channel: str | None,
    body: bytes,
    take: Callable[[bytes, Maker], HecIntake],
) -> JSONResponse:
    address = request.client.host if request.client else "unknown"
    maker = Maker(f"hec/{sender_name(who.name)}", f"hec {address}", datetime.now(UTC))
    found = take(body, maker)
    if not found.batches:
        raise _Refusal(5, "the body is empty")
    position = house.spool.append(found.batches)
    house.flow.wake()
    if found.fault is not None:
        raise _Refusal(
            found.fault.code,
            f"{found.fault}; it is kept in quarantine, and {found.events} others were taken in",
            **{"invalid-event-number": found.fault_at},
        )
    return _reply(0, {} if channel is None else {"ackId": position})


@router.post(f"{_PREFIX}/ack", summary="HEC: ask what has been taken in")
async def tell_acks(request: Request, house: House, who: Sender, channel: Channel) -> JSONResponse:
    """Acknowledgement ids are positions in the spool: true is what is safe on disk."""
    if channel is None:
        raise _Refusal(10, "send X-Splunk-Request-Channel, or ?channel=")
    body = await read_body(request, house.settings.http.body_limit_bytes)
    acks = _asked(body)
    durable = await run_in_threadpool(_durable, house)
    return JSONResponse({"acks": {str(ack): ack <= durable for ack in acks}})


def _asked(body: bytes) -> list[int]:
    try:
        told: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _Refusal(6, f"no JSON: {error}") from error
    acks = told.get("acks") if isinstance(told, dict) else None
    if not isinstance(acks, list) or not all(type(ack) is int and ack >= 0 for ack in acks):
        raise _Refusal(6, 'send {"acks": [1, 2]}')
    if len(acks) > _MOST_ACKS:
        raise _Refusal(6, f"ask for at most {_MOST_ACKS} at a time")
    return acks


def _durable(house: Tocsin) -> int:
    return house.spool.committed() + house.spool.backlog_bytes()


@router.get(f"{_PREFIX}/health", summary="HEC: can it take events")
@router.get(f"{_PREFIX}/health/1.0", summary="HEC: can it take events")
def tell_hec_health(house: House) -> JSONResponse:
    """Needs no token, as in Splunk; 503 while the spool is full."""
    full = house.spool.backlog_bytes() >= house.settings.spool.limit_bytes
    return _reply(18 if full else 17)
