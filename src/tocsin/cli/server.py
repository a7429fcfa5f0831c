"""Runs the wired house behind its doors: HTTP (API and console) and syslog, in one process."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI

from tocsin.api.application import create_api
from tocsin.app.collector import spare_long_lived
from tocsin.app.wiring import Tocsin
from tocsin.cli.data_folder import CLI_TOKEN
from tocsin.cli.http_connection import patient_connections, raise_open_files
from tocsin.cli.otlp_door import open_otlp
from tocsin.cli.syslog_doors import open_syslog
from tocsin.console.application import create_console
from tocsin.ingest.syslog.syslog_server import SyslogServer
from tocsin.model.principal import Role
from tocsin.store.ports import StoreError

_CLI_TOKEN_LIFE_S = 30 * 86400


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the doors are; ports are those actually bound, 0 where there is none.

    ``syslog_udp`` and ``syslog_tcp`` are those of the first of ``syslog``, which has no name.
    """

    url: str
    port: int
    syslog_udp: int
    syslog_tcp: int
    one_time_password: str | None
    syslog: tuple[SyslogServer, ...]
    otlp_grpc: int = 0


def create_application(house: Tocsin) -> FastAPI:
    """The API with the console mounted beside it."""
    app = create_api(house)
    app.mount("/", create_console(house))
    return app


class _Server(uvicorn.Server):
    """Uvicorn that tells when it listens and leaves signals to us.

    Its own way is to raise a caught signal again once it has stopped, which would end the process
    before the house is closed.
    """

    def __init__(self, config: uvicorn.Config, ready: asyncio.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        self._ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals end the server in an orderly way; a second one, at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


async def serve_house(
    house: Tocsin,
    on_ready: Callable[[Listening], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until a signal or ``stop``; ``on_ready`` is told where once everything listens."""
    http = house.settings.http
    ready = asyncio.Event()
    server = _Server(
        uvicorn.Config(
            create_application(house),
            host=http.host,
            port=http.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
            timeout_keep_alive=30,
            http=patient_connections(raise_open_files()),
        ),
        ready,
    )
    async with open_syslog(house) as syslog, open_otlp(house) as otlp:
        serving = asyncio.create_task(server.serve())
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not ready.is_set():
            await _startup_failed(serving, http.host, http.port)
        house.start()
        grpc_port = otlp.port if otlp else 0
        listening = await asyncio.to_thread(_announce, house, server, syslog, grpc_port)
        spare_long_lived()
        on_ready(listening)
        if stop is not None:
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            server.should_exit = True
        await serving


async def _startup_failed(serving: asyncio.Task[None], host: str, port: int) -> None:
    reason = f"can't listen on {host}:{port}; is another server there? choose one with --port"
    try:
        await serving
    except (SystemExit, OSError) as error:
        raise StoreError(reason) from error
    raise StoreError(reason)


def _announce(
    house: Tocsin, server: uvicorn.Server, syslog: list[SyslogServer], otlp_grpc: int
) -> Listening:
    now = datetime.now(UTC)
    port = server.servers[0].sockets[0].getsockname()[1]
    host = house.settings.http.host
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    for old in house.access.tokens():
        if old.name == CLI_TOKEN and old.revoked_at is None:
            house.access.revoke_token(old.id, by="server", now=now)
    token = house.access.create_token(
        CLI_TOKEN,
        [Role.ANALYST, Role.HUNTER, Role.ENGINEER],
        lifetime_s=_CLI_TOKEN_LIFE_S,
        by="server",
        now=now,
    )
    udp, tcp = (syslog[0].udp_port, syslog[0].tcp_port) if syslog else (0, 0)
    more = {one.name: {"udp": one.udp_port, "tcp": one.tcp_port} for one in syslog[1:]}
    facts = {"url": url, "token": token, "syslog_udp": udp, "syslog_tcp": tcp}
    house.home.announce({**facts, "syslog_listeners": more, "otlp_grpc": otlp_grpc})
    return Listening(
        url=url,
        port=port,
        syslog_udp=udp,
        syslog_tcp=tcp,
        one_time_password=house.access.ensure_administrator(now),
        syslog=tuple(syslog),
        otlp_grpc=otlp_grpc,
    )
