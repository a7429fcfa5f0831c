"""Makes findings of what correlation says, with whom they are about and what was counted in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tocsin.app.flow.identity import EntitiesOf
from tocsin.app.rules.rule_words import verdict_in_words
from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.oracle import explain
from tocsin.detect.rules.stateful_rule import CorrelationRule, StatefulRule
from tocsin.model.entity import Entity
from tocsin.model.finding import Finding, MatchedField
from tocsin.model.rule import Rule
from tocsin.store.query import StoredEvent
from tocsin.triage.entities import ENTITY_COLUMNS

StoredLast = Callable[[Sequence[Correlated]], Mapping[str, StoredEvent]]
"""Finds the last events of verdicts, by their ids, as far as they are stored."""


@dataclass(frozen=True, slots=True)
class CorrelatedFindings:
    """Makes findings; ``stored`` gives the last events of verdicts that came in earlier turns."""

    ruleset: RuleSet
    entities_of: EntitiesOf
    stored: StoredLast

    def of(self, verdicts: Sequence[Correlated]) -> list[Finding]:
        """A finding for each verdict of a rule that is no mere step of another, in their order."""
        by_id = {one.rule.id: one for one in self.ruleset.stateful}
        silent = self.ruleset.silent_verdicts
        told = [one for one in verdicts if one.rule.id not in silent]
        bare = [one for one in told if not one.native and not one.ocsf and one.event_ids]
        stored = self.stored(bare) if bare else {}
        return [self._finding(one, by_id.get(one.rule.id), stored) for one in told]

    def _finding(
        self, found: Correlated, rule: StatefulRule | None, stored: Mapping[str, StoredEvent]
    ) -> Finding:
        about = found.rule
        native, ocsf = found.native, found.ocsf
        if not native and not ocsf and found.event_ids:
            event = stored.get(found.event_ids[-1])
            if event is not None:
                native, ocsf = event.native, event.ocsf
        because = verdict_in_words(rule, found, self._title) if rule is not None else found.because
        return Finding(
            finding_id=found.finding_id,
            rule_id=about.id,
            rule_title=about.title,
            level=about.level,
            time=found.time,
            event_id=found.event_ids[-1] if found.event_ids else found.finding_id,
            lane=found.lane,
            source=found.source,
            tags=about.tags,
            techniques=about.techniques,
            entities=entities_by_group(about, found, ocsf, self.entities_of),
            matched=tuple(self._matched(found, rule, native)),
            fields=native,
            ocsf=ocsf,
            tenant=found.tenant,
            since=found.since,
            evidence=found.event_ids,
            event_count=found.event_count,
            supersedes=found.supersedes,
            retracted=found.retracted,
            because=because,
        )

    def _title(self, rule_id: str) -> str:
        rule = self.ruleset.rule(rule_id)
        if rule is not None:
            return rule.title
        named = (one for one in self.ruleset.rules if one.name == rule_id)
        return next((one.rule.title for one in named), rule_id)

    def _matched(
        self, found: Correlated, rule: StatefulRule | None, native: Mapping[str, object]
    ) -> list[MatchedField]:
        """What was measured, what it was grouped by, and why the last event counted."""
        matched = [MatchedField("measured", f"{found.measured:g}", found.because)]
        matched += [MatchedField(name, value, f"grouped by {name}") for name, value in found.group]
        taken = rule.rules if isinstance(rule, CorrelationRule) else (found.rule.id,)
        for name in taken if native else ():
            match_rule = self.ruleset.by_id(name)
            if match_rule is not None:
                matched += explain(match_rule, native)
        return list(dict.fromkeys(matched))


def entities_by_group(
    rule: Rule, found: Correlated, ocsf: Mapping[str, object], entities_of: EntitiesOf
) -> tuple[Entity, ...]:
    """What a verdict is about: the kind the rule wishes first, else what it was grouped by.

    A verdict is about the group, of which the last event also names others (the last of forty
    hosts that were scanned); those follow.
    """
    everyone = entities_of(rule, ocsf)
    spellings = {spelling for _, value in found.group for spelling in _spellings(value)}
    grouped = {
        column: value
        for column in ENTITY_COLUMNS
        if isinstance(value := ocsf.get(column), str)
        and not spellings.isdisjoint(_spellings(value))
    }
    kept = {name: ocsf[name] for name in ("class_uid",) if name in ocsf}
    of_group = set(entities_of(rule, {**grouped, **kept})) if grouped else set()
    wish = {kind: place for place, kind in enumerate(rule.entity_kinds)}

    def place(entity: Entity) -> tuple[int, bool]:
        return wish.get(entity.kind.value, len(wish)), entity not in of_group

    return tuple(sorted(everyone, key=place))


@lru_cache(maxsize=8192)
def _spellings(value: str) -> frozenset[str]:
    lowered = value.strip().lower()
    return frozenset(
        {
            *(lowered, lowered.rpartition("\\")[2], lowered.partition("@")[0]),
            lowered.partition(".")[0] if not lowered[:1].isdigit() else lowered,
        }
        - {""}
    )
