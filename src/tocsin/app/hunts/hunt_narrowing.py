"""Which columns a hunt needs of each lane: what its rules read, where no keyword is about."""

from collections.abc import Collection, Mapping, Sequence

from tocsin.detect.hunt import NAMING
from tocsin.detect.matching.engine import Engine
from tocsin.detect.matching.keyword_sieve import KeywordSieve, keywords_of
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import fields_in
from tocsin.model.field_path import roots_of
from tocsin.model.lane import Lane


class Narrowing:
    """Knows of each lane what its rules read, and looks for their keywords in whole payloads."""

    def __init__(self, engine: Engine, stateful: Collection[str]) -> None:
        """Correlations may look at any field of the events that rules of ``stateful`` match."""
        self._engine = engine
        self._stateful = frozenset(stateful)
        self._known: dict[Lane, tuple[frozenset[str], frozenset[bytes]] | None] = {}
        self._pieces: frozenset[bytes] = frozenset()
        self._sieve = KeywordSieve(())

    def asked(
        self, payloads: Sequence[bytes], lanes: Collection[Lane]
    ) -> Mapping[Lane, frozenset[str]]:
        """The fields that are enough, by lane; a lane of which all are needed is left out."""
        known = {lane: found for lane in lanes if (found := self._of(lane)) is not None}
        pieces = self._pieces.union(*(wanted for _, wanted in known.values()))
        if pieces != self._pieces:
            self._pieces, self._sieve = pieces, KeywordSieve(pieces)
        present = self._sieve.found_in(payloads)
        if present is None:
            return {}
        return {lane: fields for lane, (fields, own) in known.items() if own.isdisjoint(present)}

    def _of(self, lane: Lane) -> tuple[frozenset[str], frozenset[bytes]] | None:
        """The fields the lane's rules read, and pieces of their keywords."""
        if lane not in self._known:
            rules = self._engine.plan_of(lane).rules
            pieces = keywords_of(rules)
            fields = _fields_of(rules)
            is_open = pieces is None or any(rule.rule.id in self._stateful for rule in rules)
            self._known[lane] = None if is_open or pieces is None else (fields, pieces)
        return self._known[lane]


def _fields_of(rules: Sequence[SigmaMatchRule]) -> frozenset[str]:
    paths = frozenset(NAMING).union(*(fields_in(rule.condition) for rule in rules))
    return frozenset().union(*map(roots_of, paths))
