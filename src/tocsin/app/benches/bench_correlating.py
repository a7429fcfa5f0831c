"""Correlates what an engine finds in events in memory, for benchmarks of all of a rule set."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.app.home.history import STRETCH_ROWS
from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.turn import Turn
from tocsin.detect.matching.engine import Hit
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.stateful_rule import CorrelationRule, CorrelationType
from tocsin.model.event import EventBatch


class Correlating:
    """Takes batches, in turns as long as a backtest's, and knows which verdicts stand."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._ruleset = ruleset
        self._correlator = Correlator(ruleset.stateful, limits=Limits(lateness=None))
        self._turn: Turn | None = None
        self._rows = 0
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._standing: dict[str, Correlated] = {}

    def take(self, batch: EventBatch, hits: Sequence[Hit]) -> None:
        if not self._ruleset.stateful:
            return
        if self._rows >= STRETCH_ROWS:
            self._end(is_last=False)
        if self._turn is None:
            self._turn = self._correlator.begin()
        self._turn.take(batch, hits)
        self._rows += len(batch)
        self._latest = max(
            self._latest, pc.max(batch.times.cast(pa.timestamp("us", "UTC"))).as_py()
        )

    def standing(self) -> Counter[str]:
        """After the last batch: how many verdicts of each rule stand, by its id.

        An absence that would only have been noticed after the last event is none.
        """
        self._end(is_last=True)
        absences = {
            one.rule.id
            for one in self._ruleset.stateful
            if isinstance(one, CorrelationRule) and one.type is CorrelationType.ABSENCE
        }
        return Counter(
            one.rule.id
            for one in self._standing.values()
            if one.rule.id not in absences or one.time <= self._latest
        )

    def _end(self, *, is_last: bool) -> None:
        if self._turn is None:
            return
        for one in self._turn.finish(self._latest, final=is_last):
            self._standing.pop(one.supersedes, None)
            if not one.retracted and one.rule.id not in self._ruleset.silent_verdicts:
                self._standing[one.finding_id] = one
        self._turn.changes()
        self._turn.keep()
        self._turn, self._rows = None, 0
