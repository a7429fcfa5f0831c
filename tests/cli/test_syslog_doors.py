"""Any number of syslog listeners, each with its own sources; one that can't start is named."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.certificates import Authority
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.cli.syslog_doors import open_syslog
from tocsin.ingest.errors import IngestError
from tocsin.ingest.syslog.syslog_server import SyslogServer

PATIENCE_S = 30
LINE = b"<34>Mar  1 00:00:00 fw-1 su: hello\n"


@contextmanager
def opened(home: Path, listeners: list[dict[str, Any]]) -> Iterator[Tocsin]:
    house = open_tocsin(
        load_settings(
            home=home,
            detect__shipped_pack=False,
            syslog__udp_port=0,
            syslog__tcp_port=0,
            syslog__listeners=listeners,
        )
    )
    try:
        yield house
    finally:
        house.close()


def run(house: Tocsin, send: Callable[[list[SyslogServer]], None]) -> None:
    async def story() -> None:
        async with open_syslog(house) as servers:
            await asyncio.to_thread(send, servers)
            while any(not server.accepted for server in servers):
                await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))


def test_every_listener_names_its_own_sources(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    edge = {
        **{"name": "edge", "tcp_port": 0, "tls_certificate": pair.certificate},
        **{"tls_key": pair.key, "tls_client_ca": authority.certificate},
    }
    sender = authority.issue("sender")
    tls = ssl.create_default_context(cafile=authority.certificate)
    tls.load_cert_chain(sender.certificate, sender.key)

    def send(servers: list[SyslogServer]) -> None:
        first, firewalls, secure = servers
        for port in (first.udp_port, firewalls.udp_port):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                datagrams.sendto(LINE, ("127.0.0.1", port))
        with (
            socket.create_connection(("127.0.0.1", secure.tcp_port)) as plain,
            tls.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
        ):
            wrapped.sendall(LINE)
        assert (firewalls.tcp_port, secure.udp_port, secure.is_tls) == (0, 0, True)

    with opened(tmp_path / "home", [{"name": "firewalls", "udp_port": 0}, edge]) as house:
        run(house, send)
        house.flow.drain()
        with house.state.read() as tx:
            names = {ledger.name for ledger in house.sources.sources(tx)}
    assert names == {"syslog/fw-1", "syslog/firewalls/fw-1", "syslog/edge/fw-1"}


def test_a_listener_that_can_not_start_is_named_and_none_is_left_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            opened(tmp_path / "home", [{"name": "busy", "tcp_port": port}]) as house,
            pytest.raises(IngestError, match=f"'busy' can't listen on .* TCP {port}"),
        ):
            run(house, lambda servers: None)
    files = {"tls_certificate": "/nowhere/a.pem", "tls_key": "/nowhere/a.key"}
    with (
        opened(tmp_path / "home", [{"name": "edge", "tcp_port": 6514, **files}]) as house,
        pytest.raises(IngestError, match=r"'edge' can't listen on .* TCP 6514 .*/nowhere/a\.pem"),
    ):
        run(house, lambda servers: None)


def test_a_full_listener_is_measured(tmp_path: Path) -> None:
    full = {"name": "edge", "tcp_port": 0, "max_connections": 1}
    with opened(tmp_path, [full]) as house:

        def measure(servers: list[SyslogServer]) -> None:
            with socket.create_connection(("127.0.0.1", servers[1].tcp_port)) as sender:
                sender.sendall(LINE)
                while not servers[1].accepted:
                    time.sleep(0.005)
                with house.state.read() as tx:
                    numbers = house.upkeep.measure(tx, datetime.now(UTC)).numbers
                shares.update(
                    {one.name: one.value for one in numbers if one.metric == "connections_share"}
                )
            with socket.create_connection(("127.0.0.1", servers[0].tcp_port)) as sender:
                sender.sendall(LINE)

        shares: dict[str, float] = {}
        run(house, measure)
    assert shares == {"syslog/tcp": 0.0, "syslog/tcp/edge": 1.0}
