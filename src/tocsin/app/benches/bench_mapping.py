"""Measures what decoding and mapping take of one core, for each kind of record by itself."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from tocsin.app.benches.bench_traffic import Traffic, bodies
from tocsin.app.home.machine import machine_facts
from tocsin.app.home.shipped import open_normalizer
from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.decode import decode, decode_all
from tocsin.model.record import Decoded, Origin, RawBatch
from tocsin.normalize.check import sample_files
from tocsin.normalize.normalizer import Normalizer

MAPPING_BAR = 150_000
"""Events that a mapping should make in a second of one core."""
Progress = Callable[[int, int], None]


def bench_mapping(
    events: int, rounds: int, kinds: tuple[Traffic, ...], on_progress: Progress | None = None
) -> dict[str, Any]:
    """Decode and map at least ``events`` records of each kind, ``rounds`` times.

    Speeds are records a second of processor time of one thread, the median of the rounds; all
    records of a kind are one turn. A round of its own comes first, in which mappings are
    compiled.
    """
    made = {kind.value: partial(_traffic, kind, events) for kind in kinds}
    return {"traffic": _speeds(made, rounds, on_progress), **_circumstances(rounds)}


def bench_connectors(
    events: int, rounds: int, names: Sequence[str], on_progress: Progress | None = None
) -> dict[str, Any]:
    """The same of each connector's samples, repeated until they are ``events`` records.

    Without ``names`` of all connectors. Raises ValueError for a name that is none of theirs.
    """
    folders = {path.parent.name: path.parent for path in mapping_paths()}
    unknown = sorted(set(names) - folders.keys())
    if unknown:
        raise ValueError(f"there is no connector {', '.join(unknown)}: docs/sources.md lists them")
    made = {name: partial(_samples, folders[name], events) for name in (names or sorted(folders))}
    speeds = _speeds(made, rounds, on_progress)
    mapped = [one["mapped_per_s"] for one in speeds.values()]
    return {
        "connectors": speeds,
        "median_per_s": round(statistics.median(mapped)),
        "bar_per_s": MAPPING_BAR,
        "reach_bar": sum(speed >= MAPPING_BAR for speed in mapped),
        **_circumstances(rounds),
    }


def _circumstances(rounds: int) -> dict[str, Any]:
    return {"rounds": rounds, "machine": machine_facts()}


def _traffic(kind: Traffic, events: int, now: datetime) -> list[RawBatch]:
    payload = b"".join(body.payload for body in bodies(kind, events))
    return split_lines(payload, "bench", now)


def _samples(folder: Path, events: int, now: datetime) -> list[RawBatch]:
    """Each file of samples, all equally often, as one payload of repeated records."""
    batches = [
        batch
        for path in sample_files(folder)
        for batch in split_lines(path.read_bytes(), path.stem, now)
    ]
    times = ceil(events / sum(len(decode(batch).records) for batch in batches))
    return [
        replace(batch, payload=(batch.payload.removesuffix(b"\n") + b"\n") * times)
        for batch in batches
    ]


def _speeds(
    kinds: Mapping[str, Callable[[datetime], list[RawBatch]]],
    rounds: int,
    on_progress: Progress | None,
) -> dict[str, dict[str, Any]]:
    normalizer = open_normalizer()
    speeds: dict[str, dict[str, Any]] = {}
    for number, (name, make) in enumerate(kinds.items()):
        batches = make(datetime.now(UTC))
        _measured(normalizer, batches)
        speeds[name] = _told(batches, [_measured(normalizer, batches) for _ in range(rounds)])
        if on_progress is not None:
            on_progress(number + 1, len(kinds))
    return speeds


def _told(
    batches: Iterable[RawBatch], measured: Sequence[tuple[float, float, int, int, int]]
) -> dict[str, Any]:
    records, stored, lanes = measured[0][2:]
    decoding, mapping = (statistics.median(one[at] for one in measured) for at in (0, 1))
    return {
        "records": records,
        "events": stored,
        "lanes": lanes,
        "bytes_per_record": round(sum(len(batch.payload) for batch in batches) / records),
        "decoded_per_s": round(records / decoding),
        "mapped_per_s": round(records / mapping),
        "both_per_s": round(records / (decoding + mapping)),
    }


def _measured(
    normalizer: Normalizer, batches: list[RawBatch]
) -> tuple[float, float, int, int, int]:
    """Seconds of decoding and of mapping; how many records there were, events and lanes."""
    started = time.thread_time()
    parts: list[tuple[Decoded, Origin]] = [
        (found, Origin("bench", batch.received_at, "bench", number))
        for number, (found, batch) in enumerate(zip(decode_all(batches), batches, strict=True))
    ]
    decoded = time.thread_time()
    made = normalizer.normalize_all(parts)
    mapped = time.thread_time()
    records = sum(len(found.records) for found, _ in parts)
    stored = sum(len(batch) for batch in made)
    return decoded - started, mapped - decoded, records, stored, len(made)
