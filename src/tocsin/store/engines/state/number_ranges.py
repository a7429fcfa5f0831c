"""Sets of whole numbers as ranges: ``1-8,10``."""

from collections.abc import Iterable
from dataclasses import dataclass

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class NumberRanges:
    """Whole numbers; the ranges are in order, apart from each other, both ends included."""

    ranges: tuple[Range, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[Range]) -> "NumberRanges":
        joined: list[Range] = []
        for first, last in sorted(ranges):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = joined[-1][0], max(last, joined[-1][1])
            else:
                joined.append((first, last))
        return cls(tuple(joined))

    @classmethod
    def read(cls, text: str) -> "NumberRanges":
        """What ``str`` wrote; ValueError for another text."""
        parts = [part.partition("-") for part in text.split(",") if part]
        return cls.of((int(first), int(last or first)) for first, _, last in parts)

    def __str__(self) -> str:
        return ",".join(
            str(first) if first == last else f"{first}-{last}" for first, last in self.ranges
        )

    def __contains__(self, number: int) -> bool:
        return any(first <= number <= last for first, last in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    @classmethod
    def each(cls, numbers: Iterable[int]) -> "NumberRanges":
        return cls.of((one, one) for one in numbers)

    def outside(self, others: "NumberRanges") -> "NumberRanges":
        """Those that are not among ``others``."""
        kept: list[Range] = []
        for first, last in self.ranges:
            for low, high in others.ranges:
                if low <= last and high >= first:
                    if first < low:
                        kept.append((first, low - 1))
                    first = high + 1
            if first <= last:
                kept.append((first, last))
        return NumberRanges.of(kept)

    def gaps(self, last: int) -> "NumberRanges":
        """The numbers from 1 to ``last`` that are not among these."""
        return NumberRanges.of([(1, last)]).outside(self) if last else NumberRanges()
