"""Measures searches over a store: alone, ten people at once, and beside ingest."""

import math
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tocsin.app.benches.bench_clickhouse import MISSING, clickhouse_beside, is_clickhouse_here
from tocsin.app.benches.bench_feed import feeding
from tocsin.app.benches.bench_history import DAYS, NEEDLE, made_history
from tocsin.app.benches.bench_ingest import settings_in, stored_bytes
from tocsin.app.home.machine import machine_facts, peak_rss_mb
from tocsin.app.home.stores import open_events
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.ports import EventStore, QueryError
from tocsin.store.query import EventQuery

PEOPLE = 10
_LOOK_S = (2.0, 8.0)
"""How long a person looks at an answer before asking the next: from, to."""
_SLOWER = 4
"""How many times longer everything may take beside ingest before its records come again."""
_MOST_FEED_S = 180
_MOST_ASKED_S = 60.0
"""ClickHouse is asked a query no more when it has taken so long with it."""
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
Times = tuple[list[float], list[float]]
"""Of the clock and of the processor, a round each, in ms."""


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
    the median of the processor time of all threads, when nothing else is asked. What is asked
    beside ingest is asked alone before and after, as a machine's speed changes. With
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
                    try:
                        times = _told(_timed(ask, rounds + 1, _MOST_ASKED_S))
                    except QueryError as error:
                        told[name]["clickhouse_refused"] = str(error)
                        continue
                    told[name] |= {f"clickhouse_{kind}": value for kind, value in times.items()}
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
    asked = questions(house.events)
    at_once = house.settings.search.at_once
    parts = 5 if beside_ingest else 3

    def each(what: str, part: int) -> Iterator[tuple[str, Ask]]:
        for at, one in enumerate(asked.items()):
            on_progress(what, part * len(asked) + at, parts * len(asked))
            yield one

    alone = {name: _timed(ask, rounds + 1) for name, ask in each("asking", 0)}
    told = {name: {"bar_ms": BARS_MS.get(name), **_told(one)} for name, one in alone.items()}
    for name, ask in each("ten at the same moment", 1):
        told[name]["ten_at_once_p95_ms"] = _together(ask, at_once)
    on_progress("ten people", 2 * len(asked), parts * len(asked))
    for name, times in _people(asked, at_once, max(1, rounds // PEOPLE)).items():
        told[name]["ten_people_p95_ms"] = _p95(times)
    longest_stop_s = None
    if beside_ingest:
        on_progress("making records to come in", 3 * len(asked), parts * len(asked))
        with feeding(house, home / "feed.arrow", _feed_s(told, rounds)) as fed:
            live = questions(house.events, until_now=True)
            for name, _ in each("beside ingest", 3):
                times, _ = _timed(live[name], rounds)
                told[name]["beside_ingest_median_ms"] = _median(times)
                told[name]["beside_ingest_p95_ms"] = _p95(times)
        longest_stop_s = fed.longest_stop_s
        for name, ask in each("asking again", 4):
            told[name] |= _told(alone[name], _timed(ask, rounds))
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


def _feed_s(told: Mapping[str, Mapping[str, Any]], rounds: int) -> int:
    """How many seconds of records to make."""
    alone_s: float = rounds * sum(one["p95_ms"] for one in told.values()) / 1000
    return min(_MOST_FEED_S, 10 + round(_SLOWER * alone_s))


def questions(
    store: EventStore, known: EventStore | None = None, *, until_now: bool = False
) -> dict[str, Ask]:
    """What is asked, by name; the number of the round varies times and values.

    Those are looked up in ``known`` (None: in ``store``), so that two stores are asked the same.
    Times asked for end with the last event there is, or ``until_now`` with the moment of asking.
    """
    known = known or store
    last = max(segment.last_time for segment in known.segments(None, None))

    def end() -> datetime:
        latest = datetime.now(UTC) if until_now else last
        return latest.replace(second=0, microsecond=0) + timedelta(minutes=1)

    def whole(text: str = "") -> EventQuery:
        return EventQuery(text, end() - timedelta(days=DAYS), end())

    users = [one.value for one in known.top_values(whole(), "user", 20)]
    ids = [one.event_id for one in known.search(EventQuery(size=50)).events]

    def of(values: Sequence[str], number: int) -> str:
        return values[number % len(values)]

    def day(number: int) -> EventQuery:
        until = end() - timedelta(days=number % (DAYS - 1), hours=number % 24)
        return EventQuery(f'user:"{of(users, number)}"', until - timedelta(days=1), until)

    def filtered(number: int) -> EventQuery:
        return whole(f'user:"{of(users, number)}"')

    return {
        "term, 24 hours": lambda number: store.search(day(number)),
        "top values": lambda number: store.top_values(
            whole(), of(("host", "user", "process", "src_ip"), number), 10
        ),
        "top values, filtered": lambda number: store.top_values(filtered(number), "host", 10),
        "histogram, 30 days": lambda _: store.histogram(whole(), 60),
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


def _told(first: Times, again: Times = ([], [])) -> dict[str, float]:
    """Of those alone; the very first, which finds nothing at hand, is told apart."""
    clocks = [*first[0][1:], *again[0]]
    return {
        "first_ms": round(first[0][0], 1),
        "median_ms": _median(clocks),
        "p95_ms": _p95(clocks),
        "cpu_ms": _median([*first[1][1:], *again[1]]),
    }


def _timed(ask: Ask, rounds: int, most_s: float = math.inf) -> Times:
    """Times of the clock and of the processor, in ms; after ``most_s`` of two rounds at least."""
    clocks: list[float] = []
    processors: list[float] = []
    for number in range(rounds):
        if number > 1 and sum(clocks) > most_s * 1000:
            break
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


def _people(asked: Mapping[str, Ask], at_once: int, rounds: int) -> dict[str, list[float]]:
    """Times by question of people who ask one thing after the other and look at each answer.

    Each of them asks everything ``rounds`` times, in an order of their own.
    """
    times: dict[str, list[float]] = {name: [] for name in asked}
    turns = threading.Semaphore(at_once)

    def person(number: int) -> None:
        chance = random.Random(number)  # noqa: S311 - the same in each run
        time.sleep(chance.uniform(0, _LOOK_S[1]))
        for turn in range(rounds):
            for name in chance.sample(list(asked), len(asked)):
                began = time.perf_counter()
                with turns:
                    asked[name](number + PEOPLE * turn)
                times[name].append((time.perf_counter() - began) * 1000)
                time.sleep(chance.uniform(*_LOOK_S))

    with ThreadPoolExecutor(PEOPLE) as people:
        list(people.map(person, range(PEOPLE)))
    return times


def _median(times_ms: Sequence[float]) -> float:
    return round(float(np.median(times_ms)), 1)


def _p95(times_ms: Sequence[float]) -> float:
    return round(float(np.percentile(times_ms, 95)), 1)
