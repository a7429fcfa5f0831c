"""What is remembered of one rule: its entries, its episodes and how far it has come."""

from dataclasses import dataclass, field

from tocsin.detect.correlate.episodes import Episodes
from tocsin.detect.correlate.limits import StateCounts
from tocsin.detect.correlate.ordered_runs import Runs
from tocsin.detect.correlate.watermark import NEVER


@dataclass(frozen=True, slots=True)
class RuleState:
    """Immutable: a turn makes the next one and the old one stays what it was.

    ``events`` by group. For what counts distinct values: ``terms`` by group and value, and where
    the times covered by a value begin and end (``begins``, ``ends``, by group). ``sealed``:
    up to there all is final and later comers are late; ``reached``: the last watermark.
    """

    events: Runs = field(default_factory=Runs)
    terms: Runs = field(default_factory=Runs)
    begins: Runs = field(default_factory=Runs)
    ends: Runs = field(default_factory=Runs)
    episodes: Episodes = field(default_factory=Episodes)
    sealed: int = NEVER
    reached: int = NEVER
    late: int = 0
    evicted: int = 0
    ungrouped: int = 0

    def counts(self) -> StateCounts:
        size = sum(
            part.size_bytes
            for part in (self.events, self.terms, self.begins, self.ends, self.episodes)
        )
        return StateCounts(
            groups=len(self.events.distinct_keys()),
            entries=len(self.events),
            size_bytes=size,
            episodes=len(self.episodes),
            late=self.late,
            evicted=self.evicted,
            ungrouped=self.ungrouped,
        )
