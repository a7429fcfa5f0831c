"""A server of loopback before another one; when it goes, so have all connections through it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Talk = Callable[
    [asyncio.StreamReader, asyncio.StreamWriter, asyncio.StreamReader, asyncio.StreamWriter],
    Awaitable[None],
]
"""What a connection does: it reads from its client, writes to it, reads from the server behind,
writes to that."""


@asynccontextmanager
async def gate(
    target: tuple[str, int], talk: Talk, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Each connection has one of its own to ``target``; yields the port it listens on.

    A loop that ends around an open connection leaves its socket to the collection of garbage,
    and Python's warning of that to whichever test runs by then: so they end here, all of them.
    """
    writers: set[asyncio.StreamWriter] = set()
    talks: set[asyncio.Task[None]] = set()

    async def connected(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        writers.add(to_client)
        try:
            server, to_server = await asyncio.open_connection(*target)
        except OSError:
            to_client.transport.abort()
            return
        writers.add(to_server)
        try:
            await talk(client, to_client, server, to_server)
        finally:
            to_client.close()
            to_server.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await asyncio.sleep(0)  # whoever was accepted in this turn is a connection by the next
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()  # what is closed waits for TLS, or for what was not sent yet
        await asyncio.sleep(0)  # sockets are closed in the turn after
