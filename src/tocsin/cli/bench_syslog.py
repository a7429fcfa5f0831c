"""Measures the way of a syslog message over TCP: from a sender's socket to the store."""

import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from tocsin.app.benches.bench_traffic import Traffic, bodies
from tocsin.cli.bench_server import BenchServer, Sending, bench_door

_WARM_UP = 10_000
_PIECE_BYTES = 1 << 18
_HOSTS = 7


def bench_syslog(
    events: int,
    rules: list[Path] | None,
    traffic: Traffic,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Send so many messages over two connections, one framed by newlines, one by octet counts.

    Figures are as of ``bench_door``. Records without a syslog header get one.
    """
    made = messages(traffic, events + 2 * _WARM_UP)
    warm_up = _framed(list(islice(made, 2 * _WARM_UP)))
    measured = _framed(list(made))
    sending = Sending(
        lambda server: _send(server, warm_up),
        2 * _WARM_UP,
        lambda server: _send(server, measured),
        events,
    )
    return bench_door(sending, rules, on_progress, syslog=True)


def messages(traffic: Traffic, count: int) -> Iterator[bytes]:
    """So many syslog messages of this kind of traffic."""
    lines = (line for body in bodies(traffic, count) for line in body.payload.splitlines())
    now = datetime.now(UTC)
    stamp = f"{now:%b} {now.day:>2} {now:%H:%M:%S}"
    return (
        line
        if line.startswith(b"<")
        else b"<14>%b bench-%d app: %b" % (stamp.encode(), number % _HOSTS, line)
        for number, line in enumerate(islice((line for line in lines if line), count))
    )


def by_newlines(some: Iterable[bytes]) -> bytes:
    """Messages as most senders frame them (RFC 6587 §3.4.2)."""
    return b"".join(message + b"\n" for message in some)


def by_counts(some: Iterable[bytes]) -> bytes:
    """Messages with their length in front (RFC 6587 §3.4.1)."""
    return b"".join(b"%d %b" % (len(message), message) for message in some)


def _framed(some: list[bytes]) -> tuple[bytes, bytes]:
    half = len(some) // 2
    return by_newlines(some[:half]), by_counts(some[half:])


def _send(server: BenchServer, payloads: Iterable[bytes]) -> None:
    """Send each payload over a connection of its own; the last byte has gone when it returns."""
    with ThreadPoolExecutor(2) as senders:
        for done in [senders.submit(_send_one, server.syslog_port, one) for one in payloads]:
            done.result()


def _send_one(port: int, payload: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        view = memoryview(payload)
        for start in range(0, len(payload), _PIECE_BYTES):
            connection.sendall(view[start : start + _PIECE_BYTES])
