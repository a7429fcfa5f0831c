"""Measures what health rules watch: sources, the disk, and this process itself."""

import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import psutil

from tocsin.ingest.rates import SourceRate
from tocsin.ingest.silence import allowed_silence_s
from tocsin.model.source import SourceLedger
from tocsin.store.ports import WorkQueue

METRICS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("source", "events_per_minute"): "events a minute over the last 20 minutes",
        ("source", "rate_share"): "events over the last 20 minutes, as a share of what is usual at this time of day",
        ("source", "lag_s"): "age of the freshest record on arrival, in s",
        ("source", "extra_lag_s"): "age of the freshest record on arrival beyond the usual, in s",
        ("source", "silence_s"): "time since its last event, in s",
        ("source", "silence_share"): "time since its last event, as a share of what its cadence allows",
        ("source", "unreadable_share"): "share of the records of the last half hour that can't be read",
        ("source", "unrecognized_share"): "share of the records of the last half hour no mapping knows",
        ("disk", "free_share"): "free share of the disk of the data folder",
        ("disk", "free_bytes"): "free bytes of the disk of the data folder",
        ("platform", "spool_bytes"): "bytes taken in and not yet stored",
        ("platform", "spool_share"): "bytes taken in and not yet stored, as a share of the limit",
        ("platform", "spool_age_s"): "age of the oldest record not yet stored, in s",
        ("platform", "rss_bytes"): "resident memory of this process",
        ("platform", "flow_failing"): "1 while the flow can't store what it takes in, else 0",
        ("platform", "rule_problems"): "rules that can't be used",
        ("platform", "evicted_entries"): "entries correlations gave up for want of room",
    }
)  # fmt: skip
"""What can be measured, by kind of subject and metric, and what the number means."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of one subject at one moment."""

    subject: str
    name: str
    metric: str
    value: float
    tenant: str = "default"


def measure_sources(
    ledgers: Sequence[SourceLedger], rates: Sequence[SourceRate], moment: datetime
) -> Iterator[Measured]:
    """What is known of each source at ``moment``, which is how far events have come."""
    for ledger, rate in zip(ledgers, rates, strict=True):
        numbers: dict[str, float | None] = {
            name: getattr(rate, name)
            for subject, name in METRICS
            if subject == "source" and hasattr(rate, name)
        }
        allowed_s = allowed_silence_s(ledger)
        if ledger.last_seen is not None and ledger.expected_interval_s is not None:
            silence_s = max(0.0, (moment - ledger.last_seen).total_seconds())
            numbers["silence_s"] = silence_s
            numbers["silence_share"] = silence_s / allowed_s if allowed_s else None
        for metric, value in numbers.items():
            if value is not None:
                yield Measured("source", ledger.name, metric, value, ledger.tenant)


def measure_disk(folder: Path) -> Iterator[Measured]:
    """The disk the data folder is on."""
    usage = shutil.disk_usage(folder)
    name = str(folder.resolve())
    yield Measured("disk", name, "free_share", usage.free / usage.total)
    yield Measured("disk", name, "free_bytes", float(usage.free))


def measure_platform(
    spool: WorkQueue, limit_bytes: int, now: datetime, counted: Mapping[str, float]
) -> Iterator[Measured]:
    """The process itself; ``counted`` are further metrics by name."""
    backlog = spool.backlog_bytes()
    oldest = next(iter(spool.read(spool.committed(), 1)), None)
    age_s = (now - oldest.batch.received_at).total_seconds() if oldest is not None else 0.0
    numbers = {
        "spool_bytes": float(backlog),
        "spool_share": backlog / limit_bytes,
        "spool_age_s": max(0.0, age_s),
        "rss_bytes": float(psutil.Process().memory_info().rss),
        **counted,
    }
    for metric, value in numbers.items():
        yield Measured("platform", "tocsin", metric, value)


def machine_name() -> str:
    """This machine's name as an entity has it: lower case, without its domain."""
    return socket.gethostname().lower().partition(".")[0] or "localhost"
