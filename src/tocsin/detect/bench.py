"""The detection benchmark: events a second with a rule set, and proof that verdicts are right."""

import platform
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

from tocsin.detect.bench_events import LANE, BenchLane, bench_batches
from tocsin.detect.engine import Engine, Hit
from tocsin.detect.errors import DetectError
from tocsin.detect.oracle import matches
from tocsin.detect.ruleset import RuleSet, load_rules
from tocsin.model.event import EventBatch

_SAMPLE_ROWS = 200

Progress = Callable[[int, int], None]
Verdicts = Iterable[tuple[str, int]]


def bench_detect(
    rules: Sequence[Path],
    lane: str = BenchLane.STRUCTURED,
    events: int = 1_000_000,
    *,
    batch_rows: int = 50_000,
    on_progress: Progress | None = None,
) -> dict[str, object]:
    """Measure one lane (``structured``, ``distinct`` or ``silent``) on one thread.

    Not timed: making the events, and one batch more than ``events`` that comes first and has the
    lane's rules compiled; ``first_batch_s`` is what that took. ``events_per_cpu_s`` is what a core
    to itself would give: it doesn't fall when other programs want the processor. ``checksum`` is
    over all (rule, event) verdicts of a sample of the events as the engine gave them,
    ``oracle_checksum`` as the plain evaluator does.
    Raises ``DetectError`` for an unknown lane or when no rule asks for it.
    """
    try:
        kind = BenchLane(lane)
    except ValueError:
        known = ", ".join(BenchLane)
        raise DetectError(f"no benchmark lane is called {lane!r}: take one of {known}") from None
    ruleset, cold_s, warm_s = _timed_load(rules)
    asking = [one for one in ruleset.rules if LANE.accepts(one.rule.logsource)]
    if not asking:
        raise DetectError(f"no rule in {', '.join(map(str, rules))} asks for process creations")
    batches = bench_batches(kind, events + batch_rows, batch_rows)
    return {
        "bench": "detect",
        "lane": str(kind),
        "events": events,
        "batch_rows": batch_rows,
        "rules": len(ruleset.rules),
        "rules_asking": len(asking),
        "rule_problems": len(ruleset.problems),
        "cold_load_s": round(cold_s, 3),
        "warm_load_s": round(warm_s, 3),
        "machine": _machine(),
        **_measured(ruleset, batches, events, on_progress),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _measured(
    ruleset: RuleSet, batches: Iterator[EventBatch], events: int, on_progress: Progress | None
) -> dict[str, object]:
    engine = Engine(ruleset)
    began = time.perf_counter()
    engine.evaluate(next(batches))
    first_batch_s = time.perf_counter() - began
    spent_s, cpu_s, hits, done, sample = 0.0, 0.0, 0, 0, None
    for batch in batches:
        began, began_cpu = time.perf_counter(), time.thread_time()
        found = engine.evaluate(batch)
        spent_s += time.perf_counter() - began
        cpu_s += time.thread_time() - began_cpu
        hits += sum(len(hit.rows) for hit in found)
        done += len(batch)
        sample = sample or (batch, found)
        if on_progress:
            on_progress(done, events)
    return {
        "hits": hits,
        "events_per_s": round(events / spent_s) if spent_s else 0,
        "events_per_cpu_s": round(events / cpu_s) if cpu_s else 0,
        "seconds": round(spent_s, 3),
        "first_batch_s": round(first_batch_s, 3),
        **(_proof(ruleset, *sample) if sample else {}),
    }


def _timed_load(rules: Sequence[Path]) -> tuple[RuleSet, float, float]:
    with TemporaryDirectory(prefix="tocsin-bench-") as folder:
        began = time.perf_counter()
        load_rules(rules, cache=Path(folder))
        cold_s = time.perf_counter() - began
        began = time.perf_counter()
        ruleset = load_rules(rules, cache=Path(folder))
        return ruleset, cold_s, time.perf_counter() - began


def _proof(ruleset: RuleSet, batch: EventBatch, hits: Sequence[Hit]) -> dict[str, object]:
    """Verdicts of the engine and the oracle on a sample: every row with a hit first."""
    hit_rows = sorted({row for hit in hits for row in hit.rows})
    rows = sorted({*hit_rows[: _SAMPLE_ROWS // 2], *range(min(len(batch), _SAMPLE_ROWS // 2))})
    wanted = set(rows)
    asking = [one for one in ruleset.rules if LANE.accepts(one.rule.logsource)]
    records = batch.native_rows(rows)
    by_engine = [(hit.rule.id, row) for hit in hits for row in hit.rows if row in wanted]
    by_oracle = [
        (one.rule.id, row)
        for one in asking
        for row, record in zip(rows, records, strict=True)
        if matches(one, record)
    ]
    return {
        "sample_rows": len(rows),
        "checksum": _checksum(by_engine),
        "oracle_checksum": _checksum(by_oracle),
        "verdicts_equal": sorted(by_engine) == sorted(by_oracle),
    }


def _checksum(verdicts: Verdicts) -> str:
    text = "\n".join(f"{rule_id} {row}" for rule_id, row in sorted(verdicts))
    return blake2b(text.encode(), digest_size=16).hexdigest()


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
