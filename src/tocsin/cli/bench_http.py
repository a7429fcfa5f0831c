"""Measures the way of an event through a server of its own: from an HTTP request to the store."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tocsin.app.bench_traffic import Body, Traffic, bodies
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
    sent = bodies(traffic, min(events, _MADE) + _WARM_UP)
    warm_up = list(_first(sent, _WARM_UP))
    made = list(sent)
    measured = list(_first(cycle(made), events))
    sending = Sending(
        lambda server: _send(server, warm_up),
        sum(body.records for body in warm_up),
        lambda server: _send(server, measured),
        sum(body.records for body in measured),
    )
    return bench_door(sending, rules, on_progress)


def _send(server: BenchServer, sent: list[Body]) -> None:
    """Hand everything in; the last answer has come when it returns."""
    waiting = iter(sent)
    lock = threading.Lock()
    with ThreadPoolExecutor(_CONNECTIONS) as senders:
        for done in [
            senders.submit(_send_from, server, waiting, lock) for _ in range(_CONNECTIONS)
        ]:
            done.result()


def _send_from(server: BenchServer, waiting: Iterator[Body], lock: threading.Lock) -> None:
    connection = server.connection()
    while True:
        with lock:
            body = next(waiting, None)
        if body is None:
            connection.close()
            return
        path = f"/api/v1/events?source={quote(body.source)}"
        server.ask(connection, "POST", path, body.payload)


def _first(sent: Iterator[Body], records: int) -> Iterator[Body]:
    """Bodies with at least so many records in all."""
    taken = 0
    for body in sent:
        yield body
        taken += body.records
        if taken >= records:
            return
