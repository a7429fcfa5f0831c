"""Opens the syslog listeners that the settings ask for."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import structlog

from tocsin.app.config import SyslogListener
from tocsin.app.kernel_drops import KernelDrops
from tocsin.app.wiring import Tocsin
from tocsin.ingest.errors import IngestError
from tocsin.ingest.syslog_server import SyslogServer
from tocsin.ingest.syslog_tls import tls_context

_DROPS_INTERVAL_S = 5.0
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
            drops = KernelDrops(house.state, house.sources, _ledger_of(server))
            stack.callback(_count, server, drops)
            stack.push_async_callback(server.stop)
            counting = asyncio.create_task(_count_regularly(server, drops))
            stack.callback(counting.cancel)
            opened.append(server)
        yield opened


def _ledger_of(server: SyslogServer) -> str:
    """What the kernel drops of a listener has no sender's name: its ledger is the listener's."""
    return f"syslog/udp/{server.name}" if server.name else "syslog/udp"


def _count(server: SyslogServer, drops: KernelDrops) -> None:
    try:
        drops.look(server.udp_dropped, datetime.now(UTC))
    except Exception:
        _log.exception("drops_not_counted", retry_s=_DROPS_INTERVAL_S)


async def _count_regularly(server: SyslogServer, drops: KernelDrops) -> None:
    while True:
        await asyncio.sleep(_DROPS_INTERVAL_S)
        await asyncio.to_thread(_count, server, drops)


def _wanted(house: Tocsin) -> Iterator[SyslogServer]:
    settings = house.settings.syslog
    if not settings.enabled:
        return
    yield SyslogServer(house.take_in, settings.host, settings.udp_port, settings.tcp_port)
    for listener in settings.listeners:
        yield SyslogServer(
            house.take_in,
            listener.host,
            listener.udp_port,
            listener.tcp_port,
            name=listener.name,
            tls=_tls_of(listener),
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
