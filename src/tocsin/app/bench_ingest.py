"""Measures the way of an event: spool, decode, normalize, detect, store and triage together."""

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from tocsin.app.collector import spare_long_lived
from tocsin.app.config import load_settings
from tocsin.app.machine import machine_facts, peak_rss_mb
from tocsin.app.wiring import open_tocsin
from tocsin.exercise.company import load_company
from tocsin.exercise.day import sending_plan
from tocsin.ingest.lines import split_lines
from tocsin.model.record import RawBatch

_DAY_EVENTS = 50_000


def bench_ingest(
    events: int,
    rules: list[Path] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Take at least ``events`` records of the sample day in and say how fast.

    ``events_per_s`` counts from the first append to the spool (fsync and all) to the last commit;
    ``append_s`` is the part until everything was acknowledged.
    """
    batches: list[RawBatch] = []
    records = 0
    for batch, size in _batches():
        if records >= events:
            break
        batches.append(batch)
        records += size
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        settings = load_settings(
            None,
            home=Path(folder),
            syslog__enabled=False,
            detect__rules=tuple(rules) if rules else None,
            detect__shipped_pack=False if rules else None,
        )
        house = open_tocsin(settings)
        spare_long_lived()
        try:
            started = time.perf_counter()
            for batch in batches:
                house.spool.append([batch])
            appended_s = time.perf_counter() - started
            while house.flow.turn():
                if on_progress is not None:
                    on_progress(house.flow.counts.records)
            took_s = time.perf_counter() - started
            counts = house.flow.counts
            stored = sum(
                path.stat().st_size for path in (Path(folder) / "events").rglob("*.parquet")
            )
            return {
                "events_per_s": round(counts.records / took_s),
                "events": counts.records,
                "unreadable": counts.unreadable,
                "findings": counts.findings,
                "seconds": round(took_s, 3),
                "append_s": round(appended_s, 3),
                "stored_bytes_per_event": round(stored / max(counts.events, 1), 1),
                "rules": len(house.ruleset.rules),
                "peak_rss_mb": peak_rss_mb(),
                "machine": machine_facts(),
            }
        finally:
            house.close()


def _batches() -> Iterator[tuple[RawBatch, int]]:
    """The sample day again and again, each time with another seed."""
    company, now = load_company(), datetime.now(UTC)
    for seed in count(1):
        for sending in sending_plan(company, end=now, events=_DAY_EVENTS, seed=seed):
            parts = split_lines(sending.payload, sending.source, now)
            for part in parts:
                yield part, part.payload.count(b"\n") + 1
