"""Measures durable steps a second: what a playbook can do at most on this machine."""

import time
from collections.abc import Callable
from typing import Any

from tocsin.store.durable import DurableRuns, DurableStatus, JsonObject, Walk

RUN = "respond.bench"
_STEPS_A_RUN = 10


def measure_steps(runs: DurableRuns, steps: int) -> dict[str, Any]:
    """Time steps in sequence and in runs side by side; ``runs`` must not be open yet.

    Each step is recorded durably before the next begins. ``steps_per_s`` is the better of the
    two; ``starts_per_s`` counts runs started from outside, one after the other.
    """
    runs.register(RUN, _take_steps)
    runs.open()
    try:
        sequence_s = _timed(lambda: _run_all(runs, "sequence", 1, steps))
        at_once = max(steps // _STEPS_A_RUN, 1)
        side_by_side_s = _timed(lambda: _run_all(runs, "beside", at_once, _STEPS_A_RUN))
        starts_s = _timed(lambda: _run_all(runs, "empty", at_once, 0))
    finally:
        runs.close()
    in_sequence = steps / sequence_s
    side_by_side = at_once * _STEPS_A_RUN / side_by_side_s
    return {
        "steps": steps,
        "steps_per_s": round(max(in_sequence, side_by_side), 1),
        "steps_per_s_in_sequence": round(in_sequence, 1),
        "steps_per_s_side_by_side": round(side_by_side, 1),
        "starts_per_s": round(at_once / starts_s, 1),
    }


async def _take_steps(walk: Walk, inputs: JsonObject) -> JsonObject:
    for _ in range(inputs["steps"]):
        await walk.step("step", lambda key: {"key": key})
    return {}


def _run_all(runs: DurableRuns, name: str, count: int, steps: int) -> None:
    names = [f"{name}-{number}" for number in range(count)]
    for run_id in names:
        runs.start(RUN, run_id, {"steps": steps})
    for run_id in names:
        _await(runs, run_id)


def _await(runs: DurableRuns, run_id: str) -> None:
    while True:
        run = runs.query(run_id)
        if run is not None and run.status in (DurableStatus.DONE, DurableStatus.FAILED):
            return
        time.sleep(0.01)


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
