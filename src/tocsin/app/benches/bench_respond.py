"""Measures durable playbook steps on this machine's disk."""

import tempfile
from pathlib import Path
from typing import Any

from tocsin.app.home.machine import machine_facts, peak_rss_mb
from tocsin.respond.bench import measure_steps
from tocsin.store.engines.runs.dbos_runs import DbosRuns


def bench_respond(steps: int) -> dict[str, Any]:
    """Take ``steps`` durable steps in a folder of their own and say how fast."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        measured = measure_steps(DbosRuns(Path(folder)), steps)
    return {**measured, "peak_rss_mb": peak_rss_mb(), "machine": machine_facts()}
