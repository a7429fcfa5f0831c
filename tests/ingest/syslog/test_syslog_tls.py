"""Syslog over TLS (RFC 5425): who has the right certificate is heard, others are told apart."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.ingest.certificates import Authority, Pair
from tocsin.ingest.decode import decode
from tocsin.ingest.errors import IngestError
from tocsin.ingest.syslog.syslog_server import SyslogServer
from tocsin.ingest.syslog.syslog_tls import TurnedAway, tls_context
from tocsin.model.record import RawBatch

PATIENCE_S = 30
MESSAGE = b"<34>1 2026-03-01T00:00:00Z web01 su 1 - - over TLS"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server_pair(authority: Authority) -> Pair:
    return authority.issue("server")


def sender(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.certificate)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


async def send(port: int, tls: ssl.SSLContext | None, content: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(content)
    await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()
    await reader.read()
    writer.close()


def hear(
    tls: ssl.SSLContext, senders: Sequence[tuple[ssl.SSLContext | None, bytes]], *, refused: int
) -> list[RawBatch]:
    """What a listener takes in from senders one after another, ``refused`` of them turned away."""
    taken: list[RawBatch] = []

    async def accept(batches: Sequence[RawBatch]) -> int:
        taken.extend(batches)
        return len(taken)

    async def story() -> None:
        server = SyslogServer(accept, "127.0.0.1", None, 0, name="edge", tls=tls)
        await server.start()
        try:
            for context, content in senders:
                try:
                    await send(server.tcp_port, context, content)
                except (OSError, ssl.SSLError):
                    assert refused
            while server.tls_refused < refused or server.accepted < len(senders) - refused:
                await asyncio.sleep(0.005)
        finally:
            await server.stop()
        assert server.tls_refused == refused

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
    return taken


async def nothing(batches: Sequence[RawBatch]) -> int:
    raise AssertionError(f"nothing was to come: {batches}")


def counted(message: bytes) -> bytes:
    return b"%d %s" % (len(message), message)


def test_both_framings_are_heard_under_the_listeners_name(
    authority: Authority, server_pair: Pair
) -> None:
    tls = tls_context(server_pair.certificate, server_pair.key)
    good = sender(authority)
    taken = hear(tls, [(good, counted(MESSAGE)), (good, MESSAGE + b"\n")], refused=0)
    records = [record for batch in taken for record in decode(batch).records]
    assert [record["message"] for record in records] == ["over TLS"] * 2
    assert {batch.source for batch in taken} == {"syslog/edge/web01"}
    assert all(batch.place.startswith("tls 127.0.0.1:") for batch in taken)


def test_only_senders_with_a_good_certificate_are_heard(
    authority: Authority, server_pair: Pair, tmp_path: Path
) -> None:
    tls = tls_context(server_pair.certificate, server_pair.key, authority.certificate)
    stranger = Authority(tmp_path, "stranger").issue("intruder")
    senders = [
        (sender(authority, authority.issue("web01")), counted(MESSAGE)),
        (sender(authority), counted(MESSAGE)),
        (sender(authority, authority.issue("old", days=-1)), counted(MESSAGE)),
        (sender(authority, stranger), counted(MESSAGE)),
        (None, counted(MESSAGE)),
    ]
    with capture_logs() as logs:
        taken = hear(tls, senders, refused=4)
    assert sum(len(decode(batch).records) for batch in taken) == 1
    told = [entry for entry in logs if entry["event"] == "syslog_tls_refused"]
    assert {entry["listener"] for entry in told} == {"edge"}
    reasons = [entry["reason"] for entry in told]
    assert reasons[0] == "peer did not return a certificate"
    assert reasons[1] == "certificate has expired"
    assert "issuer" in reasons[2]
    assert reasons[3] == "wrong version number"
    assert "no TLS; set the sender to TLS" in told[3]["advice"]


def test_a_sender_that_does_not_trust_us_is_told_of(
    server_pair: Pair, authority: Authority, tmp_path: Path
) -> None:
    doubting = ssl.create_default_context(cafile=Authority(tmp_path, "other").certificate)

    def connect(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as plain:
            doubting.wrap_socket(plain, server_hostname="127.0.0.1")

    async def story() -> None:
        tls = tls_context(server_pair.certificate, server_pair.key)
        server = SyslogServer(nothing, "127.0.0.1", None, 0, name="edge", tls=tls)
        await server.start()
        with pytest.raises(ssl.SSLCertVerificationError):  # OpenSSL tells the server, asyncio not
            await asyncio.to_thread(connect, server.tcp_port)
        while not server.tls_refused:
            await asyncio.sleep(0.005)
        await server.stop()

    with capture_logs() as logs:
        asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
    (told,) = [entry for entry in logs if entry["event"] == "syslog_tls_refused"]
    assert "unknown ca" in told["reason"]
    assert "give it the CA's" in told["advice"]


def test_the_log_is_not_flooded() -> None:
    refused = TurnedAway("edge")
    with capture_logs() as logs:
        for _ in range(250):
            refused.add("192.0.2.1", ConnectionResetError())
    assert [entry["times"] for entry in logs] == [1, 10, 100]
    assert refused.count == 250


def test_files_that_are_no_good_are_named(authority: Authority, tmp_path: Path) -> None:
    good, other, old = (authority.issue("a"), authority.issue("b"), authority.issue("c", days=-1))
    text = tmp_path / "text.pem"
    text.write_text("hello")
    for certificate, key, client_ca, says in (
        (tmp_path / "none.pem", good.key, None, "none.pem: certificate can't be read"),
        (good.certificate, tmp_path / "none.key", None, "none.key: key can't be read"),
        (text, good.key, None, "text.pem: no certificate in PEM"),
        (good.certificate, other.key, None, "b.key: not the unencrypted PEM key"),
        (old.certificate, old.key, None, "c.pem: the certificate expired on"),
        (good.certificate, good.key, text, "text.pem: no certificates in PEM"),
    ):
        with pytest.raises(IngestError, match=says):
            tls_context(certificate, key, client_ca)
