"""Measures how soon a finding is seen: from a sender's record to the alert the API answers with."""

import json
import math
import statistics
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tocsin.app.benches.bench_traffic import Traffic, bodies
from tocsin.app.home.machine import machine_facts
from tocsin.cli.bench_server import BenchServer, bench_server

_PERIOD_S = 0.1
"""Between two requests."""
_MARKED_EVERY = 2
"""One request of so many holds a record that makes a finding."""
WARM_UP_S = 5.0
_LOOK_S = 0.05
_PATIENCE_S = 60.0
_RULE_ID = "6a0f4f6e-0b1d-4d3a-9d55-1f2b8f0a7c11"
RULE = f"""
title: Marked process of the benchmark
id: {_RULE_ID}
status: test
logsource: {{product: windows, category: process_creation}}
detection:
  selection: {{Image|endswith: '\\tocsin-bench-marker.exe'}}
  condition: selection
level: medium
"""


@dataclass(slots=True)
class _Watch:
    """Marked records that were sent and not seen yet, oldest first, and how long the others took."""

    waiting: deque[tuple[str, float]] = field(default_factory=deque)
    took_s: list[float] = field(default_factory=list)
    is_sent: threading.Event = field(default_factory=threading.Event)


def bench_latency(
    seconds: int,
    rate: int,
    rules: list[Path] | None,
    on_progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Send ``rate`` records a second over HTTP for so long, some of them marked, and watch.

    A marked record matches a rule and names a host of its own, so each makes an alert. Its time
    runs from the moment it was *due* to be sent (a server that makes its sender wait is not
    forgiven that) until ``GET /api/v1/alerts`` shows the alert, asked every 50 ms. The first
    seconds warm the server up and don't count. ``late_s`` is how far the sender itself fell behind
    at most: where that is much, the machine is too slow for the rate.
    """
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        home = Path(folder)
        (home / "rules").mkdir()
        (home / "rules" / "marker.yml").write_text(RULE)
        with bench_server(home, rules) as server:
            watch = _Watch()
            with ThreadPoolExecutor(1) as watching:
                seen = watching.submit(_watch, server, watch)
                try:
                    late_s, took_s, sent = _send(server, watch, seconds, rate, on_progress)
                finally:
                    watch.is_sent.set()
                seen.result()
            cpu_s, peak_mb = server.cpu_s(), server.look()["resident"]
    counted = sorted(watch.took_s[round(WARM_UP_S / _PERIOD_S / _MARKED_EVERY) :])
    return {
        "asked_rate": rate,
        "events_per_s": round(sent / took_s),
        "events": sent,
        "findings": len(counted),
        "p50_s": round(statistics.median(counted), 3),
        "p95_s": _quantile(counted, 0.95),
        "p99_s": _quantile(counted, 0.99),
        "max_s": round(counted[-1], 3),
        "late_s": round(late_s, 3),
        "server_cpu_s": round(cpu_s, 1),
        "peak_rss_mb": round(peak_mb / 1e6, 1),
        "machine": machine_facts(),
    }


def _quantile(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)], 3)


def _send(
    server: BenchServer,
    watch: _Watch,
    seconds: int,
    rate: int,
    on_progress: Callable[[float], None] | None,
) -> tuple[float, float, int]:
    """Send by the clock; how late at most, how long it took, how many records."""
    connection = server.connection()
    requests = round((seconds + WARM_UP_S) / _PERIOD_S)
    made = payloads(max(1, round(rate * _PERIOD_S)))
    begun = time.perf_counter()
    late_s, sent = 0.0, 0
    for number in range(requests):
        payload, records = next(made)
        due = begun + number * _PERIOD_S
        time.sleep(max(0.0, due - time.perf_counter()))
        late_s = max(late_s, time.perf_counter() - due)
        if number % _MARKED_EVERY == 0:
            host = f"bench-marked-{number:06}"
            payload += marked(host)
            records += 1
            watch.waiting.append((host, due))
        server.ask(connection, "POST", "/api/v1/events?source=bench", payload)
        sent += records
        if on_progress is not None:
            on_progress((number + 1) * _PERIOD_S)
    connection.close()
    return late_s, time.perf_counter() - begun, sent


def payloads(records: int) -> Iterator[tuple[bytes, int]]:
    """Bodies of everyday process creations of now."""
    made = b"\n".join(body.payload.rstrip(b"\n") for body in bodies(Traffic.STRUCTURED, 50_000))
    lines = made.split(b"\n")
    stamp = lines[0].index(b'"UtcTime":"') + len(b'"UtcTime":"')
    at = 0
    while True:
        some = [lines[(at + one) % len(lines)] for one in range(records)]
        at += records
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}".encode()
        told = b"\n".join(one[:stamp] + now + one[stamp + len(now) :] for one in some)
        yield told + b"\n", records


def marked(host: str) -> bytes:
    now = datetime.now(UTC) - timedelta(milliseconds=1)
    record = {
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "UtcTime": f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03}",
        "EventID": 1,
        "Computer": host,
        "Image": "C:\\Temp\\tocsin-bench-marker.exe",
        "CommandLine": "tocsin-bench-marker.exe",
    }
    return json.dumps(record).encode() + b"\n"


def _watch(server: BenchServer, watch: _Watch) -> None:
    """Ask for the oldest alert that is waited for until all have been seen."""
    connection = server.connection()
    given_up = math.inf
    while not (watch.is_sent.is_set() and not watch.waiting):
        if watch.is_sent.is_set():
            given_up = min(given_up, time.perf_counter() + _PATIENCE_S)
        if not watch.waiting:
            time.sleep(_LOOK_S)
            continue
        host, due = watch.waiting[0]
        asked = urlencode({"rule": _RULE_ID, "entity": f"host:{host}", "size": 1})
        if json.loads(server.ask(connection, "GET", f"/api/v1/alerts?{asked}"))["alerts"]:
            watch.took_s.append(time.perf_counter() - due)
            watch.waiting.popleft()
        elif time.perf_counter() > given_up:
            raise TimeoutError(f"{len(watch.waiting)} findings were not seen, the first: {host}")
        else:
            time.sleep(_LOOK_S)
    connection.close()
