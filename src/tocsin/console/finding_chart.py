"""The findings of one rule day by day, as numbers the page draws with SVG."""

from dataclasses import dataclass
from datetime import date

from tocsin.app.explaining.finding_days import FindingDays


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day: ``top`` and ``height`` in percent of the tallest day, measured from above."""

    day: date
    count: int
    top: float
    height: float


@dataclass(frozen=True, slots=True)
class FindingChart:
    """Bars oldest first."""

    bars: tuple[DayBar, ...]
    total: int
    tallest: int


def finding_chart(days: FindingDays, rule_id: str) -> FindingChart:
    """The chart of a rule's last days; a day with findings is always to be seen."""
    return day_chart(list(zip(days.days, days.of(rule_id), strict=True)))


def day_chart(counts: list[tuple[date, int]]) -> FindingChart:
    """The chart of any numbers by day, in the order given."""
    tallest = max((count for _, count in counts), default=0)
    bars = []
    for day, count in counts:
        height = max(2.0, 100 * count / tallest) if count else 0.0
        bars.append(DayBar(day, count, round(100 - height, 2), round(height, 2)))
    return FindingChart(tuple(bars), sum(count for _, count in counts), tallest)
