"""Measures a backtest over the store beside the engine alone, with the same events and rules."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tocsin.app.backtests.backtest import Backtest, BacktestPlan
from tocsin.app.backtests.backtest_report import backtest_report
from tocsin.app.benches.bench_correlating import Correlating
from tocsin.app.home.history import extent, lanes_by_id
from tocsin.app.home.machine import machine_facts, peak_rss_mb
from tocsin.detect.benches.bench_lanes import BenchLane, bench_batches
from tocsin.detect.errors import DetectError
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.model.lane import Lane
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.triage.entities import entities_of

_BATCH_ROWS = 50_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Took:
    """One pass over all events, in seconds of the clock and of the processor (all threads).

    ``matching_cpu_s`` is without correlations; ``findings`` are by rule id.
    """

    clock_s: float
    cpu_s: float
    findings: Mapping[str, int]
    matching_cpu_s: float = 0.0


def bench_backtest(
    rules: Sequence[Path],
    lane: BenchLane = BenchLane.STRUCTURED,
    events: int = 1_000_000,
    rounds: int = 3,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """By turns, ``rounds`` times: the engine over events in memory, a backtest over stored ones.

    Each begins with an engine of its own that finds compiled what the round before the first
    left, and each runs all the rules: those that look at one event, then the correlations over
    what these found. ``ratio_by_processor`` and ``ratio_by_clock`` are of speeds, the backtest's
    to the engine's: the median of the rounds. ``ratio_to_matching_by_processor`` is to the engine
    without its correlations. Raises ``DetectError`` when the findings of a rule differ.
    """
    took: dict[str, list[_Took]] = {"engine": [], "backtest": []}
    with TemporaryDirectory(prefix="tocsin-bench-") as folder:
        cache = Path(folder) / "cache"
        ruleset = load_rules(rules, cache=cache)
        store = _Store(Path(folder), lane, events)
        try:
            for turn in range(rounds + 1):
                pair = _engine_alone(ruleset, cache, lane, events), store.tried(ruleset, cache)
                _compare(*pair)
                for name, one in zip(took, pair, strict=True):
                    took[name] += [one] if turn else []
                if on_progress is not None:
                    on_progress(turn + 1, rounds + 1)
        finally:
            store.close()
    return {
        "bench": "backtest",
        "lane": str(lane),
        "events": events,
        "rounds": rounds,
        "rules": len(ruleset.rules),
        "correlations": len(ruleset.stateful),
        "findings": sum(took["engine"][0].findings.values()),
        **_told(took["engine"], took["backtest"], events),
        "peak_rss_mb": peak_rss_mb(),
        "machine": machine_facts(),
    }


def _told(engine: Sequence[_Took], backtest: Sequence[_Took], events: int) -> dict[str, Any]:
    pairs = list(zip(engine, backtest, strict=True))
    return {
        "events_per_s": round(events / median(one.clock_s for one in backtest)),
        "events_per_cpu_s": round(events / median(one.cpu_s for one in backtest)),
        "engine_events_per_s": round(events / median(one.clock_s for one in engine)),
        "engine_events_per_cpu_s": round(events / median(one.cpu_s for one in engine)),
        "matching_events_per_cpu_s": round(events / median(one.matching_cpu_s for one in engine)),
        "ratio_by_clock": round(median(one.clock_s / two.clock_s for one, two in pairs), 3),
        "ratio_by_processor": round(median(one.cpu_s / two.cpu_s for one, two in pairs), 3),
        "ratio_to_matching_by_processor": round(
            median(one.matching_cpu_s / two.cpu_s for one, two in pairs), 3
        ),
    }


def _compare(engine: _Took, backtest: _Took) -> None:
    for rule_id in sorted(engine.findings.keys() | backtest.findings.keys()):
        one, other = engine.findings.get(rule_id, 0), backtest.findings.get(rule_id, 0)
        if one != other:
            raise DetectError(
                f"of rule {rule_id} the backtest finds {other:,}, the engine {one:,} on the same "
                "events: a fault of ours, report it"
            )


def _engine_alone(ruleset: RuleSet, cache: Path, lane: BenchLane, events: int) -> _Took:
    """Making the events is not timed."""
    engine, correlating = Engine(ruleset, cache / "engine"), Correlating(ruleset)
    clock_s = cpu_s = matching_cpu_s = 0.0
    findings: Counter[str] = Counter()
    for batch in bench_batches(lane, events, _BATCH_ROWS):
        began, began_cpu = time.perf_counter(), time.process_time()
        found = engine.evaluate(batch)
        matching_cpu_s += time.process_time() - began_cpu
        correlating.take(batch, found)
        clock_s += time.perf_counter() - began
        cpu_s += time.process_time() - began_cpu
        for hit in found:
            if hit.rule.id not in ruleset.silent:
                findings[hit.rule.id] += len(hit.rows)
    began, began_cpu = time.perf_counter(), time.process_time()
    findings.update(correlating.standing())
    clock_s += time.perf_counter() - began
    cpu_s += time.process_time() - began_cpu
    return _Took(clock_s, cpu_s, findings, matching_cpu_s)


class _Store:
    """The lane's events as a server stores them, in a folder of their own."""

    def __init__(self, home: Path, lane: BenchLane, events: int) -> None:
        self._state = SqliteState(home / "state.sqlite")
        self._events = ParquetEvents(home / "events", self._state)
        self._lanes: set[Lane] = set()
        for batch in bench_batches(lane, events, _BATCH_ROWS):
            self._lanes.add(batch.lane)
            segment = self._events.write([batch])
            if segment is not None:
                with self._state.begin() as tx:
                    self._events.publish(tx, segment)
        self._events.merge_small()

    def tried(self, ruleset: RuleSet, cache: Path) -> _Took:
        """A backtest of the rules over all events, until its report is told."""
        whole = extent(self._events.segments(None, None))
        if whole is None:
            raise DetectError("no event was stored: nothing to measure")
        began, began_cpu = time.perf_counter(), time.process_time()
        plan = BacktestPlan(ruleset, *whole, now=datetime.now(UTC), cache=cache / "engine")
        work = Backtest(plan, self._events, lanes_by_id(self._lanes), entities_of)
        work.run()
        report = backtest_report(plan, work.counts, {})
        clock_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
        return _Took(clock_s, cpu_s, {one["id"]: one["findings"] for one in report["rules"]})

    def close(self) -> None:
        self._events.close()
        self._state.close()
