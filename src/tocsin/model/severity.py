"""How serious something is: Sigma's five levels, their OCSF ids and their base scores."""

from enum import StrEnum


class Level(StrEnum):
    """Sigma 2.1 ``level``; orders by seriousness through ``rank``."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 (informational) to 4 (critical)."""
        return _RANKS[self]

    @property
    def base_score(self) -> int:
        """Score 0-100 an alert of this level starts from."""
        return (5, 25, 50, 75, 95)[self.rank]

    @property
    def severity_id(self) -> int:
        """OCSF ``severity_id``: 1 informational to 5 critical."""
        return self.rank + 1


_RANKS = {level: rank for rank, level in enumerate(Level)}
