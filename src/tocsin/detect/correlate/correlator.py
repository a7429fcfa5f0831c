"""The correlator: stateful rules over the hits of match rules, turn by turn."""

from collections.abc import Iterable, Mapping, Sequence

from tocsin.detect.correlate.correlated import Saved
from tocsin.detect.correlate.limits import Limits, StateCounts
from tocsin.detect.correlate.memory import Memory
from tocsin.detect.correlate.onward import fingerprints, onward_of
from tocsin.detect.correlate.rule_plan import plans_of
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.saving import keys_of, restored
from tocsin.detect.correlate.sharding import Part, Shard, placements_of, prints_within
from tocsin.detect.correlate.text_hash import TextHashes
from tocsin.detect.correlate.turn import Frame, Turn
from tocsin.detect.rules.stateful_rule import StatefulRule


class Correlator:
    """Runs stateful rules. One thread at a time, one turn at a time.

    What it finds is a function of the events alone: neither their order of arrival, nor how they
    were cut into batches and turns, nor a restart changes what stands in the end.

    Several with a ``shard`` each, all given the same batches and hits, find together what one
    without finds; each remembers its own groups.
    """

    def __init__(
        self,
        rules: Sequence[StatefulRule],
        *,
        limits: Limits | None = None,
        shard: Shard | None = None,
    ) -> None:
        self._shard = shard or Shard()
        self._put(rules)
        self._stale: list[Saved] = []
        self._limits = limits or Limits()
        self._memory = Memory()
        self._hashes = TextHashes()

    def begin(self) -> Turn:
        """A turn; one that is not kept leaves no trace."""
        part = Part(self._shard, self._placements)
        frame = Frame(self._plans, self._onward, self._prints, self._limits, self._hashes, part)
        return Turn(frame, self._memory, self._stale, self._keep)

    def restore(self, saved: Iterable[Saved]) -> None:
        """Remember what earlier turns' ``changes`` left, in the place of all that is remembered.

        Raises ``DetectError`` when a piece can't be read.
        """
        self._memory, self._stale = restored(saved, self._plans, self._prints)

    def replace(self, rules: Sequence[StatefulRule]) -> None:
        """Put other rules in force; a rule that stayed as it was goes on where it is.

        What was remembered of rules that went or changed what they measure is forgotten.
        """
        former = self._prints
        self._put(rules)
        kept = {}
        for rule_id, state in self._memory.rules.items():
            if self._prints.get(rule_id) == former[rule_id]:
                kept[rule_id] = state
            else:
                self._stale = [*self._stale, *keys_of(rule_id, state)]
        self._memory = self._memory.with_rules(kept)

    def counts(self) -> Mapping[str, StateCounts]:
        """What each rule holds, by rule id."""
        states = self._memory.rules
        return {rule_id: states.get(rule_id, RuleState()).counts() for rule_id in self._plans}

    def _keep(self, memory: Memory) -> None:
        self._memory = memory
        self._stale = []

    def _put(self, rules: Sequence[StatefulRule]) -> None:
        self._plans = plans_of(rules)
        self._onward = onward_of(self._plans)
        self._placements = placements_of(self._plans)
        prints = fingerprints(self._plans, self._onward)
        self._prints = prints_within(prints, self._placements, self._shard)
