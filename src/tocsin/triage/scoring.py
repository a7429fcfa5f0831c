"""Scores an alert 0-100 from addends that sum to the score exactly."""

import math
from typing import Protocol

from tocsin.model.because import Addend, Score
from tocsin.model.entity import Entity
from tocsin.model.severity import Level

_TIER_POINTS = {0: 12.0, 1: 6.0, 2: 0.0, 3: -5.0}
_TIER_NAMES = {0: "most critical", 1: "critical", 2: "ordinary", 3: "least critical"}
_GROWTH_CEILING = 10.0
_SOURCES_CEILING = 6.0
_TECHNIQUES_CEILING = 3.0


class AssetTiers(Protocol):
    """Knows how critical an entity is; met by the asset register."""

    def tier_of(self, entity: Entity) -> int | None:
        """0 (most critical) to 3 (least), None when the entity is no asset of ours."""
        ...


class NoTiers:
    """Knows no assets."""

    def tier_of(self, entity: Entity) -> int | None:
        return None


def alert_score(
    level: Level,
    count: int,
    tier: int | None,
    sources: tuple[str, ...],
    techniques: tuple[str, ...],
    rule_id: str,
) -> Score:
    """The score of an alert; points are quarters, so that floats sum without a remainder.

    Repetition adds 2.5 points for each tenfold growth (10 at most): it must never lift a noisy
    rule over a serious one. A second source or technique adds a little more.
    """
    addends = [
        Addend(f"rule of level {level.value}", float(level.base_score), (f"rule:{rule_id}",))
    ]
    growth = _quarter(min(_GROWTH_CEILING, 2.5 * math.log10(max(1, count))))
    if growth:
        addends.append(Addend(f"happened {count:,} times", growth))
    if tier is not None:
        known = min(3, max(0, tier))
        addends.append(Addend(f"asset tier {tier} ({_TIER_NAMES[known]})", _TIER_POINTS[known]))
    if len(sources) > 1:
        points = min(_SOURCES_CEILING, 2.0 * (len(sources) - 1))
        addends.append(Addend(f"seen by {len(sources)} sources", points, sources))
    if len(techniques) > 1:
        points = min(_TECHNIQUES_CEILING, 1.0 * (len(techniques) - 1))
        addends.append(Addend(f"{len(techniques)} ATT&CK techniques", points, techniques))
    return bounded_score(addends)


def without_grounds(score: Score, level: Level) -> Score:
    """The score of an alert whose findings were all retracted: what its level gave is gone."""
    addend = Addend("retracted: late events show it did not hold", -float(level.base_score))
    return bounded_score([*score.addends, addend])


def bounded_score(addends: list[Addend]) -> Score:
    """The sum of the addends within 0-100; what bounding took away is an addend of its own."""
    total = math.fsum(addend.points for addend in addends)
    value = min(100.0, max(0.0, total))
    if value != total:
        addends = [*addends, Addend("bounded to 0-100", value - total)]
    return Score(value, tuple(addends))


def _quarter(points: float) -> float:
    return round(points * 4) / 4
