"""Measures the way of an event: spool, decode, normalize, detect, store and triage together."""

import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.app.benches.bench_traffic import Body, Traffic, bodies
from tocsin.app.collector import spare_long_lived
from tocsin.app.home.machine import machine_facts, peak_rss_mb
from tocsin.app.settings.config import Settings, load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.cutting.lines import split_lines
from tocsin.model.record import RawBatch


def bench_ingest(
    events: int,
    rules: list[Path] | None = None,
    traffic: Traffic = Traffic.DAY,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Take at least ``events`` records in, from the spool on, and say how fast.

    ``events_per_s`` counts from the first append to the spool (fsync and all) to the last commit;
    ``append_s`` is the part until everything was acknowledged; ``cpu_us_per_event`` is the
    processor time of both.
    """
    batches = split(bodies(traffic, events))
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        house = open_tocsin(settings_in(Path(folder), rules))
        spare_long_lived()
        try:
            started, cpu = time.perf_counter(), time.process_time()
            for batch in batches:
                house.spool.append([batch])
            appended_s = time.perf_counter() - started
            while house.flow.turn():
                if on_progress is not None:
                    on_progress(house.flow.counts.records)
            took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
            return _told(house, Path(folder), took_s, cpu_s) | {
                "append_s": round(appended_s, 3),
                "peak_rss_mb": peak_rss_mb(),
                "machine": machine_facts(),
            }
        finally:
            house.close()


def split(sent: Iterable[Body]) -> list[RawBatch]:
    """What the spool is given for these bodies."""
    now = datetime.now(UTC)
    return [part for body in sent for part in split_lines(body.payload, body.source, now)]


def settings_in(home: Path, rules: list[Path] | None) -> Settings:
    """A server of its own in ``home``, with the shipped pack or the given rules."""
    return load_settings(
        None,
        home=home,
        syslog__enabled=False,
        detect__rules=tuple(rules) if rules else None,
        detect__shipped_pack=False if rules else None,
    )


def stored_bytes(home: Path) -> int:
    """Size of all segments on disk."""
    return sum(path.stat().st_size for path in (home / "events").rglob("*.parquet"))


def _told(house: Tocsin, home: Path, took_s: float, cpu_s: float) -> dict[str, Any]:
    counts = house.flow.counts
    return {
        "events_per_s": round(counts.records / took_s),
        "events": counts.records,
        "unreadable": counts.unreadable,
        "findings": counts.findings,
        "seconds": round(took_s, 3),
        "cpu_us_per_event": round(cpu_s / max(counts.records, 1) * 1e6, 1),
        "stored_bytes_per_event": round(stored_bytes(home) / max(counts.events, 1), 1),
        "rules": len(house.ruleset.rules),
    }
