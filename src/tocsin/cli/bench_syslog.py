"""Measures the way of a syslog message over TCP: from a sender's socket to the store."""

import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from tocsin.app.bench_ingest import stored_bytes
from tocsin.app.bench_traffic import Traffic, bodies
from tocsin.app.machine import machine_facts
from tocsin.cli.bench_http import BenchServer, bench_server

_WARM_UP = 10_000
_PIECE_BYTES = 1 << 18
_LOOK_S = 0.5
_HOSTS = 7


def bench_syslog(
    events: int,
    rules: list[Path] | None,
    traffic: Traffic,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Send so many messages over two connections, one framed by newlines, one by octet counts.

    Rates are by the clock, from the first byte sent until the last message is stored, the
    sender's own work beside it on the same machine; before that the server has taken in some
    messages of the same kind. Records without a syslog header get one. ``cpu_us_per_event`` is
    the server's processor time.
    """
    made = messages(traffic, events + 2 * _WARM_UP)
    warm_up = _framed(list(islice(made, 2 * _WARM_UP)))
    measured = _framed(list(made))
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        with bench_server(Path(folder), rules, syslog=True) as server:
            _send(server, warm_up)
            before = server.wait_for(2 * _WARM_UP)
            started, cpu = time.perf_counter(), server.cpu_s()
            with ThreadPoolExecutor(1) as sending:
                sent = sending.submit(_send, server, measured)
                while not sent.done():
                    server.look(on_progress)
                    wait([sent], _LOOK_S)
                sent_at = sent.result()
                counts = server.wait_for(before["records"] + events, on_progress)
            took_s, cpu_s = time.perf_counter() - started, server.cpu_s() - cpu
            peak_mb = server.peak_rss_mb
        return {
            "events_per_s": round(events / took_s),
            "events": events,
            "unreadable": counts["unreadable"],
            "findings": counts["findings"],
            "seconds": round(took_s, 3),
            "sent_s": round(sent_at - started, 3),
            "cpu_us_per_event": round(cpu_s / events * 1e6, 1),
            "stored_bytes_per_event": round(
                stored_bytes(Path(folder)) / max(counts["events"], 1), 1
            ),
            "peak_rss_mb": peak_mb,
            "machine": machine_facts(),
        }


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


def _send(server: BenchServer, payloads: Iterable[bytes]) -> float:
    """Send each payload over a connection of its own; the moment the last byte had gone."""
    with ThreadPoolExecutor(2) as senders:
        for done in [senders.submit(_send_one, server.syslog_port, one) for one in payloads]:
            done.result()
    return time.perf_counter()


def _send_one(port: int, payload: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        view = memoryview(payload)
        for start in range(0, len(payload), _PIECE_BYTES):
            connection.sendall(view[start : start + _PIECE_BYTES])
