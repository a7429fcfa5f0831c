"""The body of a request, whole and unpacked, within bounds."""

import asyncio

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from tocsin.api.problem import Problem
from tocsin.ingest.bodies.content_encoding import (
    CutOff,
    UnknownEncoding,
    UnpackedTooLarge,
    UnpackFault,
    unpacked,
)

_PATIENCE_S = 30.0
_SLOWEST_BYTES_PER_S = 500
"""What keeps coming more slowly is not waited for either: a byte now and then holds a connection."""


async def read_body(request: Request, limit: int, patience_s: float = _PATIENCE_S) -> bytes:
    """The whole body, unpacked; raises Problem for more than ``limit`` bytes, packed or not.

    ``patience_s`` is how long the next part of it may take, and how far it may fall behind
    ``_SLOWEST_BYTES_PER_S``.
    """
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise _too_large(limit)
    packed = bytearray()
    now_s = asyncio.get_running_loop().time
    begun_s = now_s()
    try:
        async with asyncio.timeout(patience_s) as waiting:
            async for chunk in request.stream():
                packed += chunk
                if len(packed) > limit:
                    raise _too_large(limit)
                behind_s = begun_s + len(packed) / _SLOWEST_BYTES_PER_S
                waiting.reschedule(min(now_s(), behind_s) + patience_s)
    except ClientDisconnect:
        raise Problem(  # nobody is there to read it
            400,
            "The body is cut off",
            f"the connection ended after {len(packed)} bytes of it; send it again",
        ) from None
    except TimeoutError:
        raise Problem(
            408,
            "The body did not come",
            f"only {len(packed)} bytes came in {now_s() - begun_s:.0f} s; send it again, without "
            f"pauses of {patience_s:g} s and at {_SLOWEST_BYTES_PER_S} bytes a second at least",
        ) from None
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return bytes(packed)
    match await run_in_threadpool(_attempt, bytes(packed), encoding, limit):
        case bytes() as content:
            return content
        case UnpackedTooLarge():
            raise _too_large(limit)
        case UnknownEncoding() as fault:
            raise Problem(415, "The body's encoding is not known", str(fault))
        case CutOff() as fault:
            raise Problem(400, "The body is cut off", f"{fault}; send it again")
        case fault:
            raise Problem(400, "The body can't be unpacked", str(fault))


def _attempt(packed: bytes, encoding: str, limit: int) -> bytes | UnpackFault:
    """Raised out of a thread, a fault would hold all that was unpacked until garbage is looked for."""
    try:
        return unpacked(packed, encoding, limit)
    except UnpackFault as fault:
        return fault.with_traceback(None)


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        "The body is too large",
        f"send at most {limit} bytes (unpacked) a request, or raise http.body_limit_bytes",
        limit_bytes=limit,
    )
