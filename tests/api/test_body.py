"""Bodies of requests are read whole, within bounds of size and of patience."""

import asyncio
import contextlib
import gc
import gzip
import tracemalloc
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
import zstandard
from fastapi import Request

from tocsin.api.body import read_body
from tocsin.api.problem import Problem

LIMIT = 10_000


def read(chunks: Sequence[bytes], *, stalls: bool = False, **headers: str) -> bytes:
    waiting = list(chunks)

    async def receive() -> dict[str, Any]:
        if not waiting:
            assert stalls, "asked for more than there is"
            await asyncio.Event().wait()
        chunk = waiting.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": stalls or bool(waiting)}

    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "method": "POST", "headers": told}, receive)
    return asyncio.run(read_body(request, LIMIT, 0.01 if stalls else 30))


def status_of(chunks: Sequence[bytes], **more: Any) -> int:
    with pytest.raises(Problem) as caught:
        read(chunks, **more)
    return caught.value.status


def test_parts_are_put_together() -> None:
    assert read([b"a", b"", b"bc"]) == b"abc"
    assert read([b"abc"], content_encoding="identity") == b"abc"


def test_a_sender_that_hangs_up_is_no_fault_of_ours() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(Problem, match="ended after 0 bytes"):
        asyncio.run(read_body(request, LIMIT))


def test_packed_bodies_are_unpacked() -> None:
    packed = gzip.compress(b"abc")
    assert read([packed[:5], packed[5:]], content_encoding="GZIP") == b"abc"
    assert read([packed + gzip.compress(b"de")], content_encoding="gzip") == b"abcde"
    assert read([zlib.compress(b"abc")], content_encoding="deflate") == b"abc"
    frames = zstandard.compress(b"abc") + zstandard.compress(b"de")
    assert read([frames[:7], frames[7:]], content_encoding="zstd") == b"abcde"


def test_too_much_is_refused_however_it_comes() -> None:
    assert status_of([b"x" * 6_000] * 2) == 413
    assert status_of([], content_length="10001") == 413
    assert status_of([gzip.compress(b"x" * 10_001)], content_encoding="gzip") == 413
    assert status_of([gzip.compress(b"x" * 6_000) * 2], content_encoding="gzip") == 413
    assert status_of([zstandard.compress(b"x" * 10_001)], content_encoding="zstd") == 413
    assert status_of([zstandard.compress(b"x" * 6_000) * 2], content_encoding="zstd") == 413
    assert status_of([zstandard.compress(bytes(1 << 28))], content_encoding="zstd") == 413
    assert len(read([zstandard.compress(b"x" * LIMIT)], content_encoding="zstd")) == LIMIT
    assert len(read([gzip.compress(b"x" * LIMIT)], content_encoding="gzip")) == LIMIT


def test_what_is_refused_is_let_go_at_once() -> None:
    """Whoever sends bombs must not make memory wait for the next look for garbage."""
    limit = 1 << 20
    bomb = gzip.compress(bytes(4 * limit))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bomb, "more_body": False}

    async def refused() -> None:
        scope = {"type": "http", "method": "POST", "headers": [(b"content-encoding", b"gzip")]}
        for _ in range(8):
            with contextlib.suppress(Problem):
                await read_body(Request(scope, receive), limit)

    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        asyncio.run(refused())
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert held < 2 * limit


def test_what_can_not_be_unpacked_is_told() -> None:
    assert status_of([b"plain"], content_encoding="gzip") == 400
    assert status_of([gzip.compress(b"abc")[:-1]], content_encoding="gzip") == 400
    assert status_of([b"plain"], content_encoding="zstd") == 400
    assert status_of([zstandard.compress(b"abc" * 99)[:-1]], content_encoding="zstd") == 400
    assert status_of([b"abc"], content_encoding="br") == 415


def test_a_sender_that_falls_silent_is_not_waited_for() -> None:
    assert status_of([b"beginning"], stalls=True) == 408


def test_a_byte_now_and_then_holds_no_connection() -> None:
    """It never pauses for long, and would be done in hours."""
    left = 1_000

    async def receive() -> dict[str, Any]:
        nonlocal left
        left -= 1
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": left > 0}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(Problem, match="bytes a second") as caught:
        asyncio.run(read_body(request, LIMIT, 0.05))
    assert caught.value.status == 408
