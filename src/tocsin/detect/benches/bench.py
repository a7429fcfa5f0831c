"""The detection benchmark: events a second with a rule set, and proof that verdicts are right."""

import platform
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from tocsin.detect.benches.bench_correlation import CorrelationBench
from tocsin.detect.benches.bench_lanes import BenchLane, bench_batches, warm_up
from tocsin.detect.benches.bench_multiply import multiplied
from tocsin.detect.benches.bench_records import records_as_sent
from tocsin.detect.benches.bench_two import events_per_s_on_two
from tocsin.detect.errors import DetectError
from tocsin.detect.matching.engine import Engine, Hit
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.oracle import matches
from tocsin.model.event import EventBatch

_SAMPLE_ROWS = 200
_DECODED_EVENTS = 100_000

Progress = Callable[[int, int], None]
Decoder = Callable[[bytes], Sequence[EventBatch]]
"""Makes events of records as they are sent (NDJSON, syslog lines)."""


@dataclass(slots=True)
class _Run:
    """What one pass over the events measured."""

    events: int = 0
    hits: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    first_batch_s: float = 0.0
    sample: tuple[EventBatch, list[Hit]] | None = None
    per_event: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = field(default_factory=list)
    per_rule: list[int] = field(default_factory=list)


def bench_detect(
    rules: Sequence[Path],
    lane: str = BenchLane.STRUCTURED,
    events: int = 1_000_000,
    *,
    batch_rows: int = 50_000,
    multiply: int = 1,
    cores: int = 2,
    decoder: Decoder | None = None,
    on_progress: Progress | None = None,
) -> dict[str, object]:
    """Measure one lane: on one core, on two, and with decoding where ``decoder`` is given.

    Not timed: making the events, and one batch more than ``events`` (two with multiplied rules)
    that comes first and has the lane's rules compiled; ``first_batch_s`` is what that took,
    ``ready_s`` what a hundred events take when all was compiled by an earlier run. ``events_per_cpu_s`` is what a core to itself would give: it
    doesn't fall when other programs want the processor. ``checksum`` is over all (rule, event)
    verdicts of a sample of the events as the engine gave them, ``oracle_checksum`` as the plain
    evaluator does. Raises ``DetectError`` for an unknown lane or when no rule asks for it.
    """
    kind = _known(lane)
    own = CorrelationBench() if kind is BenchLane.CORRELATION else None
    with TemporaryDirectory(prefix="tocsin-bench-") as folder:
        cache = Path(folder)
        ruleset, load = _timed_load(rules, cache, multiply, own.ruleset if own else None)
        warm_rows = batch_rows * (1 if multiply == 1 else 2)
        batches = bench_batches(kind, events + warm_rows, batch_rows)
        first = warm_up(batches, warm_rows)
        asking = _asking(ruleset, first)
        if not asking:
            raise DetectError(f"no rule in {', '.join(map(str, rules))} asks for such events")
        run = _run(Engine(ruleset, cache / "engine"), first, batches, events, on_progress, own)
        told: dict[str, object] = {
            "bench": "detect",
            "lane": str(kind),
            "batch_rows": batch_rows,
            "rules_asking": len(asking),
            **load,
            **_told(run, ruleset),
            "ready_s": round(_ready_s(ruleset, cache / "engine", first[0]), 3),
            "peak_rss_mb": peak_rss_mb(),
        }
        if own is not None:
            told |= own.told(run.events)
        if decoder is not None:
            engine = Engine(ruleset, cache / "engine")
            told |= _with_decoding(engine, kind, decoder, min(events, _DECODED_EVENTS))
        if cores > 1 and own is None:
            told |= events_per_s_on_two(rules, kind, events, batch_rows, multiply, cache)
        return told


def _known(lane: str) -> BenchLane:
    try:
        return BenchLane(lane)
    except ValueError:
        known = ", ".join(BenchLane)
        raise DetectError(f"no benchmark lane is called {lane!r}: take one of {known}") from None


def _told(run: _Run, ruleset: RuleSet) -> dict[str, object]:
    return {
        "events": run.events,
        "rules": len(ruleset.rules),
        "rule_problems": len(ruleset.problems),
        "machine": _machine(),
        **_speed(run),
        **_candidates(run),
        **(_proof(ruleset, *run.sample) if run.sample else {}),
    }


def bench_events(
    rules: Sequence[Path],
    batches: Iterable[EventBatch],
    *,
    on_progress: Progress | None = None,
) -> dict[str, object]:
    """Measure events of the user's own; what making the next batch takes is told as decoding."""
    with TemporaryDirectory(prefix="tocsin-bench-") as folder:
        ruleset, load = _timed_load(rules, Path(folder), 1, None)
        made = _Timed(iter(batches))
        first = next(made, None)
        if first is None:
            raise DetectError("there are no events in what was given: nothing to measure")
        engine = Engine(ruleset, Path(folder) / "engine")
        run = _run(engine, (), _chained(first, made), 0, on_progress, None)
        return {
            "bench": "detect",
            "lane": "file",
            **load,
            **_told(run, ruleset),
            "decode_events_per_s": _rate(run.events, made.seconds),
            "with_decoding_events_per_s": _rate(run.events, made.seconds + run.seconds),
            "peak_rss_mb": peak_rss_mb(),
        }


def peak_rss_mb() -> int:
    """The most memory the process has held, in MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


class _Timed:
    """The batches, and the time it took to make them."""

    def __init__(self, batches: Iterator[EventBatch]) -> None:
        self._batches = batches
        self.seconds = 0.0

    def __iter__(self) -> Iterator[EventBatch]:
        return self

    def __next__(self) -> EventBatch:
        began = time.perf_counter()
        try:
            return next(self._batches)
        finally:
            self.seconds += time.perf_counter() - began


def _chained(first: EventBatch, others: Iterator[EventBatch]) -> Iterator[EventBatch]:
    yield first
    yield from others


def _run(
    engine: Engine,
    first: Sequence[EventBatch],
    batches: Iterator[EventBatch],
    events: int,
    on_progress: Progress | None,
    correlation: CorrelationBench | None,
) -> _Run:
    run = _Run()
    began = time.perf_counter()
    for batch in first:
        engine.evaluate(batch)
    run.first_batch_s = time.perf_counter() - began
    for batch in batches:
        began, began_cpu = time.perf_counter(), time.thread_time()
        found = engine.evaluate(batch)
        run.seconds += time.perf_counter() - began
        run.cpu_s += time.thread_time() - began_cpu
        run.hits += sum(len(hit.rows) for hit in found)
        run.events += len(batch)
        if correlation is not None:
            correlation.take(batch, found)
        if run.sample is None:
            run.sample = batch, found
            _count_candidates(engine, batch, run)
        if on_progress:
            on_progress(run.events, events or run.events)
    return run


def _count_candidates(engine: Engine, batch: EventBatch, run: _Run) -> None:
    candidates = engine.plan_of(batch.lane).candidate_rows(batch.native)
    per_event = np.zeros(len(batch), np.int64)
    for rows in candidates.values():
        per_event[rows] += 1
    run.per_event.append(per_event)
    run.per_rule.extend(len(rows) for rows in candidates.values())


def _candidates(run: _Run) -> dict[str, object]:
    """Rules evaluated for each event, and events each rule with any was evaluated on."""
    per_event = np.concatenate(run.per_event) if run.per_event else np.zeros(1)
    per_rule = np.array(run.per_rule or [0])
    return {
        "candidates_per_event_mean": round(float(per_event.mean()), 3),
        "candidates_per_event_p95": int(np.percentile(per_event, 95)),
        "candidates_per_rule_mean": round(float(per_rule.mean()), 1),
        "candidates_per_rule_p95": int(np.percentile(per_rule, 95)),
        "rules_with_candidates": len(run.per_rule),
    }


def _speed(run: _Run) -> dict[str, object]:
    return {
        "hits": run.hits,
        "events_per_s": _rate(run.events, run.seconds),
        "events_per_cpu_s": _rate(run.events, run.cpu_s),
        "seconds": round(run.seconds, 3),
        "first_batch_s": round(run.first_batch_s, 3),
    }


def _ready_s(ruleset: RuleSet, cache: Path, batch: EventBatch) -> float:
    """Until a new engine has answered for a few events, all being compiled and kept."""
    few = _slice(batch, min(len(batch), 100))
    began = time.perf_counter()
    Engine(ruleset, cache).evaluate(few)
    return time.perf_counter() - began


def _slice(batch: EventBatch, rows: int) -> EventBatch:
    whole = pa.RecordBatch.from_pydict(
        dict(zip(batch.native.schema.names, batch.native.columns, strict=True))
    )
    return EventBatch(
        batch.lane,
        batch.sources.slice(0, rows),
        batch.tenant,
        batch.event_ids.slice(0, rows),
        batch.times.slice(0, rows),
        batch.ingested_at.slice(0, rows),
        whole.slice(0, rows),
        batch.ocsf.slice(0, rows),
        batch.raw.slice(0, rows),
    )


def _with_decoding(
    engine: Engine, kind: BenchLane, decoder: Decoder, events: int
) -> dict[str, object]:
    """The same events once more as they are sent, decoded and normalized on one core."""
    parts = list(bench_batches(kind, 2 * events, events))
    sent = [records_as_sent(part) for part in parts]
    for batch in decoder(sent[0]):
        engine.evaluate(batch)
    began, began_cpu = time.perf_counter(), time.process_time()
    decoded = decoder(sent[1])
    decode_s, decode_cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    began, began_cpu = time.perf_counter(), time.process_time()
    for batch in decoded:
        engine.evaluate(batch)
    detect_s, detect_cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    found = sum(len(batch) for batch in decoded)
    return {
        "decoded_events": found,
        "decode_events_per_s": _rate(found, decode_s),
        "decode_events_per_cpu_s": _rate(found, decode_cpu_s),
        "with_decoding_events_per_s": _rate(found, decode_s + detect_s),
        "with_decoding_events_per_cpu_s": _rate(found, decode_cpu_s + detect_cpu_s),
    }


def _timed_load(
    rules: Sequence[Path], cache: Path, multiply: int, own: Callable[[], RuleSet] | None
) -> tuple[RuleSet, dict[str, object]]:
    if own is not None:
        return own(), {}
    began = time.perf_counter()
    load_rules(rules, cache=cache)
    cold_s = time.perf_counter() - began
    began = time.perf_counter()
    ruleset = load_rules(rules, cache=cache)
    warm_s = time.perf_counter() - began
    if multiply > 1:
        ruleset = multiplied(ruleset, multiply)
    return ruleset, {"cold_load_s": round(cold_s, 3), "warm_load_s": round(warm_s, 3)}


def _asking(ruleset: RuleSet, batches: Sequence[EventBatch]) -> list[object]:
    lanes = {batch.lane for batch in batches}
    return [one for one in ruleset.rules if any(lane.accepts(one.rule.logsource) for lane in lanes)]


def _proof(ruleset: RuleSet, batch: EventBatch, hits: Sequence[Hit]) -> dict[str, object]:
    """Verdicts of the engine and the oracle on a sample: every row with a hit first."""
    hit_rows = sorted({row for hit in hits for row in hit.rows})
    rows = sorted({*hit_rows[: _SAMPLE_ROWS // 2], *range(min(len(batch), _SAMPLE_ROWS // 2))})
    wanted = set(rows)
    records = batch.native_rows(rows)
    by_engine = [(hit.rule.id, row) for hit in hits for row in hit.rows if row in wanted]
    by_oracle = [
        (one.rule.id, row)
        for one in ruleset.rules
        if batch.lane.accepts(one.rule.logsource)
        for row, record in zip(rows, records, strict=True)
        if matches(one, record)
    ]
    return {
        "sample_rows": len(rows),
        "checksum": _checksum(by_engine),
        "oracle_checksum": _checksum(by_oracle),
        "verdicts_equal": sorted(by_engine) == sorted(by_oracle),
    }


def _checksum(verdicts: Iterable[tuple[str, int]]) -> str:
    text = "\n".join(f"{rule_id} {row}" for rule_id, row in sorted(verdicts))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _rate(events: int, seconds: float) -> int:
    return round(events / seconds) if seconds else 0


def _machine() -> str:
    model = platform.processor()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass  # not Linux: the platform's own word has to do
    return f"{model or platform.machine()}, Python {platform.python_version()}, {platform.system()}"
