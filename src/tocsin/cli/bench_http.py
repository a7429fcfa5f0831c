"""Measures the way of an event through a server of its own: from an HTTP request to the store."""

import asyncio
import http.client
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from tocsin.app.bench_ingest import settings_in, stored_bytes
from tocsin.app.bench_traffic import Body, Traffic, bodies
from tocsin.app.home import running_server
from tocsin.app.machine import machine_facts
from tocsin.app.wiring import open_tocsin
from tocsin.cli.log_lines import configure_logs
from tocsin.cli.server import Listening, serve_house

_CONNECTIONS = 2
_WARM_UP = 20_000
_LOOK_S = 0.05
_SENDING_LOOK_S = 0.5
"""Between two looks at the counters: seldom while records are sent, for looking is work too."""
_PATIENCE_S = 300.0
_SPAWN = multiprocessing.get_context("spawn")


def bench_http(
    events: int,
    rules: list[Path] | None,
    traffic: Traffic,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Send at least ``events`` records over two connections and say how fast they were stored.

    Rates are by the clock, from the first request until the last record is stored; before that
    the server has taken in some records of the same kind. ``cpu_us_per_event`` is the server's
    processor time, ``peak_rss_mb`` the most memory it was seen to hold.
    """
    sent = bodies(traffic, events + _WARM_UP)
    warm_up = list(_first(sent, _WARM_UP))
    measured = list(sent)
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        with bench_server(Path(folder), rules) as server:
            server.send(warm_up)
            before = server.wait_for(sum(body.records for body in warm_up))
            started, cpu = time.perf_counter(), server.cpu_s()
            wanted = sum(body.records for body in measured)
            with ThreadPoolExecutor(1) as sending:
                acknowledged = sending.submit(server.send, measured)
                while not acknowledged.done():
                    server.look(on_progress)
                    wait([acknowledged], _SENDING_LOOK_S)
                counts = server.wait_for(before["records"] + wanted, on_progress)
                took_s = time.perf_counter() - started
                acknowledged_at = acknowledged.result()
            cpu_s, peak_mb = server.cpu_s() - cpu, server.peak_rss_mb
        return {
            "events_per_s": round(wanted / took_s),
            "events": wanted,
            "unreadable": counts["unreadable"],
            "findings": counts["findings"],
            "seconds": round(took_s, 3),
            "acknowledged_s": round(acknowledged_at - started, 3),
            "cpu_us_per_event": round(cpu_s / wanted * 1e6, 1),
            "stored_bytes_per_event": round(
                stored_bytes(Path(folder)) / max(counts["events"], 1), 1
            ),
            "peak_rss_mb": peak_mb,
            "machine": machine_facts(),
        }


class BenchServer:
    """A running server of our own and how it is spoken to."""

    def __init__(self, process: psutil.Process, port: int, facts: dict[str, Any]) -> None:
        self._process = process
        self._port = port
        self._headers = {"Authorization": f"Bearer {facts['token']}"}
        self.syslog_port = int(facts["syslog_tcp"])
        self.peak_rss_mb = 0.0

    def send(self, sent: list[Body]) -> float:
        """Hand everything in; the moment (of the performance counter) of the last answer."""
        waiting = iter(sent)
        lock = threading.Lock()
        with ThreadPoolExecutor(_CONNECTIONS) as senders:
            for done in [
                senders.submit(self._send_from, waiting, lock) for _ in range(_CONNECTIONS)
            ]:
                done.result()
        return time.perf_counter()

    def wait_for(
        self, records: int, on_progress: Callable[[int], None] | None = None
    ) -> dict[str, int]:
        """The server's counters once it has worked on so many records."""
        end = time.monotonic() + _PATIENCE_S
        best = 0
        while True:
            counts = self.look(on_progress)
            if counts["records"] >= records:
                return counts
            if counts["records"] > best:
                best, end = counts["records"], time.monotonic() + _PATIENCE_S
            if time.monotonic() > end:
                raise TimeoutError(f"the server stopped at {best} of {records} records")
            time.sleep(_LOOK_S)

    def look(self, on_progress: Callable[[int], None] | None = None) -> dict[str, int]:
        """The server's counters now."""
        counts = self._counts()
        self.peak_rss_mb = max(self.peak_rss_mb, round(counts["resident"] / 1e6, 1))
        if on_progress is not None:
            on_progress(counts["records"])
        return counts

    def cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _send_from(self, waiting: Iterator[Body], lock: threading.Lock) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_S)
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
                headers=self._headers,
            )
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise RuntimeError(f"the server answered {answer.status}: {told[:500]!r}")

    def _counts(self) -> dict[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_S)
        connection.request("GET", "/metrics", headers=self._headers)
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        told = dict(line.split(" ", 1) for line in lines if not line.startswith("#"))
        return {
            name: int(told[f"tocsin_{key}"])
            for name, key in {
                "records": "records_total",
                "events": "events_total",
                "unreadable": "unreadable_total",
                "findings": "findings_total",
                "resident": "resident_bytes",
            }.items()
        }


@contextmanager
def bench_server(
    home: Path, rules: list[Path] | None, *, syslog: bool = False
) -> Iterator[BenchServer]:
    """A server in a process of its own, which listens for ``syslog`` too where that is wanted."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_serve, args=(str(home), rules, syslog, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        try:
            port = ours.recv()
        except EOFError:
            raise RuntimeError("the server did not start; its error is above") from None
        facts = running_server(home) or {}
        yield BenchServer(psutil.Process(process.pid), port, facts)
    finally:
        ours.close()
        process.join(_PATIENCE_S)


def _serve(home: str, rules: list[Path] | None, syslog: bool, pipe: Connection) -> None:
    """The server's process: serves until the other end of the pipe is closed."""
    configure_logs()
    settings = settings_in(Path(home), rules)
    settings = settings.model_copy(
        update={
            "http": settings.http.model_copy(update={"host": "127.0.0.1", "port": 0}),
            "syslog": settings.syslog.model_copy(
                update={"enabled": syslog, "host": "127.0.0.1", "udp_port": 0, "tcp_port": 0}
            ),
        }
    )
    house = open_tocsin(settings)
    stop = asyncio.Event()

    def tell(listening: Listening) -> None:
        pipe.send(listening.port)
        asyncio.get_running_loop().add_reader(pipe.fileno(), stop.set)

    try:
        asyncio.run(serve_house(house, tell, stop))
    finally:
        house.close()


def _first(sent: Iterator[Body], records: int) -> Iterator[Body]:
    taken = 0
    for body in sent:
        yield body
        taken += body.records
        if taken >= records:
            return
