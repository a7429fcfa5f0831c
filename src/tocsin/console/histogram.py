"""The histogram of a search: stacked bars by severity or any field, as numbers drawn with SVG."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from tocsin.app.moment import span
from tocsin.app.searches.split_histogram import SplitHistogram
from tocsin.console.display import in_zone
from tocsin.console.fields import value_title
from tocsin.store.query import Bucket

_STACK: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("informational", (0, 1, 99)),
    ("low", (2,)),
    ("medium", (3,)),
    ("high", (4,)),
    ("critical", (5, 6)),
)
"""From the ground up: the level and the OCSF severity ids shown as it."""
_TICKS = 6
_KNOWN = frozenset(severity for _, ids in _STACK for severity in ids)


OTHERS = "other"
WITHOUT = "without"


@dataclass(frozen=True, slots=True)
class Layer:
    """One value's part of every bar: ``kind`` says its color, ``counts`` are by bar.

    ``value`` is what a filter asks for, "" for severities, for other values and for none.
    """

    kind: str
    title: str
    counts: tuple[int, ...]
    value: str = ""

    @property
    def total(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Part:
    """One layer in one bar: heights in percent of the tallest bar, measured from above."""

    kind: str
    title: str
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
    """Bars of equal spans, labels below them, and the tallest bar's count.

    ``layers`` are from the top down; ``field`` is what they split, "" for severity.
    """

    bars: tuple[Bar, ...]
    ticks: tuple[datetime, ...]
    tallest: int
    bar_span: str
    layers: tuple[Layer, ...]
    field: str = ""


def draw(buckets: Sequence[Bucket]) -> Histogram:
    """Buckets in order as a histogram by severity; an empty list draws nothing."""
    unlisted = [one.count - sum(one.by.get(id_, 0) for id_ in _KNOWN) for one in buckets]
    layers = [
        Layer(level, level, tuple(sum(one.by.get(id_, 0) for id_ in ids) for one in buckets))
        for level, ids in _STACK
    ]
    ground = tuple(map(sum, zip(layers[0].counts, unlisted, strict=True)))
    return _drawn(buckets, [replace(layers[0], counts=ground), *layers[1:]])


def draw_split(found: SplitHistogram) -> Histogram:
    """A histogram by the values of a field; the most frequent stands on the ground."""
    layers = [
        Layer(f"split-{number}", value_title(found.field, value) or "(empty)", counts, value)
        for number, (value, counts) in enumerate(zip(found.values, found.counts, strict=True), 1)
    ]
    others = Layer(OTHERS, "Other values", found.others)
    without = Layer(WITHOUT, "Without it", found.without)
    return replace(_drawn(found.buckets, [*layers, others, without]), field=found.field)


def _drawn(buckets: Sequence[Bucket], layers: Sequence[Layer]) -> Histogram:
    """``layers`` from the ground up."""
    heights = [sum(layer.counts[at] for layer in layers) for at in range(len(buckets))]
    tallest = max(heights, default=0)
    return Histogram(
        bars=tuple(_bar(bucket, layers, at, tallest) for at, bucket in enumerate(buckets)),
        ticks=_ticks(buckets, _TICKS),
        tallest=tallest,
        bar_span=_bar_span(buckets),
        layers=tuple(layer for layer in reversed(layers) if layer.total),
    )


def _bar(bucket: Bucket, layers: Sequence[Layer], at: int, tallest: int) -> Bar:
    parts: list[Part] = []
    bottom = 100.0
    for layer in layers:
        count = layer.counts[at]
        if count > 0:
            height = 100.0 * count / tallest
            bottom -= height
            parts.append(Part(layer.kind, layer.title, round(bottom, 3), round(height, 3), count))
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
