"""What a backtest has counted so far of one rule; it can be written down and taken up again."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_ENTITIES = 20_000
"""Of so many findings of a rule in one stretch of history the entities are looked up."""
_KEPT = 5_000
_DAY_US = 86_400_000_000


@dataclass(slots=True)
class RuleTally:
    """Counts by day (ISO date, UTC), source, entity key and exception; the first events found.

    ``looked_up`` is of how many findings the entity is known.
    """

    findings: int = 0
    days: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    entities: Counter[str] = field(default_factory=Counter)
    looked_up: int = 0
    hidden: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, Any]] = field(default_factory=list)

    def add_days(self, times_us: npt.NDArray[np.int64]) -> None:
        days, counts = np.unique(times_us // _DAY_US, return_counts=True)
        for day, count in zip(days.tolist(), counts.tolist(), strict=True):
            self.days[str(np.datetime64(day, "D"))] += count
        self.findings += len(times_us)

    def join(self, other: "RuleTally", most_samples: int) -> None:
        """Add what a further stretch of history gave."""
        self.findings += other.findings
        self.days.update(other.days)
        self.sources.update(other.sources)
        self.entities.update(other.entities)
        if len(self.entities) > 2 * _KEPT:
            self.entities = Counter(dict(self.entities.most_common(_KEPT)))
        self.looked_up += other.looked_up
        self.hidden.update(other.hidden)
        self.samples += other.samples[: max(0, most_samples - len(self.samples))]

    def as_json(self) -> dict[str, Any]:
        return {
            "findings": self.findings,
            "days": dict(self.days),
            "sources": dict(self.sources),
            "entities": dict(self.entities),
            "looked_up": self.looked_up,
            "hidden": dict(self.hidden),
            "samples": self.samples,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "RuleTally":
        return cls(
            findings=told["findings"],
            days=Counter(told["days"]),
            sources=Counter(told["sources"]),
            entities=Counter(told["entities"]),
            looked_up=told["looked_up"],
            hidden=Counter(told["hidden"]),
            samples=list(told["samples"]),
        )
