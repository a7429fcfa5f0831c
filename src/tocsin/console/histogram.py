"""The histogram of a search: stacked bars by severity, as numbers the page draws with SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from tocsin.app.moment import span
from tocsin.console.display import in_zone
from tocsin.store.query import Bucket

_STACK: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("informational", (0, 1, 99)),
    ("low", (2,)),
    ("medium", (3,)),
    ("high", (4,)),
    ("critical", (5, 6)),
)
"""From the ground up: the level and the OCSF severity ids shown as it."""
_KNOWN = frozenset(severity for _, ids in _STACK for severity in ids)


@dataclass(frozen=True, slots=True)
class Part:
    """One severity in one bar: heights in percent of the tallest bar, measured from above."""

    level: str
    top: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One span of time."""

    start: datetime
    end: datetime
    count: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bars of equal spans, labels below them, and the tallest bar's count."""

    bars: tuple[Bar, ...]
    ticks: tuple[datetime, ...]
    tallest: int
    total: int
    bar_span: str
    levels: tuple[tuple[str, int], ...]


def draw(buckets: Sequence[Bucket], ticks: int = 6) -> Histogram:
    """Buckets in order as a histogram; an empty list draws nothing."""
    tallest = max((bucket.count for bucket in buckets), default=0)
    bars = tuple(_bar(bucket, tallest) for bucket in buckets)
    levels: dict[str, int] = {}
    for bar in bars:
        for part in bar.parts:
            levels[part.level] = levels.get(part.level, 0) + part.count
    order = [level for level, _ in reversed(_STACK)]
    return Histogram(
        bars=bars,
        ticks=_ticks(buckets, ticks),
        tallest=tallest,
        total=sum(bucket.count for bucket in buckets),
        bar_span=_bar_span(buckets),
        levels=tuple((level, levels[level]) for level in order if levels.get(level)),
    )


def _bar(bucket: Bucket, tallest: int) -> Bar:
    parts: list[Part] = []
    bottom = 100.0
    unlisted = bucket.count - sum(bucket.by.get(severity, 0) for severity in _KNOWN)
    for level, ids in _STACK:
        count = sum(bucket.by.get(severity, 0) for severity in ids)
        if level == "informational":
            count += unlisted
        if count > 0:
            height = 100.0 * count / tallest
            bottom -= height
            parts.append(Part(level, round(bottom, 3), round(height, 3), count))
    return Bar(bucket.start, bucket.end, bucket.count, tuple(parts))


def _ticks(buckets: Sequence[Bucket], wanted: int) -> tuple[datetime, ...]:
    if not buckets:
        return ()
    first, last = buckets[0].start, buckets[-1].end
    step = (last - first) / wanted
    return tuple(first + step * place for place in range(wanted + 1))


def _bar_span(buckets: Sequence[Bucket]) -> str:
    """The length of one bar; beyond ten minutes to the minute, which is as fine as one sees."""
    if not buckets:
        return ""
    length_s = (buckets[0].end - buckets[0].start).total_seconds()
    return span(round(length_s / 60) * 60 if length_s > 600 else length_s)


def tick_label(moment: datetime, length: timedelta, zone: tzinfo = UTC) -> str:
    """A label as fine as the whole span needs."""
    moment = in_zone(moment, zone)
    if length <= timedelta(hours=2):
        return moment.strftime("%H:%M:%S")
    if length <= timedelta(days=2):
        return moment.strftime("%H:%M")
    return (
        moment.strftime("%b %d %H:%M") if length <= timedelta(days=9) else moment.strftime("%b %d")
    )
