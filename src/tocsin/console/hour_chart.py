"""What a source sent by hour, as numbers the page draws with SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.ingest.source_hours import SourceHour


@dataclass(frozen=True, slots=True)
class HourBar:
    """Heights in percent of the tallest bar; ``bad`` is what of it could not be read or known."""

    hour: SourceHour
    height: float
    bad: float


@dataclass(frozen=True, slots=True)
class HourChart:
    """One bar an hour, oldest first."""

    bars: tuple[HourBar, ...]
    tallest: int
    total: int
    bad_total: int


def hour_chart(hours: Sequence[SourceHour]) -> HourChart:
    """Bars of events, and on the same scale the records not understood."""
    bad = [hour.unreadable + hour.unrecognized for hour in hours]
    tallest = max((*(hour.events for hour in hours), *bad, 1))
    bars = tuple(
        HourBar(hour, _percent(hour.events, tallest), _percent(of_hour, tallest))
        for hour, of_hour in zip(hours, bad, strict=True)
    )
    return HourChart(bars, tallest, sum(hour.events for hour in hours), sum(bad))


def _percent(count: int, tallest: int) -> float:
    return round(max(1.5, 100 * count / tallest), 1) if count else 0.0
