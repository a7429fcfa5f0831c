"""Measures what decoding and mapping take of one core, for each kind of traffic by itself."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tocsin.app.bench_traffic import Traffic, bodies
from tocsin.app.machine import machine_facts
from tocsin.app.shipped import open_normalizer
from tocsin.ingest.decode import decode
from tocsin.ingest.lines import split_lines
from tocsin.model.record import Decoded, Origin, RawBatch
from tocsin.normalize.normalizer import Normalizer


def bench_mapping(
    events: int,
    rounds: int,
    kinds: tuple[Traffic, ...],
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Decode and map at least ``events`` records of each kind, ``rounds`` times.

    Speeds are records a second of processor time of one thread, the median of the rounds; all
    records of a kind are one turn. A round of its own comes first, in which mappings are
    compiled.
    """
    normalizer = open_normalizer()
    speeds: dict[str, dict[str, Any]] = {}
    for number, kind in enumerate(kinds):
        now = datetime.now(UTC)
        payload = b"".join(body.payload for body in bodies(kind, events))
        batches = split_lines(payload, "bench", now)
        _measured(normalizer, batches)
        measured = [_measured(normalizer, batches) for _ in range(rounds)]
        records, stored = measured[0][2], measured[0][3]
        decoding, mapping = (statistics.median(one[at] for one in measured) for at in (0, 1))
        speeds[kind.value] = {
            "records": records,
            "events": stored,
            "bytes_per_record": round(len(payload) / records),
            "decoded_per_s": round(records / decoding),
            "mapped_per_s": round(records / mapping),
            "both_per_s": round(records / (decoding + mapping)),
        }
        if on_progress is not None:
            on_progress(number + 1, len(kinds))
    return {"traffic": speeds, "rounds": rounds, "machine": machine_facts()}


def _measured(normalizer: Normalizer, batches: list[RawBatch]) -> tuple[float, float, int, int]:
    """Seconds of decoding and of mapping, how many records there were, and how many events."""
    started = time.thread_time()
    parts: list[tuple[Decoded, Origin]] = [
        (decode(batch), Origin("bench", batch.received_at, "bench", number))
        for number, batch in enumerate(batches)
    ]
    decoded = time.thread_time()
    made = normalizer.normalize_all(parts)
    mapped = time.thread_time()
    records = sum(len(found.records) for found, _ in parts)
    return decoded - started, mapped - decoded, records, sum(len(batch) for batch in made)
