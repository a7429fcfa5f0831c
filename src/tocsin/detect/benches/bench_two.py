"""The benchmark on two cores: two processes with an engine each, every second batch to each.

Two threads were measured too: 1.1 to 1.7 times one thread's speed, as Hyperscan and Arrow give
Python's lock up but what is done with their finds does not. Two processes share nothing.
"""

import time
from collections.abc import Sequence
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from tocsin.detect.benches.bench_lanes import BenchLane, bench_batches, warm_up
from tocsin.detect.benches.bench_multiply import multiplied
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import load_rules

_PROCESSES = 2
_PATIENCE_S = 600


def events_per_s_on_two(
    rules: Sequence[Path], kind: BenchLane, events: int, batch_rows: int, multiply: int, cache: Path
) -> dict[str, object]:
    """``two_core_events_per_s``: the events of both over the time the slower one took.

    ``two_core_events_per_cpu_s`` over its processor time: two cores to themselves.
    """
    context = get_context("spawn")
    ends: list[Connection] = []
    workers = []
    for number in range(_PROCESSES):
        near, far = context.Pipe()
        given = (far, list(rules), kind, number, events, batch_rows, multiply, cache)
        workers.append(context.Process(target=_work, args=given, daemon=True))
        ends.append(near)
    try:
        for worker in workers:
            worker.start()
        ready = [end.poll(_PATIENCE_S) and end.recv() for end in ends]
        for end in ends:
            end.send("go")
        told = [end.recv() for end in ends if end.poll(_PATIENCE_S)]
    except (EOFError, OSError) as error:
        return {"two_core_problem": f"a process of the benchmark ended early: {error!r}"}
    finally:
        for worker in workers:
            worker.join(5)
            if worker.is_alive():
                worker.terminate()
    if not all(ready) or len(told) < _PROCESSES:
        return {"two_core_problem": "the processes of the benchmark did not answer in time"}
    done = sum(events for events, _, _ in told)
    return {
        "two_core_events_per_s": round(done / max(seconds for _, seconds, _ in told)),
        "two_core_events_per_cpu_s": round(done / max(cpu_s for _, _, cpu_s in told)),
    }


def _work(
    end: Connection,
    rules: list[Path],
    kind: BenchLane,
    number: int,
    events: int,
    batch_rows: int,
    multiply: int,
    cache: Path,
) -> None:
    ruleset = load_rules(rules, cache=cache)
    if multiply > 1:
        ruleset = multiplied(ruleset, multiply)
    engine = Engine(ruleset, cache / "engine")
    stream = bench_batches(kind, events + batch_rows, batch_rows)
    for batch in warm_up(stream, batch_rows):
        engine.evaluate(batch)
    mine = list(islice(stream, number, None, _PROCESSES))
    end.send("ready")
    end.recv()
    began, began_cpu = time.perf_counter(), time.thread_time()
    for batch in mine:
        engine.evaluate(batch)
    took_s, cpu_s = time.perf_counter() - began, time.thread_time() - began_cpu
    end.send((sum(map(len, mine)), took_s, cpu_s))
