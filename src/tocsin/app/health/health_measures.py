"""Measures what health rules watch: sources, the disk, and this process itself."""

import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from tocsin.detect.rules.health_metrics import METRICS
from tocsin.ingest.sources.rates import SourceRate
from tocsin.ingest.sources.silence import allowed_silence_s
from tocsin.model.intake import Intake, IntakeState
from tocsin.model.source import SourceLedger
from tocsin.store.ports import WorkQueue


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
        if ledger.silent_since is not None:
            numbers["rate_share"] = None  # its silence is told: that is no second trouble
        allowed_s = allowed_silence_s(ledger)
        if ledger.last_seen is not None and ledger.expected_interval_s is not None:
            silence_s = max(0.0, (moment - ledger.last_seen).total_seconds())
            numbers["silence_s"] = silence_s
            numbers["silence_share"] = silence_s / allowed_s if allowed_s else None
        for metric, value in numbers.items():
            if value is not None:
                yield Measured("source", ledger.name, metric, value, ledger.tenant)


def measure_intakes(intakes: Sequence[Intake], now: datetime) -> Iterator[Measured]:
    """For how long what is fetched has not been there to be fetched."""
    for one in intakes:
        is_away = one.state is IntakeState.FAILING and one.since is not None
        away_s = (now - one.since).total_seconds() if is_away and one.since else 0.0
        yield Measured("source", one.source, "unreachable_s", max(0.0, away_s))


def measure_disk(folder: Path) -> Iterator[Measured]:
    """The disk the data folder is on."""
    usage = shutil.disk_usage(folder)
    name = str(folder.resolve())
    yield Measured("disk", name, "free_share", usage.free / usage.total)
    yield Measured("disk", name, "free_bytes", float(usage.free))
    files = os.statvfs(folder)
    if files.f_files:  # btrfs and others have no such bound
        yield Measured("disk", name, "free_files_share", files.f_favail / files.f_files)


def measure_platform(
    spool: WorkQueue, limit_bytes: int, now: datetime, counted: Mapping[str, float]
) -> Iterator[Measured]:
    """The process itself; ``counted`` are further metrics by name."""
    backlog = spool.backlog_bytes()
    oldest = next(iter(spool.read(spool.committed(), 1)), None)
    age_s = (now - oldest.batch.received_at).total_seconds() if oldest is not None else 0.0
    rss_bytes = float(psutil.Process().memory_info().rss)
    numbers = {
        "spool_bytes": float(backlog),
        "spool_share": backlog / limit_bytes,
        "spool_age_s": max(0.0, age_s),
        "rss_bytes": rss_bytes,
        "rss_share": rss_bytes / psutil.virtual_memory().total,
        **counted,
    }
    for metric, value in numbers.items():
        yield Measured("platform", "tocsin", metric, value)


def machine_name() -> str:
    """This machine's name as an entity has it: lower case, without its domain."""
    return socket.gethostname().lower().partition(".")[0] or "localhost"
