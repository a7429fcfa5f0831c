"""Listens for syslog on UDP, TCP and TLS; slows its senders rather than lose what they send."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterable

from tocsin.ingest.errors import IngestError
from tocsin.ingest.syslog.gelf_datagrams import LIFE_S, GelfDatagrams, Opened, may_be_gelf
from tocsin.ingest.syslog.syslog_connections import OpenConnections
from tocsin.ingest.syslog.syslog_framing import StreamFraming
from tocsin.ingest.syslog.syslog_intake import Accept, SyslogIntake
from tocsin.ingest.syslog.syslog_tls import HANDSHAKE_S, TurnedAway
from tocsin.ingest.syslog.udp_drops import kernel_drops

_READ_BYTES = 1 << 16
_ENDS = b"\r\n\0"
_DATAGRAMS_A_TURN = 500
_RECEIVE_BUFFER_BYTES = 8 << 20
_FAREWELL_S = 2.0
"""How long senders are listened to at most once they were told that we stop."""
_QUIET_S = 0.25
"""Nothing more is on its way when nothing came for so long."""


class SyslogServer:
    """Syslog over UDP (RFC 5426) and TCP (RFC 6587; with ``tls`` RFC 5425), both on ``host``.

    GELF comes in by the same ports: its chunks are put together and unpacked.
    Messages reach ``accept`` in raw batches whose source is ``syslog/<host in the header>`` or,
    without one, ``syslog/<address of the sender>``; with a ``name`` that stands before the host.
    While ``accept`` is busy or raises a
    StoreError (then it is tried again) TCP senders are not read from; datagrams wait in the
    kernel, which counts what it has to drop (``udp_dropped``). Port 0 takes any free port; None
    leaves that listener out.
    """

    def __init__(
        self,
        accept: Accept,
        host: str = "127.0.0.1",
        udp_port: int | None = 5514,
        tcp_port: int | None = 5514,
        *,
        tenant: str = "default",
        name: str = "",
        tls: ssl.SSLContext | None = None,
        max_connections: int = 1000,
    ) -> None:
        self._host = host
        self._wanted_udp = udp_port
        self._wanted_tcp = tcp_port
        self.name = name
        self._tls = tls
        self._turned_away = TurnedAway(name)
        self._intake = SyslogIntake(accept, tenant, name)
        self._udp: socket.socket | None = None
        self._tcp: asyncio.Server | None = None
        self.connections = OpenConnections(name, max_connections)
        self._gelf = GelfDatagrams()
        self._gelf_timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._paused = False
        self._drops_at_stop = 0
        self.udp_received = 0

    @property
    def udp_port(self) -> int:
        """The UDP port actually bound, 0 when there is none."""
        return int(self._udp.getsockname()[1]) if self._udp else 0

    @property
    def tcp_port(self) -> int:
        """The TCP port actually bound, 0 when there is none."""
        return int(self._tcp.sockets[0].getsockname()[1]) if self._tcp else 0

    @property
    def udp_dropped(self) -> int | None:
        """Datagrams the kernel dropped because we were too slow; None where it does not tell."""
        return kernel_drops(self._udp) if self._udp else self._drops_at_stop

    @property
    def is_tls(self) -> bool:
        return self._tls is not None

    @property
    def tls_refused(self) -> int:
        """Connections on which no TLS came about; the log says why."""
        return self._turned_away.count

    @property
    def accepted(self) -> int:
        """Messages that ``accept`` has taken."""
        return self._intake.accepted

    async def start(self) -> None:
        """Bind and listen; raises IngestError when a port can't be had."""
        self._intake.start()
        self._intake.on_room(self._resume)
        try:
            if self._wanted_udp is not None:
                self._udp = _udp_socket(self._host, self._wanted_udp)
                asyncio.get_running_loop().add_reader(self._udp, self._read_datagrams)
            if self._wanted_tcp is not None:
                self._tcp = await asyncio.start_server(
                    self._connected, self._host, self._wanted_tcp, limit=_READ_BYTES
                )
        except OSError as error:
            await self.stop()
            named = f" {self.name!r}" if self.name else ""
            raise IngestError(
                f"syslog{named} can't listen on {self._host} (UDP {self._wanted_udp}, TCP "
                f"{self._wanted_tcp}): {error.strerror}; choose other ports or stop what uses them"
            ) from error

    async def stop(self) -> None:
        """Stop listening; what was received is handed on first."""
        loop = asyncio.get_running_loop()
        if self._tcp is not None:
            self._tcp.close()
        if self._udp is not None:
            if not self._paused:
                self._read_datagrams()
            loop.remove_reader(self._udp)
            self._drops_at_stop = kernel_drops(self._udp) or 0
            self._udp.close()
            self._udp = None
            if self._gelf_timer is not None:
                self._gelf_timer.cancel()
            self._add_opened(self._gelf.close())
        await self._say_farewell()
        serving = self.connections.tasks
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await self._intake.close()
        if self._tcp is not None:
            await self._tcp.wait_closed()
            self._tcp = None

    async def _say_farewell(self) -> None:
        """Half-close, so that senders go elsewhere or wait, and read what they have sent already.

        Syslog has no acknowledgement: what is left unread when a connection ends is lost.
        """
        clock = asyncio.get_running_loop().time
        self._heard_at = clock()
        ends_at = self._heard_at + _FAREWELL_S
        for writer in self.connections.writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        while self.connections and clock() < ends_at:
            if self._intake.has_room and clock() - self._heard_at > _QUIET_S:
                return
            await asyncio.wait(self.connections.tasks, timeout=_QUIET_S / 5)

    def _read_datagrams(self) -> None:
        for _ in range(_DATAGRAMS_A_TURN):
            if self._udp is None or not self._intake.has_room:
                self._pause()
                return
            try:
                datagram, address = self._udp.recvfrom(_READ_BYTES)
            except (BlockingIOError, ConnectionError):
                return
            self.udp_received += 1
            if may_be_gelf(datagram):
                self._add_opened(self._gelf.take(datagram, address[:2]))
                self._await_chunks()
            else:
                self._add_opened([(datagram, True, address[:2])])

    def _add_opened(self, opened: Iterable[Opened]) -> None:
        for message, whole, (address, port) in opened:
            stripped = message.strip(_ENDS) if whole else message
            if stripped:
                self._intake.add([(stripped, whole)], address, f"udp {address}:{port}")

    def _give_chunks_up(self) -> None:
        self._gelf_timer = None
        self._add_opened(self._gelf.expired())
        self._await_chunks()

    def _await_chunks(self) -> None:
        if self._gelf and self._gelf_timer is None:
            later = asyncio.get_running_loop().call_later
            self._gelf_timer = later(LIFE_S, self._give_chunks_up)

    def _pause(self) -> None:
        if self._udp is not None and not self._paused:
            asyncio.get_running_loop().remove_reader(self._udp)
            self._paused = True

    def _resume(self) -> None:
        if self._udp is not None and self._paused:
            asyncio.get_running_loop().add_reader(self._udp, self._read_datagrams)
            self._paused = False

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.connections.has_room(writer):
            return
        if self._tls is not None:  # what comes before TLS is set up must wait in the kernel for it
            transport = writer.transport
            assert isinstance(transport, asyncio.Transport)  # noqa: S101  # sockets' are
            transport.pause_reading()
        task = asyncio.create_task(self._serve(reader, writer), name="syslog connection")
        self.connections.add(task, writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("peername") or ("unknown", 0)
        peer, port = str(address[0]), address[1]
        try:
            if self._tls is not None:
                try:
                    await writer.start_tls(self._tls, ssl_handshake_timeout=HANDSHAKE_S)
                except (OSError, EOFError) as error:  # ssl.SSLError and TimeoutError are OSErrors
                    self._turned_away.add(peer, error)
                    return
            await self._take_messages(
                reader, peer, f"{'tls' if self._tls else 'tcp'} {peer}:{port}"
            )
        finally:
            writer.close()

    async def _take_messages(self, reader: asyncio.StreamReader, peer: str, place: str) -> None:
        framing = StreamFraming()
        try:
            while data := await reader.read(_READ_BYTES):
                self._heard_at = asyncio.get_running_loop().time()
                self._intake.add(framing.feed(data), peer, place)
                await self._intake.room()
        except (OSError, asyncio.CancelledError):
            pass  # what came before the connection broke counts
        finally:
            self._intake.add(framing.finish(), peer, place)


def _udp_socket(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        listener.setblocking(False)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener
