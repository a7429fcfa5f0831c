"""A few numbers as a small picture: the path of its bars, for an SVG on the page."""

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 16
_BAR, _STEP = 4, 5


@dataclass(frozen=True, slots=True)
class Sparkline:
    """``path`` draws the bars in a box of ``width`` by ``HEIGHT``; a bar that counts shows."""

    path: str
    width: int
    tallest: int
    total: int


def sparkline(counts: Sequence[int]) -> Sparkline:
    """One bar a number, the tallest as high as the box; of 0 a line on the ground."""
    tallest = max(counts, default=0)
    parts = []
    for at, count in enumerate(counts):
        height = max(2.0, HEIGHT * count / tallest) if count else 0.0
        if height:
            parts.append(f"M{at * _STEP} {HEIGHT}v-{_short(height)}h{_BAR}v{_short(height)}z")
    return Sparkline("".join(parts), len(counts) * _STEP - 1, tallest, sum(counts))


def _short(length: float) -> str:
    return f"{length:.1f}".removesuffix(".0")
