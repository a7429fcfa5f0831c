"""Measures searches over a store: alone, beside ingest, and ten people at once."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tocsin.app.benches.bench_clickhouse import MISSING, clickhouse_beside, is_clickhouse_here
from tocsin.app.benches.bench_history import DAYS, NEEDLE, made_history
from tocsin.app.benches.bench_ingest import settings_in, split, stored_bytes
from tocsin.app.benches.bench_traffic import Traffic, bodies
from tocsin.app.home.machine import machine_facts, peak_rss_mb
from tocsin.app.home.stores import open_events
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.model.record import RawBatch
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import EventStore
from tocsin.store.query import EventQuery

PEOPLE = 10
INGEST_PER_S = 10_000
_FED_EVENTS = 50_000
BARS_MS: Mapping[str, float] = {
    "term, 24 hours": 300,
    "top values": 1_000,
    "top values, filtered": 1_000,
    "histogram, 30 days": 500,
    "histogram, 30 days, filtered": 500,
    "substring over all, in one event": 5_000,
    "substring over all, in no event": 5_000,
    "native field": 1_000,
    "open a record": 50,
}

Ask = Callable[[int], object]
Progress = Callable[[str, int, int], None]


def bench_search(
    events: int,
    rounds: int,
    keep: Path,
    *,
    beside_ingest: bool,
    beside_clickhouse: bool = False,
    on_progress: Progress,
) -> dict[str, Any]:
    """Each query ``rounds`` times in each situation, over a store of about ``events`` events.

    The store is made in ``keep`` unless it is there. Times are the clock's, in ms; ``cpu_ms`` is
    the median of the processor time of all threads, when nothing else is asked. With
    ``beside_clickhouse`` the same is then asked of ClickHouse with the same events.
    """
    made = made_history(keep, events, lambda done: on_progress("making events", done, events))
    with _links_to(made) as home:
        house = open_tocsin(settings_in(home, None))
        try:
            result = _measured(house, home, rounds, beside_ingest, on_progress)
        finally:
            house.close()
    if beside_clickhouse:
        result["clickhouse"] = _of_clickhouse(made, result["queries"], rounds, on_progress)
    return result


def _of_clickhouse(
    made: Path, told: dict[str, dict[str, Any]], rounds: int, on_progress: Progress
) -> str:
    """Add to each query how long ClickHouse takes; says how many events it was asked about."""
    if not is_clickhouse_here():
        return MISSING

    def moved(done: int) -> None:
        on_progress("copying to ClickHouse", done, events)

    with closing(SqliteState(made / "state.sqlite")) as state:
        embedded = open_events(made, state)
        try:
            events = embedded.count()
            with clickhouse_beside(made, moved) as store:
                for at, (name, ask) in enumerate(questions(store, embedded).items()):
                    on_progress("asking ClickHouse", at, len(told))
                    for kind, value in _alone(ask, rounds).items():
                        told[name][f"clickhouse_{kind}"] = value
                return f"asked alone, about {store.count():,} events"
        finally:
            embedded.close()


@contextmanager
def _links_to(made: Path) -> Iterator[Path]:
    """A data folder beside ``made`` with the same segments, so that ``made`` stays as it is."""
    with TemporaryDirectory(prefix="run-", dir=made.parent) as folder:
        home = Path(folder)
        shutil.copyfile(made / "state.sqlite", home / "state.sqlite")
        shutil.copytree(made / "events", home / "events", copy_function=os.link)
        yield home


def _measured(
    house: Tocsin, home: Path, rounds: int, beside_ingest: bool, on_progress: Progress
) -> dict[str, Any]:
    rows = house.events.count()
    told: dict[str, dict[str, Any]] = {}
    situations = 3 if beside_ingest else 2
    asked = questions(house.events)
    for at, (name, ask) in enumerate(asked.items()):
        on_progress("asking", at, situations * len(asked))
        told[name] = {"bar_ms": BARS_MS.get(name), **_alone(ask, rounds)}
    for at, (name, ask) in enumerate(asked.items()):
        on_progress("ten at once", at + len(asked), situations * len(asked))
        told[name]["ten_at_once_p95_ms"] = _together(ask, house.settings.search.at_once)
    longest_stop_s = None
    if beside_ingest:
        with _ingesting(house) as feeding:
            for at, (name, ask) in enumerate(asked.items()):
                on_progress("beside ingest", at + 2 * len(asked), situations * len(asked))
                told[name]["beside_ingest_p95_ms"] = _p95(_timed(ask, rounds)[0])
        longest_stop_s = feeding.longest_stop_s
    return {
        "bench": "search",
        "events": rows,
        "segments": len(house.events.segments(None, None)),
        "stored_bytes_per_event": round(stored_bytes(home) / max(1, rows), 1),
        "rounds": rounds,
        "queries": told,
        "longest_stop_of_ingest_s": longest_stop_s,
        "peak_rss_mb": peak_rss_mb(),
        "machine": machine_facts(),
    }


def questions(store: EventStore, known: EventStore | None = None) -> dict[str, Ask]:
    """What is asked, by name; the number of the round varies times and values.

    Those are looked up in ``known`` (None: in ``store``), so that two stores are asked the same.
    """
    known = known or store
    last = max(segment.last_time for segment in known.segments(None, None))
    end = last.replace(second=0, microsecond=0) + timedelta(minutes=1)
    start = end - timedelta(days=DAYS)
    whole = EventQuery(start=start, end=end)
    users = [one.value for one in known.top_values(whole, "user", 20)]
    ids = [one.event_id for one in known.search(EventQuery(size=50)).events]

    def of(values: Sequence[str], number: int) -> str:
        return values[number % len(values)]

    def day(number: int) -> EventQuery:
        until = end - timedelta(days=number % (DAYS - 1), hours=number % 24)
        return EventQuery(f'user:"{of(users, number)}"', until - timedelta(days=1), until)

    def filtered(number: int) -> EventQuery:
        return EventQuery(f'user:"{of(users, number)}"', start, end)

    return {
        "term, 24 hours": lambda number: store.search(day(number)),
        "top values": lambda number: store.top_values(
            whole, of(("host", "user", "process", "src_ip"), number), 10
        ),
        "top values, filtered": lambda number: store.top_values(filtered(number), "host", 10),
        "histogram, 30 days": lambda _: store.histogram(whole, 60),
        "histogram, 30 days, filtered": lambda number: store.histogram(filtered(number), 60),
        "substring over all, in one event": lambda _: store.search(EventQuery(NEEDLE)),
        "substring over all, in no event": lambda number: store.search(
            EventQuery(f"*nowhere{number}*")
        ),
        "native field": lambda number: store.search(
            EventQuery(
                of(
                    ("native.LogonType:10", "native.conn_state:S0", "native.rcode_name:NXDOMAIN"),
                    number,
                )
            )
        ),
        "open a record": lambda number: store.get(of(ids, number)),
        "latest 100": lambda _: store.search(EventQuery()),
    }


def _alone(ask: Ask, rounds: int) -> dict[str, float]:
    clocks, processors = _timed(ask, rounds + 1)
    return {
        "first_ms": round(clocks[0], 1),
        "median_ms": round(float(np.median(clocks[1:])), 1),
        "p95_ms": _p95(clocks[1:]),
        "cpu_ms": round(float(np.median(processors[1:])), 1),
    }


def _timed(ask: Ask, rounds: int) -> tuple[list[float], list[float]]:
    """Times of the clock and of the processor, in ms."""
    clocks, processors = [], []
    for number in range(rounds):
        clock, processor = time.perf_counter(), time.process_time()
        ask(number)
        clocks.append((time.perf_counter() - clock) * 1000)
        processors.append((time.process_time() - processor) * 1000)
    return clocks, processors


def _together(ask: Ask, at_once: int) -> float:
    """p95 of ten who ask at the same moment, each something else, waiting for a turn included."""

    def one(number: int) -> float:
        ready.wait()
        return _timed(lambda _: in_turn(number), 1)[0][0]

    def in_turn(number: int) -> None:
        with turns:
            ask(number)

    ready, turns = threading.Barrier(PEOPLE), threading.Semaphore(at_once)
    with ThreadPoolExecutor(PEOPLE) as people:
        return _p95(list(people.map(one, range(PEOPLE))))


def _p95(times_ms: Sequence[float]) -> float:
    return round(float(np.percentile(times_ms, 95)), 1)


class _Feeding:
    """Sends records at a steady rate and turns the flow, merging as the upkeep does."""

    def __init__(self, house: Tocsin) -> None:
        self._house = house
        self._batches = split(bodies(Traffic.DAY, _FED_EVENTS))
        self._stop = threading.Event()
        self._failed: list[BaseException] = []
        self.longest_stop_s = 0.0
        self._threads = [
            threading.Thread(target=self._trying, args=(work,), name=work.__name__)
            for work in (self._send, self._turn, self._merge)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._failed:
            raise self._failed[0]

    def _trying(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # told to whoever measures
            self._failed.append(error)

    def _send(self) -> None:
        due = time.monotonic()
        for batch in self._again_and_again():
            began = time.monotonic()
            self._house.spool.append([batch])
            self.longest_stop_s = max(self.longest_stop_s, round(time.monotonic() - began, 3))
            records = batch.payload.count(b"\n") + 1
            due = max(due + records / INGEST_PER_S, time.monotonic() - 1)
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return

    def _again_and_again(self) -> Iterator[RawBatch]:
        while True:
            yield from self._batches

    def _turn(self) -> None:
        while not self._stop.is_set():
            if not self._house.flow.turn():
                self._stop.wait(0.2)

    def _merge(self) -> None:
        while not self._stop.wait(5):
            self._house.events.merge_small()


@contextmanager
def _ingesting(house: Tocsin) -> Iterator[_Feeding]:
    feeding = _Feeding(house)
    feeding.start()
    try:
        yield feeding
    finally:
        feeding.stop()
