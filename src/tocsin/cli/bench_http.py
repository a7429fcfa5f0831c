"""Measures the way of an event through a server of its own: from an HTTP request to the store."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tocsin.app.benches.bench_otlp import otlp_request
from tocsin.app.benches.bench_traffic import Body, Traffic, bodies
from tocsin.cli.bench_server import BenchServer, Sending, bench_door

_CONNECTIONS = 2
_WARM_UP = 20_000
_MADE = 500_000
"""Records at most that are made; with more to send, they are sent again (as others: each is new)."""


def bench_http(
    events: int,
    rules: list[Path] | None,
    traffic: Traffic,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Send at least ``events`` records over two connections; figures as of ``bench_door``."""
    return _bench(events, rules, traffic, _as_events, on_progress)


def bench_otlp(
    events: int,
    rules: list[Path] | None,
    traffic: Traffic,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """The same as OpenTelemetry's log records, in protobuf."""
    return _bench(events, rules, traffic, _as_otlp, on_progress)


@dataclass(frozen=True, slots=True)
class _Request:
    path: str
    media: str
    payload: bytes
    records: int


def _as_events(body: Body) -> _Request:
    path = f"/api/v1/events?source={quote(body.source)}"
    return _Request(path, "application/x-ndjson", body.payload, body.records)


def _as_otlp(body: Body) -> _Request:
    lines = [line for line in body.payload.split(b"\n") if line]
    payload = otlp_request(body.source, lines)
    return _Request("/v1/logs", "application/x-protobuf", payload, len(lines))


def _bench(
    events: int,
    rules: list[Path] | None,
    traffic: Traffic,
    made_of: Callable[[Body], _Request],
    on_progress: Callable[[int], None] | None,
) -> dict[str, Any]:
    sent = map(made_of, bodies(traffic, min(events, _MADE) + _WARM_UP))
    warm_up = list(_first(sent, _WARM_UP))
    made = list(sent)
    measured = list(_first(cycle(made), events))
    sending = Sending(
        lambda server: _send(server, warm_up),
        sum(request.records for request in warm_up),
        lambda server: _send(server, measured),
        sum(request.records for request in measured),
    )
    return bench_door(sending, rules, on_progress)


def _send(server: BenchServer, sent: list[_Request]) -> None:
    """Hand everything in; the last answer has come when it returns."""
    waiting = iter(sent)
    lock = threading.Lock()
    with ThreadPoolExecutor(_CONNECTIONS) as senders:
        for done in [
            senders.submit(_send_from, server, waiting, lock) for _ in range(_CONNECTIONS)
        ]:
            done.result()


def _send_from(server: BenchServer, waiting: Iterator[_Request], lock: threading.Lock) -> None:
    connection = server.connection()
    while True:
        with lock:
            request = next(waiting, None)
        if request is None:
            connection.close()
            return
        server.ask(connection, "POST", request.path, request.payload, request.media)


def _first(sent: Iterator[_Request], records: int) -> Iterator[_Request]:
    """Requests with at least so many records in all."""
    taken = 0
    for request in sent:
        yield request
        taken += request.records
        if taken >= records:
            return
