"""What fills the disk: events by source and day, all else in the data folder, and what is to come."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from tocsin.app.storage.forecast import Forecast, Growth, forecast
from tocsin.app.storage.retention import Due, Retention, RetentionState
from tocsin.app.storage.retention_book import in_words
from tocsin.app.storage.retention_plan import age_rule, spans
from tocsin.model.retention import Hold, RetentionRule
from tocsin.store.keeping import Lot, Span
from tocsin.store.ports import EventStore

_PARTS: Mapping[str, tuple[str, ...]] = {
    "spool": ("spool",),
    "state": ("state.sqlite", "state.sqlite-wal", "state.sqlite-shm", "runs"),
    "blobs": ("blobs",),
    "caches": ("cache",),
}
_OTHER = "other"
_MOST_FILES = 200_000
"""Files whose sizes are asked for; of a folder with more only so many are counted."""


@dataclass(frozen=True, slots=True)
class SourceSize:
    """What is stored of a source. Moments are of the intake; ``rule`` says in words how long."""

    tenant: str
    source: str
    events: int
    size_bytes: int
    first_received: datetime
    last_received: datetime
    bytes_a_day: float
    events_a_day: float
    held_bytes: int
    rule: str
    rule_name: str

    @property
    def bytes_an_event(self) -> float:
        return self.size_bytes / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True)
class DaySize:
    """What is stored of what was taken in on one day (UTC); ``by`` splits the bytes by source."""

    day: date
    events: int
    size_bytes: int
    by: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Storage:
    """All of it at one moment. ``sources`` the largest first, ``days`` the oldest first.

    ``cold_bytes`` of the events lie elsewhere. ``parts`` are bytes of the data folder beside the
    events. ``due`` may go at the next look.
    """

    disk_bytes: int
    free_bytes: int
    free_files: int | None
    events: int
    size_bytes: int
    cold_bytes: int
    sources: tuple[SourceSize, ...]
    days: tuple[DaySize, ...]
    parts: Mapping[str, int]
    forecast: Forecast
    rules: tuple[RetentionRule, ...]
    retention: RetentionState
    due: Due
    holds: tuple[Hold, ...]

    @property
    def bytes_an_event(self) -> float:
        return self.size_bytes / self.events if self.events else 0.0

    @property
    def free_share(self) -> float:
        return self.free_bytes / self.disk_bytes if self.disk_bytes else 0.0

    @property
    def disk_events_bytes(self) -> int:
        """Of the events, what lies on the disk."""
        return self.size_bytes - self.cold_bytes

    @property
    def held_bytes(self) -> int:
        return sum(one.held_bytes for one in self.sources)


def storage_now(folder: Path, events: EventStore, retention: Retention, now: datetime) -> Storage:
    """Everything counted; ``folder`` is the data folder."""
    rules, holds = retention.book.rules(), retention.sparing(now)
    lots = events.lots()
    disk, files = events.disk(), os.statvfs(folder)
    told = forecast(lots, rules, holds, disk.free_bytes, now)
    return Storage(
        disk_bytes=disk.total_bytes,
        free_bytes=disk.free_bytes,
        free_files=files.f_favail if files.f_files else None,
        events=sum(lot.events for lot in lots),
        size_bytes=sum(lot.size_bytes for lot in lots),
        cold_bytes=sum(lot.size_bytes for lot in lots if lot.is_cold),
        sources=_by_source(lots, told.growth, rules, holds),
        days=_by_day(lots),
        parts=_parts(folder),
        forecast=told,
        rules=rules,
        retention=retention.state(),
        due=retention.due(now),
        holds=holds,
    )


def forecast_now(events: EventStore, retention: Retention, now: datetime) -> Forecast:
    rules, holds = retention.book.rules(), retention.sparing(now)
    return forecast(events.lots(), rules, holds, events.disk().free_bytes, now)


def _by_source(
    lots: Iterable[Lot],
    growth: Sequence[Growth],
    rules: Sequence[RetentionRule],
    holds: Sequence[Hold],
) -> tuple[SourceSize, ...]:
    rates = {(one.tenant, one.source): one for one in growth}
    grouped: dict[tuple[str, str], list[Lot]] = defaultdict(list)
    for lot in lots:
        grouped[lot.tenant, lot.source].append(lot)
    found = []
    for pair, own in grouped.items():
        rule, rate = age_rule(rules, pair), rates.get(pair)
        spared = spans(holds, pair)
        found.append(
            SourceSize(
                *pair,
                sum(lot.events for lot in own),
                sum(lot.size_bytes for lot in own),
                min(lot.first_received for lot in own),
                max(lot.last_received for lot in own),
                rate.bytes_a_day if rate else 0.0,
                rate.events_a_day if rate else 0.0,
                sum(lot.size_bytes for lot in own if _is_held(lot, spared)),
                in_words(rule).partition(": ")[2] if rule else "kept for ever",
                rule.name if rule else "",
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.size_bytes, one.source, one.tenant)))


def _by_day(lots: Iterable[Lot]) -> tuple[DaySize, ...]:
    grouped: dict[date, list[Lot]] = defaultdict(list)
    for lot in lots:
        grouped[lot.day].append(lot)
    days = []
    for day, own in sorted(grouped.items()):
        by: dict[str, int] = defaultdict(int)
        for lot in own:
            by[lot.source] += lot.size_bytes
        days.append(DaySize(day, sum(lot.events for lot in own), sum(by.values()), dict(by)))
    return tuple(days)


def _is_held(lot: Lot, spared: Sequence[Span]) -> bool:
    return any(
        one.meets(lot.first_time, lot.last_time) or one.meets(lot.first_received, lot.last_received)
        for one in spared
    )


def _parts(folder: Path) -> dict[str, int]:
    """Bytes of the data folder beside the events, by what they are for."""
    names = {name: part for part, own in _PARTS.items() for name in own}
    found = dict.fromkeys((*_PARTS, _OTHER), 0)
    for entry in os.scandir(folder):
        if entry.name != "events":
            found[names.get(entry.name, _OTHER)] += _size(entry)
    return found


def _size(entry: os.DirEntry[str]) -> int:
    """Bytes on disk of a file, or of all in a folder; what vanishes meanwhile has none."""
    size, left = 0, _MOST_FILES
    waiting = [entry]
    while waiting and left > 0:
        one = waiting.pop()
        left -= 1
        try:
            if one.is_dir(follow_symlinks=False):
                with os.scandir(one) as inner:
                    waiting.extend(inner)
            else:
                size += one.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return size
