"""A server in a process of its own that benches send to, and what is read of it meanwhile."""

import asyncio
import http.client
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from tocsin.app.benches.bench_ingest import settings_in, stored_bytes
from tocsin.app.home.home import running_server
from tocsin.app.home.machine import machine_facts
from tocsin.app.wiring import open_tocsin
from tocsin.cli.log_lines import configure_logs
from tocsin.cli.server import Listening, serve_house

_LOOK_S = 0.05
_SENDING_LOOK_S = 0.5
"""Between two looks at the counters: seldom while records are sent, for looking is work too."""
_PATIENCE_S = 300.0
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Sending:
    """What goes in first, so that the server is warm, and what is measured; each hands all in."""

    warm_up: Callable[["BenchServer"], object]
    warm_up_records: int
    measured: Callable[["BenchServer"], object]
    measured_records: int


def bench_door(
    sending: Sending,
    rules: list[Path] | None,
    on_progress: Callable[[int], None] | None = None,
    *,
    syslog: bool = False,
) -> dict[str, Any]:
    """Send to a server of its own and say how fast it stored.

    Rates are by the clock, from the first byte sent until the last record is stored, the sender's
    own work beside it on the same machine. ``sent_s`` is when all had been handed in,
    ``cpu_us_per_event`` the server's processor time, ``peak_rss_mb`` the most memory it was seen
    to hold.
    """
    wanted = sending.measured_records
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        with bench_server(Path(folder), rules, syslog=syslog) as server:
            sending.warm_up(server)
            before = server.wait_for(sending.warm_up_records)
            started, cpu = time.perf_counter(), server.cpu_s()
            sent_s = server.look_while(lambda: sending.measured(server), on_progress)
            counts = server.wait_for(before["records"] + wanted, on_progress)
            took_s, cpu_s = time.perf_counter() - started, server.cpu_s() - cpu
            peak_mb = server.peak_rss_mb
        return {
            "events_per_s": round(wanted / took_s),
            "events": wanted,
            "unreadable": counts["unreadable"],
            "findings": counts["findings"],
            "seconds": round(took_s, 3),
            "sent_s": round(sent_s, 3),
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

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_S)

    def ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        payload: bytes | None = None,
        media: str = "application/json",
    ) -> bytes:
        """The body of an answer; anything but 200 raises."""
        headers = {"Content-Type": media} | self._headers
        connection.request(method, path, body=payload, headers=headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"the server answered {answer.status}: {told[:500]!r}")
        return told

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

    def look_while(
        self, send: Callable[[], object], on_progress: Callable[[int], None] | None = None
    ) -> float:
        """Have it sent from a thread beside; how many seconds that took."""

        def timed() -> float:
            started = time.perf_counter()
            send()
            return time.perf_counter() - started

        with ThreadPoolExecutor(1) as sending:
            sent = sending.submit(timed)
            while not sent.done():
                self.look(on_progress)
                wait([sent], _SENDING_LOOK_S)
            return sent.result()

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

    def _counts(self) -> dict[str, int]:
        connection = self.connection()
        lines = self.ask(connection, "GET", "/metrics").decode().splitlines()
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
