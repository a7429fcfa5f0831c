"""Sizes by day and source as a stack of bars, and the disk as one bar: numbers the page draws."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tocsin.app.storage.storage import DaySize, Storage

MOST_DAYS = 90
MOST_SOURCES = 5
OTHERS = "all others"
_LEAST = 0.6
"""A part is drawn at least so high, in percent: little is not nothing."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar; ``number`` is its color's (0 the largest source, the last all others)."""

    number: int
    start: float
    length: float


@dataclass(frozen=True, slots=True)
class DayBar:
    """A day's bar; its parts in percent of the tallest, from the bottom."""

    day: date
    events: int
    size_bytes: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class DayChart:
    """The days up to today, each with a bar; ``names`` are those of the colors.

    ``left_out`` are bytes of days that are not drawn: before the first, or of clocks that were
    wrong.
    """

    bars: tuple[DayBar, ...]
    names: tuple[str, ...]
    tallest_bytes: int
    left_out: int


@dataclass(frozen=True, slots=True)
class DiskPart:
    """What of the disk is used for what; ``start`` and ``length`` in percent of the disk."""

    kind: str
    title: str
    size_bytes: int
    start: float
    length: float


def day_chart(days: Sequence[DaySize], today: date) -> DayChart:
    """The last ``MOST_DAYS`` days, or as many as there are."""
    shown = [one for one in days if today - timedelta(days=MOST_DAYS) < one.day <= today]
    left_out = sum(one.size_bytes for one in days) - sum(one.size_bytes for one in shown)
    if not shown:
        return DayChart((), (), 0, left_out)
    sums: dict[str, int] = defaultdict(int)
    for one in shown:
        for source, size in one.by.items():
            sums[source] += size
    ranked = sorted(sums, key=lambda name: (-sums[name], name))
    top = ranked[:MOST_SOURCES] if len(ranked) > MOST_SOURCES + 1 else ranked
    tallest = max(one.size_bytes for one in shown) or 1
    by_day = {one.day: one for one in shown}
    first = min(shown[0].day, today - timedelta(days=6))
    bars = tuple(
        _bar(by_day.get(day, DaySize(day, 0, 0, {})), top, tallest)
        for day in (first + timedelta(days=at) for at in range((today - first).days + 1))
    )
    names = (*top, OTHERS) if len(top) < len(ranked) else tuple(top)
    return DayChart(bars, names, tallest, left_out)


def disk_parts(storage: Storage) -> tuple[DiskPart, ...]:
    """Events, what else is in the data folder, what others put on the disk, and what is free."""
    own = sum(storage.parts.values())
    foreign = storage.disk_bytes - storage.free_bytes - storage.disk_events_bytes - own
    found: list[DiskPart] = []
    start = 0.0
    for kind, title, size in (
        ("events", "Events", storage.disk_events_bytes),
        ("own", "Else in the data folder", own),
        ("foreign", "Others on this disk", max(0, foreign)),
        ("free", "Free", storage.free_bytes),
    ):
        length = 100 * size / storage.disk_bytes if storage.disk_bytes else 0.0
        found.append(DiskPart(kind, title, size, round(start, 2), round(length, 2)))
        start += length
    return tuple(found)


def _bar(one: DaySize, top: Sequence[str], tallest: int) -> DayBar:
    sizes = [one.by.get(name, 0) for name in top]
    sizes.append(one.size_bytes - sum(sizes))
    parts = []
    start = 0.0
    for number, size in enumerate(sizes):
        if size > 0:
            length = max(_LEAST, 100 * size / tallest)
            parts.append(Part(number, round(start, 1), round(min(length, 100 - start), 1)))
            start = min(start + length, 100)
    return DayBar(one.day, one.events, one.size_bytes, tuple(parts))
