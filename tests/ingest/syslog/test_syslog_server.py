"""The syslog listeners: real sockets on loopback, and nothing accepted is lost."""

import asyncio
import socket
import time
import zlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import orjson
import pytest

from tocsin.ingest.decode import decode
from tocsin.ingest.errors import IngestError
from tocsin.ingest.syslog.syslog_server import SyslogServer
from tocsin.ingest.syslog.syslog_source import SourceNames
from tocsin.model.record import Framing, RawBatch
from tocsin.store.ports import SpoolFull

PATIENCE_S = 30


class Spool:
    """Takes batches like the spool does; can be made slow or full."""

    def __init__(self) -> None:
        self.batches: list[RawBatch] = []
        self.refusals = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def accept(self, batches: Sequence[RawBatch]) -> int:
        await self.gate.wait()
        if self.refusals:
            self.refusals -= 1
            raise SpoolFull("full")
        self.batches += batches
        return len(self.batches)

    @property
    def messages(self) -> list[str]:
        return [
            str(record["message"]) for batch in self.batches for record in decode(batch).records
        ]


def run(story: Callable[[SyslogServer, Spool], Coroutine[Any, Any, None]]) -> Spool:
    async def tell() -> Spool:
        spool = Spool()
        server = SyslogServer(spool.accept, "127.0.0.1", 0, 0)
        await server.start()
        try:
            await asyncio.wait_for(story(server, spool), PATIENCE_S)
        finally:
            spool.gate.set()
            await asyncio.wait_for(server.stop(), PATIENCE_S)
        return spool

    return asyncio.run(tell())


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        await asyncio.sleep(0.005)


def send_udp(server: SyslogServer, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", server.udp_port))


async def send_tcp(server: SyslogServer, content: bytes) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", server.tcp_port)
    writer.write(content)
    await writer.drain()
    return writer


def test_datagrams_of_both_rfcs_are_named_after_their_host() -> None:
    async def story(server: SyslogServer, spool: Spool) -> None:
        send_udp(
            server,
            b"<34>1 2026-03-01T00:00:00Z web01 su 1 - - first",
            b"<34>Mar  1 00:00:00 web02 su[2]: second\n",
            b"no header",
            b"\n",
        )
        await until(lambda: server.accepted == 3)

    spool = run(story)
    assert sorted(spool.messages) == ["first", "no header", "second"]
    assert {batch.source for batch in spool.batches} == {
        "syslog/web01",
        "syslog/web02",
        "syslog/127.0.0.1",
    }
    assert all(batch.place.startswith("udp 127.0.0.1:") for batch in spool.batches)
    assert all(batch.framing is Framing.SYSLOG for batch in spool.batches)


def test_gelf_comes_in_by_the_same_ports() -> None:
    def gelf(host: str, text: str) -> bytes:
        return orjson.dumps({"version": "1.1", "host": host, "short_message": text})

    async def story(server: SyslogServer, spool: Spool) -> None:
        packed = zlib.compress(gelf("docker-1", "chunked and packed"))
        parts = [packed[:30], packed[30:]]
        chunks = [b"\x1e\x0fid-00001%c%c%s" % (n, 2, part) for n, part in enumerate(parts)]
        send_udp(server, *reversed(chunks), gelf("docker-1", "plain"), b"\x1e\x0flost!!!!\0\2x")
        await until(lambda: server.accepted == 2)
        stream = await send_tcp(server, gelf("docker-2", "one") + b"\0" + gelf("docker-2", "two"))
        await until(lambda: server.accepted == 3)
        stream.close()

    spool = run(story)
    whole = [batch for batch in spool.batches if batch.framing is Framing.SYSLOG]
    records = [record for batch in whole for record in decode(batch).records]
    told = sorted(str(record["short_message"]) for record in records)
    assert told == ["chunked and packed", "one", "plain", "two"]
    assert {batch.source for batch in whole} == {"syslog/docker-1", "syslog/docker-2"}
    kept = [batch for batch in spool.batches if batch.framing is Framing.FRAGMENT]
    assert [batch.payload for batch in kept] == [b"\x1e\x0flost!!!!\0\2x"]


def test_both_tcp_framings_at_once() -> None:
    multiline = b"<13>Mar  1 00:00:00 h app: line one\nline C:\\new"

    async def story(server: SyslogServer, spool: Spool) -> None:
        counted = await send_tcp(server, b"%d %s" % (len(multiline), multiline))
        lines = await send_tcp(
            server, b"<13>Mar  1 00:00:00 h app: a\n<13>Mar  1 00:00:00 h app: b\n"
        )
        await until(lambda: server.accepted == 3)
        counted.close()
        lines.close()

    assert sorted(run(story).messages) == ["a", "b", "line one\nline C:\\new"]


def test_a_half_closed_socket_keeps_its_last_unended_line() -> None:
    async def story(server: SyslogServer, spool: Spool) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.tcp_port)
        writer.write(b"<13>one\n<13>two without an end")
        writer.write_eof()
        assert await reader.read() == b""  # the server closes its side, too
        await until(lambda: server.accepted == 2)
        writer.close()

    assert sorted(run(story).messages) == ["one", "two without an end"]


def test_a_reset_connection_keeps_what_came_before() -> None:
    async def story(server: SyslogServer, spool: Spool) -> None:
        sender = socket.create_connection(("127.0.0.1", server.tcp_port))
        sender.sendall(b"<13>one\n")
        await until(lambda: server.accepted == 1)
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        sender.close()  # resets
        send_udp(server, b"<13>still there")
        await until(lambda: server.accepted == 2)

    assert run(story).messages == ["one", "still there"]


def test_stopping_hands_on_what_was_received() -> None:
    async def story(server: SyslogServer, spool: Spool) -> None:
        spool.gate.clear()
        writer = await send_tcp(server, b"<13>kept\n<13>and this")
        send_udp(server, b"<13>datagram")
        await until(lambda: server.udp_received == 1)
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.05, spool.gate.set)
        await until(lambda: server.accepted >= 1)
        writer.close()

    assert sorted(run(story).messages) == ["and this", "datagram", "kept"]


def test_a_full_spool_is_tried_again_and_nothing_is_lost_or_doubled() -> None:
    async def story(server: SyslogServer, spool: Spool) -> None:
        spool.refusals = 3
        writer = await send_tcp(server, b"".join(b"<13>%d\n" % n for n in range(5_000)))
        await until(lambda: server.accepted == 5_000)
        writer.close()

    assert run(story).messages == [str(n) for n in range(5_000)]


def test_a_busy_spool_slows_a_tcp_sender_down() -> None:
    async def story(server: SyslogServer, spool: Spool) -> None:
        spool.gate.clear()
        line = b"<13>" + b"x" * 1000 + b"\n"
        with socket.create_connection(("127.0.0.1", server.tcp_port)) as sender:
            sender.setblocking(False)
            sent = 0
            quiet = 0
            while quiet < 20:  # until neither the server nor the kernel takes any more
                try:
                    sent += sender.send((line * 64)[sent % len(line) :])
                    quiet = 0
                except BlockingIOError:
                    quiet += 1
                    await asyncio.sleep(0.01)
                assert sent < 200 << 20, "the server takes in without end"
        spool.gate.set()
        await until(lambda: sum(len(batch.payload) + 1 for batch in spool.batches) >= sent - 1005)

    assert set(run(story).messages) <= {"x" * n for n in range(1001)}


def test_a_flood_of_datagrams_adds_up() -> None:
    sent = 20_000
    counts: dict[str, int] = {}

    async def story(server: SyslogServer, spool: Spool) -> None:
        def flood() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for n in range(sent):
                    sender.sendto(
                        b"<13>Mar  1 00:00:00 h app: %d" % n, ("127.0.0.1", server.udp_port)
                    )

        await asyncio.to_thread(flood)
        dropped = server.udp_dropped
        if dropped is None:
            pytest.skip("this kernel does not tell dropped datagrams (/proc/net/udp)")
        await until(lambda: server.accepted + (server.udp_dropped or 0) == sent)
        counts.update(accepted=server.accepted, dropped=server.udp_dropped or 0)

    spool = run(story)
    assert counts["accepted"] + counts["dropped"] == sent
    messages = spool.messages
    assert len(messages) == len(set(messages)) == counts["accepted"]
    assert all(batch.payload.count(b"\n") < 5_000 for batch in spool.batches)


def test_what_the_kernel_drops_is_counted() -> None:
    async def story(server: SyslogServer, spool: Spool) -> None:
        if server.udp_dropped is None:
            pytest.skip("this kernel does not tell dropped datagrams (/proc/net/udp)")
        spool.gate.clear()  # the server stops reading once a batch is full
        sent = 0
        deadline = time.monotonic() + PATIENCE_S
        while not server.udp_dropped:
            assert time.monotonic() < deadline, "the kernel never dropped anything"
            send_udp(server, *[b"<13>" + b"x" * 8000] * 200)
            sent += 200
            await asyncio.sleep(0)
        spool.gate.set()
        await until(lambda: server.accepted + (server.udp_dropped or 0) == sent)

    run(story)


def test_a_port_in_use_is_named() -> None:
    async def story(server: SyslogServer, spool: Spool) -> None:
        second = SyslogServer(spool.accept, "127.0.0.1", None, server.tcp_port)
        with pytest.raises(IngestError, match=f"TCP {server.tcp_port}"):
            await second.start()

    run(story)


def test_invented_host_names_are_bounded() -> None:
    names = SourceNames(most=2)
    found = [names.name(b"<13>Mar  1 00:00:00 h%d app: x" % n, "10.0.0.1") for n in (1, 2, 3, 1)]
    assert found == ["syslog/h1", "syslog/h2", "syslog/10.0.0.1", "syslog/h1"]


def test_what_was_sent_before_the_stop_is_still_taken_in() -> None:
    """More than one batch waits in the kernel while the store is busy; then the server is stopped."""
    sent = 5_000
    taken: list[RawBatch] = []

    async def story() -> None:
        busy = asyncio.Event()

        async def accept(batches: Sequence[RawBatch]) -> int:
            await busy.wait()
            taken.extend(batches)
            return len(taken)

        server = SyslogServer(accept, "127.0.0.1", None, 0)
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.tcp_port)
        writer.write(b"".join(b"<13>1 - h app - - - message %d\n" % n for n in range(sent)))
        await writer.drain()
        stopping = asyncio.create_task(server.stop())
        assert await reader.read() == b""  # told before the stop has come to its end
        busy.set()
        await stopping
        writer.close()

    asyncio.run(asyncio.wait_for(story(), 30))
    assert sum(len(decode(batch).records) for batch in taken) == sent


def test_one_connection_too_many_is_refused_and_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def story() -> None:
        spool = Spool()
        server = SyslogServer(spool.accept, "127.0.0.1", None, 0, name="edge", max_connections=2)
        await server.start()
        try:
            address = ("127.0.0.1", server.tcp_port)
            held = [await asyncio.open_connection(*address) for _ in range(2)]
            await until(lambda: len(server.connections) == 2)
            for refused in (1, 2):
                reader, _ = await asyncio.open_connection(*address)
                with pytest.raises(ConnectionResetError):
                    await reader.read(1)
                assert server.connections.refused == refused
            held[0][1].write(b"<34>Mar  1 00:00:00 fw-1 su: still heard\n")
            held[0][1].close()
            await until(lambda: len(server.connections) == 1)
            _, fresh = await asyncio.open_connection(*address)
            fresh.write(b"<34>Mar  1 00:00:00 fw-2 su: let in again\n")
            await until(lambda: server.accepted == 2)
            fresh.close()
            held[1][1].close()
        finally:
            await server.stop()
        assert len(spool.messages) == 2

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))
    log = capsys.readouterr().out
    assert log.count("syslog_connections_full") == 1
    assert "listener=edge" in log


def test_peers_that_are_gone_without_a_word_are_noticed() -> None:
    async def story(server: SyslogServer, spool: Spool) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", server.tcp_port)
        await until(lambda: len(server.connections) == 1)
        (served,) = server.connections.writers
        held = served.get_extra_info("socket")
        assert held.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert held.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
        writer.close()

    run(story)
