"""Delivers an exercise's sendings to a server the way real senders do: sockets, HTTP and files."""

import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from tocsin.app.rehearsals.rehearsal_errors import DeliveryError
from tocsin.exercise.sending import Channel, Sending
from tocsin.ingest.cutting.files import read_paths
from tocsin.model.record import RawBatch, Unreadable

_WINDOW = 200
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a server listens. ``token`` may send events; ``udp_received`` counts its datagrams."""

    url: str
    token: str
    syslog_host: str
    udp_port: int
    tcp_port: int
    udp_received: Callable[[], int]


class Delivery:
    """Sends to one server; a context manager that closes its sockets.

    UDP has no back-pressure, so datagrams go out in windows, each waited for: an exercise that
    loses its own records would test nothing.
    """

    def __init__(self, doors: Doors) -> None:
        """Nothing is sent yet."""
        self._doors = doors
        self._http = httpx2.Client(
            base_url=doors.url,
            headers={"Authorization": f"Bearer {doors.token}"},
            timeout=60.0,
            trust_env=False,
        )
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tcp: socket.socket | None = None
        self._udp_sent = 0
        self._udp_before = doors.udp_received()

    def __enter__(self) -> "Delivery":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._udp.close()
        if self._tcp is not None:
            self._tcp.close()

    def send(self, sending: Sending) -> None:
        """Deliver one sending by its own door; raises DeliveryError."""
        match sending.channel:
            case Channel.SYSLOG_UDP:
                self._send_udp(sending)
            case Channel.SYSLOG_TCP:
                self._send_tcp(sending)
            case Channel.HTTP:
                self._post(sending.source, sending.payload)
            case Channel.FILE:
                self._send_file(sending)

    def _send_udp(self, sending: Sending) -> None:
        address = (self._doors.syslog_host, self._doors.udp_port)
        messages = sending.messages
        for start in range(0, len(messages), _WINDOW):
            for message in messages[start : start + _WINDOW]:
                self._udp.sendto(message, address)
                self._udp_sent += 1
            self._await_datagrams()

    def _await_datagrams(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while self._doors.udp_received() - self._udp_before < self._udp_sent:
            if time.monotonic() > deadline:
                missing = self._udp_sent - (self._doors.udp_received() - self._udp_before)
                raise DeliveryError(
                    f"syslog UDP port {self._doors.udp_port}: {missing} datagrams did not arrive "
                    f"within {_PATIENCE_S:.0f} s"
                )
            time.sleep(0.001)

    def _send_tcp(self, sending: Sending) -> None:
        if self._tcp is None:
            self._tcp = socket.create_connection(
                (self._doors.syslog_host, self._doors.tcp_port), timeout=_PATIENCE_S
            )
        frames = (b"%d %s" % (len(message), message) for message in sending.messages)
        self._tcp.sendall(b"".join(frames))

    def _send_file(self, sending: Sending) -> None:
        with tempfile.TemporaryDirectory(prefix="tocsin-sending-") as folder:
            path = Path(folder) / (sending.filename or "sending.log")
            path.write_bytes(sending.payload)
            for item in read_paths([path], sending.source, datetime.now(UTC), None):
                if isinstance(item, Unreadable):
                    raise DeliveryError(f"{item.place}: record {item.ordinal}: {item.reason}")
                self._post_batch(item)

    def _post_batch(self, batch: RawBatch) -> None:
        self._post(
            batch.source,
            batch.payload,
            framing=batch.framing.value,
            first_ordinal=str(batch.first_ordinal),
        )

    def _post(self, source: str, payload: bytes, **params: str) -> None:
        answer = self._http.post(
            "/api/v1/events", content=payload, params={"source": source, **params}
        )
        if answer.is_error:
            raise DeliveryError(
                f"POST /api/v1/events for {source}: {answer.status_code} {answer.text[:300]}"
            )
