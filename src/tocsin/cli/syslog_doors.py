"""Opens the syslog listeners that the settings ask for."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import structlog

from tocsin.app.senders.door_losses import DoorLosses, door_name
from tocsin.app.settings.config import SyslogListener
from tocsin.app.wiring import Tocsin
from tocsin.ingest.errors import IngestError
from tocsin.ingest.syslog.syslog_server import SyslogServer
from tocsin.ingest.syslog.syslog_tls import tls_context

_LOSSES_INTERVAL_S = 5.0
_log = structlog.get_logger()


@contextlib.asynccontextmanager
async def open_syslog(house: Tocsin) -> AsyncIterator[list[SyslogServer]]:
    """All listeners, the one without a name first; none when syslog is off.

    Raises IngestError that names the listener, and its port or file, when one can't start; none
    is open then.
    """
    async with contextlib.AsyncExitStack() as stack:
        opened: list[SyslogServer] = []
        for server in _wanted(house):
            await server.start()
            losses = DoorLosses(house.state, house.sources, server.name)
            stack.callback(_count, server, losses)
            stack.push_async_callback(server.stop)
            counting = asyncio.create_task(_count_regularly(server, losses))
            stack.callback(counting.cancel)
            opened.append(server)
        house.upkeep.watch_doors(lambda: [_connections(server) for server in opened])
        yield opened


def _connections(server: SyslogServer) -> tuple[str, float]:
    """The door's name, and what share of the connections it lets in at once are open."""
    door = door_name("tls" if server.is_tls else "tcp", server.name)
    return door, len(server.connections) / server.connections.most


def _count(server: SyslogServer, losses: DoorLosses) -> None:
    try:
        losses.look(server.udp_dropped, server.tls_refused, datetime.now(UTC))
    except Exception:
        _log.exception("losses_not_counted", retry_s=_LOSSES_INTERVAL_S)


async def _count_regularly(server: SyslogServer, losses: DoorLosses) -> None:
    while True:
        await asyncio.sleep(_LOSSES_INTERVAL_S)
        await asyncio.to_thread(_count, server, losses)


def _wanted(house: Tocsin) -> Iterator[SyslogServer]:
    settings = house.settings.syslog
    if not settings.enabled:
        return
    yield SyslogServer(
        *(house.take_in, settings.host, settings.udp_port, settings.tcp_port),
        max_connections=settings.max_connections,
    )
    for listener in settings.listeners:
        yield SyslogServer(
            house.take_in,
            listener.host,
            listener.udp_port,
            listener.tcp_port,
            name=listener.name,
            tls=_tls_of(listener),
            max_connections=listener.max_connections,
        )


def _tls_of(listener: SyslogListener) -> ssl.SSLContext | None:
    if listener.tls_certificate is None or listener.tls_key is None:
        return None
    try:
        return tls_context(listener.tls_certificate, listener.tls_key, listener.tls_client_ca)
    except IngestError as error:
        raise IngestError(
            f"syslog {listener.name!r} can't listen on {listener.host} TCP {listener.tcp_port} "
            f"with TLS: {error}"
        ) from error
