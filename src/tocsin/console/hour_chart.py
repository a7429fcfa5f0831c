"""What a source sent by hour, as numbers the page draws with SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.ingest.sources.source_hours import SourceHour

_THIN = 0.8


@dataclass(frozen=True, slots=True)
class HourBar:
    """Heights in percent of the tallest bar; ``bad`` is what of it could not be read or known.

    From ``low`` to ``high`` is usual; None where that is not known.
    """

    hour: SourceHour
    height: float
    bad: float
    low: float | None = None
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class HourChart:
    """One bar an hour, oldest first."""

    bars: tuple[HourBar, ...]
    tallest: int
    total: int
    bad_total: int

    @property
    def has_usual(self) -> bool:
        return any(bar.low is not None for bar in self.bars)


def hour_chart(hours: Sequence[SourceHour]) -> HourChart:
    """Bars of events, on the same scale the records not understood, and what is usual."""
    bad = [hour.unreadable + hour.unrecognized for hour in hours]
    tallest = max((*(hour.events for hour in hours), *bad, 1))
    highest = max((tallest, *(hour.usual.high for hour in hours if hour.usual is not None)))
    bars = tuple(
        HourBar(
            hour, _percent(hour.events, highest), _percent(of_hour, highest), *_usual(hour, highest)
        )
        for hour, of_hour in zip(hours, bad, strict=True)
    )
    return HourChart(bars, tallest, sum(hour.events for hour in hours), sum(bad))


def _usual(hour: SourceHour, highest: float) -> tuple[float | None, float]:
    if hour.usual is None:
        return None, 0.0
    low = min(100 * hour.usual.low / highest, 100 - _THIN)
    return round(low, 1), round(max(100 * hour.usual.high / highest, low + _THIN), 1)


def _percent(count: int, highest: float) -> float:
    return round(max(1.5, 100 * count / highest), 1) if count else 0.0
