"""A few numbers as a small picture: the path of its bars, for an SVG on the page."""

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 16
_BAR, _STEP = 4, 5
Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sparkline:
    """``path`` draws the bars in a box of ``width`` by ``HEIGHT``; a bar that counts shows.

    ``band`` draws what is usual behind them; it is empty where that is not known.
    """

    path: str
    width: int
    tallest: int
    total: int
    band: str = ""


def sparkline(counts: Sequence[int], usual: Sequence[Range | None] = ()) -> Sparkline:
    """One bar a number, the tallest as high as the box; of 0 a line on the ground.

    ``usual`` are the least and the most that is usual of each number.
    """
    tallest = max(counts, default=0)
    highest = max((tallest, *(high for _, high in filter(None, usual))))
    bars = []
    for at, count in enumerate(counts):
        height = max(2.0, HEIGHT * count / highest) if count else 0.0
        if height:
            bars.append(f"M{at * _STEP} {HEIGHT}v-{_short(height)}h{_BAR}v{_short(height)}z")
    band = "".join(
        _block(at, HEIGHT * one[0] / highest, HEIGHT * one[1] / highest)
        for at, one in enumerate(usual)
        if one is not None and highest
    )
    return Sparkline("".join(bars), len(counts) * _STEP - 1, tallest, sum(counts), band)


def _block(at: int, low: float, high: float) -> str:
    """From ``low`` to ``high`` over the whole step, so that neighbors touch; never too thin."""
    thick = max(1.0, high - low)
    return f"M{at * _STEP} {_short(HEIGHT - low)}v-{_short(thick)}h{_STEP}v{_short(thick)}z"


def _short(length: float) -> str:
    return f"{length:.1f}".removesuffix(".0")
