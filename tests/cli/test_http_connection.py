"""Whoever connects and says nothing, or asks and never reads, is not waited for."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from structlog.testing import capture_logs

from tocsin.cli.http_connection import PatientConnection, patient_connections

LARGE = b"x" * (64 << 20)
PATIENCE_S = 60


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = LARGE if scope["path"] == "/large" else b"well"
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def serving(kind: type[PatientConnection]) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, http=kind, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    server.config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        yield listener.getsockname()[1]
    finally:
        await server.shutdown(sockets=[listener])


async def told(port: int, sent: bytes) -> bytes:
    """What comes until the other side ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        await shut(writer)


async def shut(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def kind(**patience: Any) -> type[PatientConnection]:
    return type("Quick", (patient_connections(patience.pop("most", 100)),), patience)


WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def run(story: Any) -> list[Any]:
    with capture_logs() as logs:
        asyncio.run(asyncio.wait_for(story, PATIENCE_S))
    return [entry for entry in logs if entry["event"].startswith("http_connection")]


def test_a_head_that_does_not_come_ends_the_connection() -> None:
    async def story() -> None:
        async with serving(kind(head_s=0.05)) as port:
            assert await told(port, b"") == b""
            assert await told(port, b"GET / HTTP/1.1\r\nHost: ") == b""

    (entry,) = run(story())  # the second time is not told again
    assert (entry["address"], entry["times"]) == ("127.0.0.1", 1)
    assert "not begun in full" in entry["reason"]


def test_the_second_head_of_a_connection_is_waited_for_no_longer() -> None:
    async def story() -> None:
        async with serving(kind(head_s=0.5)) as port:
            first = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(first)
            assert b"200" in await reader.readuntil(b"\r\n0\r\n\r\n")
            writer.write(b"GET / HT")
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            await shut(writer)

    assert len(run(story())) == 1


def test_an_answer_that_is_not_read_is_given_up() -> None:
    ended: list[str] = []

    class Watched(kind(unread_s=0.05)):  # type: ignore[misc]
        def _give_up(self, reason: str) -> None:
            ended.append(reason)
            super()._give_up(reason)

    async def story() -> None:
        async with serving(Watched) as port:
            connection = socket.create_connection(("127.0.0.1", port))
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            while not ended:
                await asyncio.sleep(0.005)
            connection.close()

    run(story())
    assert "has not read" in ended[0]


def test_more_connections_than_there_is_room_for_are_turned_away_and_named_once() -> None:
    async def story() -> None:
        async with serving(kind(most=2)) as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            for _ in range(5):
                assert await told(port, b"") == b""
            for _, writer in held:
                await shut(writer)
            assert b"well" in await told(port, WHOLE)

    (entry,) = run(story())
    assert (entry["event"], entry["most"]) == ("http_connections_full", 2)
