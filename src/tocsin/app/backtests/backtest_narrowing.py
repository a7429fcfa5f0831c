"""Which stored fields a backtest has to read: what its rules look at, lane by lane."""

from collections.abc import Iterable

from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.matcher import KEYWORD, fields_in
from tocsin.detect.rules.stateful_rule import CorrelationRule
from tocsin.model.field_path import roots_of
from tocsin.model.lane import Lane


class FieldsRead:
    """Knows what is looked at of events: by conditions, exceptions and correlations."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._ruleset = ruleset
        self._together = _by_stateful(ruleset)
        self._of_rule: dict[str, frozenset[str]] = {}

    def of(self, lane: Lane) -> frozenset[str] | None:
        """The top-level native fields that are enough of the lane's events.

        None: all of them, as keywords are looked for in every field there is.
        """
        asking = [one for one in self._ruleset.rules if lane.accepts(one.rule.logsource)]
        names = self._together.union(*(self._by(one.rule.id) for one in asking))
        names = names.union(*(fields_in(one.condition) for one in asking))
        return None if KEYWORD in names else _roots(names)

    def _by(self, rule_id: str) -> frozenset[str]:
        """What the rule's exceptions look at."""
        if rule_id not in self._of_rule:
            found = self._ruleset.exceptions.get(rule_id)
            self._of_rule[rule_id] = found.fields() if found else frozenset()
        return self._of_rule[rule_id]


def _by_stateful(ruleset: RuleSet) -> frozenset[str]:
    """What correlations and new terms read of any event they are given, with their exceptions."""
    names: set[str] = set()
    for one in ruleset.stateful:
        names.update(one.group_by, one.fields)
        if isinstance(one, CorrelationRule):
            names.update(name for fields in one.aliases.values() for name in fields.values())
        exceptions = ruleset.exceptions.get(one.rule.id)
        if exceptions is not None:
            names |= exceptions.fields()
    return frozenset(names)


def _roots(names: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*map(roots_of, names))
