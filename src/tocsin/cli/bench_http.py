"""Measures the way of an event through a server of its own: from an HTTP request to the store."""

import http.client
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tocsin.app.bench_traffic import Body, Traffic, bodies
from tocsin.cli.bench_server import BenchServer, Sending, bench_door

_CONNECTIONS = 2
_WARM_UP = 20_000
_PATIENCE_S = 300.0


def bench_http(
    events: int,
    rules: list[Path] | None,
    traffic: Traffic,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Send at least ``events`` records over two connections; figures as of ``bench_door``."""
    sent = bodies(traffic, events + _WARM_UP)
    warm_up = list(_first(sent, _WARM_UP))
    measured = list(sent)
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
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE_S)
    while True:
        with lock:
            body = next(waiting, None)
        if body is None:
            connection.close()
            return
        connection.request(
            "POST",
            f"/api/v1/events?source={quote(body.source)}",
            body=body.payload,
            headers=server.headers,
        )
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"the server answered {answer.status}: {told[:500]!r}")


def _first(sent: Iterator[Body], records: int) -> Iterator[Body]:
    taken = 0
    for body in sent:
        yield body
        taken += body.records
        if taken >= records:
            return
