"""The body of a request, whole and unpacked, within bounds."""

import asyncio
import zlib
from io import BytesIO

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from zstandard import ZstdError

from tocsin.api.problem import Problem
from tocsin.ingest.zstd_stream import HTTP_WINDOW_BYTES, ZstdStream

_GZIP, _ZLIB = 31, 15
_PATIENCE_S = 30.0
_MOST_MEMBERS = 1_000
"""Of a gzip body; each costs a copy of what follows it."""


async def read_body(request: Request, limit: int, patience_s: float = _PATIENCE_S) -> bytes:
    """The whole body, unpacked; raises Problem for more than ``limit`` bytes, packed or not.

    ``patience_s`` is how long the next part of it may take.
    """
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise _too_large(limit)
    packed = bytearray()
    try:
        async with asyncio.timeout(patience_s) as waiting:
            async for chunk in request.stream():
                packed += chunk
                if len(packed) > limit:
                    raise _too_large(limit)
                waiting.reschedule(asyncio.get_running_loop().time() + patience_s)
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
            f"nothing came for {patience_s:g} s after {len(packed)} bytes; send it again",
        ) from None
    encoding = request.headers.get("content-encoding", "").strip().lower()
    match encoding:
        case "" | "identity":
            return bytes(packed)
        case "gzip" | "x-gzip":
            return await run_in_threadpool(_unpacked, bytes(packed), _GZIP, limit)
        case "deflate":
            return await run_in_threadpool(_unpacked, bytes(packed), _ZLIB, limit)
        case "zstd":
            return await run_in_threadpool(_unpacked_zstd, bytes(packed), limit)
    raise Problem(
        415,
        "The body's encoding is not known",
        f"Content-Encoding {encoding[:40]!r} can't be unpacked; send gzip, deflate, zstd or none",
    )


def _unpacked(packed: bytes, bits: int, limit: int) -> bytes:
    """Gzip members one after another, as RFC 1952 allows; never more than ``limit`` bytes."""
    pieces: list[bytes] = []
    left = limit + 1
    for _ in range(_MOST_MEMBERS):
        engine = zlib.decompressobj(wbits=bits)
        try:
            pieces.append(engine.decompress(packed, left))
        except zlib.error as error:
            raise Problem(
                400,
                "The body can't be unpacked",
                f"Content-Encoding says gzip or deflate but unpacking failed: {error}",
            ) from error
        left -= len(pieces[-1])
        if left <= 0 or engine.unconsumed_tail:
            raise _too_large(limit)
        if not engine.eof:
            raise Problem(
                400,
                "The body is cut off",
                "the packed stream ends before its end mark; send it again",
            )
        packed = engine.unused_data
        if not packed or bits != _GZIP:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    raise Problem(
        400,
        "The body can't be unpacked",
        f"it is gzip of more than {_MOST_MEMBERS} members; send it as one",
    )


def _unpacked_zstd(packed: bytes, limit: int) -> bytes:
    stream = ZstdStream(BytesIO(packed), HTTP_WINDOW_BYTES)
    try:
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise _too_large(limit)
        stream.read(1)  # at the end of the content a fault that came after it is told
    except EOFError as error:
        raise Problem(400, "The body is cut off", f"{error}; send it again") from error
    except ZstdError as error:
        raise Problem(
            400,
            "The body can't be unpacked",
            f"Content-Encoding says zstd but unpacking failed: {error}",
        ) from error
    return content


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        "The body is too large",
        f"send at most {limit} bytes (unpacked) a request, or raise http.body_limit_bytes",
        limit_bytes=limit,
    )
