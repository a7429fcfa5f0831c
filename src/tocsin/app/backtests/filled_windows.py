"""What rules over several events say around a gap once its events are there, and what that corrects."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from tocsin.app.flow.assets import AssetRegister
from tocsin.app.flow.correlated_findings import CorrelatedFindings
from tocsin.app.flow.identity import entities_with
from tocsin.app.flow.last_events import last_events
from tocsin.app.home.history import NOT_EVALUATED, lanes_by_id
from tocsin.app.rules.rule_sieve import Sieve
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.stateful_rule import CorrelationRule, CorrelationType, NewTermsRule
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding
from tocsin.model.identifier import repeatable_id
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.ports import Damage, EventStore, ReplayQuery, StateStore
from tocsin.triage.standing_verdicts import StandingVerdict, standing_verdicts


class Stores(Protocol):
    """What is read for it."""

    @property
    def state(self) -> StateStore: ...
    @property
    def events(self) -> EventStore: ...
    @property
    def normalizer(self) -> Normalizer: ...
    @property
    def assets(self) -> AssetRegister: ...


@dataclass(frozen=True, slots=True)
class FilledWindows:
    """Rules over several events of ``ruleset``, around events that happened ``first`` to ``last``.

    What these rules find is a function of the events alone, so they look at all stored events
    around those anew: nothing depends on what was remembered while the gap lasted.
    """

    house: Stores
    ruleset: RuleSet
    first: datetime
    last: datetime

    def findings(
        self,
        now: datetime,
        on_damage: Callable[[Damage], None],
        should_stop: Callable[[], bool],
    ) -> list[Finding] | None:
        """What is to be told: new findings, and those that take earlier ones back; None: stopped."""
        house, ruleset = self.house, self.ruleset
        reach, before = reach_of(ruleset), _memory_of(ruleset)
        engine, sieve = Engine(ruleset), Sieve(ruleset, now)
        turn = Correlator(ruleset.stateful, limits=Limits(lateness=None)).begin()
        wanted = ReplayQuery(
            start=self.first - max(2 * reach, before),
            end=self.last + 2 * reach + timedelta(microseconds=1),
            without_lanes=NOT_EVALUATED,
        )
        for batch in house.events.replay(wanted, lanes_by_id(house.normalizer.lanes), on_damage):
            if should_stop():
                return None
            turn.take(batch, sieve.hits(batch, engine.evaluate(batch)))
        made = CorrelatedFindings(
            ruleset, entities_with(house.assets), partial(last_events, house.events)
        )
        said = turn.finish(now, final=True, hides=sieve.hides_group)
        standing = [one for one in made.of(said) if not one.retracted]
        found = sieve.findings(standing)
        absences = _absences(ruleset)
        told = [
            one
            for one in found
            if one.began <= self.last and self._touches(one, reach, one.rule_id in absences, now)
        ]
        return self._corrected(told, {one.finding_id for one in found}, reach, absences, now)

    def _touches(self, one: Finding, reach: timedelta, is_absence: bool, now: datetime) -> bool:
        """Whether events of the gap could bear on it, and nothing to come can change it."""
        if is_absence:
            return one.time >= self.first - reach and one.time + reach <= now
        return one.time >= self.first

    def _corrected(
        self,
        told: list[Finding],
        stays: set[str],
        reach: timedelta,
        absences: set[str],
        now: datetime,
    ) -> list[Finding]:
        """The findings, each in the place of what it corrects; absences that were none go."""
        found: list[Finding] = []
        for rule_id in {one.rule.id for one in self.ruleset.stateful}:
            fresh = [one for one in told if one.rule_id == rule_id]
            with self.house.state.read() as tx:
                start, end = self.first - reach, self.last + reach
                kept = standing_verdicts(tx, rule_id, start, end)
            wrong = [one for one in kept if one.finding_id not in stays]
            known = {one.finding_id for one in kept}
            for one in fresh:
                if one.finding_id in known:
                    continue
                before = next((each for each in wrong if _overlap(each, one)), None)
                if before is not None:
                    wrong.remove(before)
                    one = replace(one, supersedes=before.finding_id)
                found.append(one)
            if rule_id in absences:
                lasting = [one for one in wrong if one.since <= self.last]
                found += [self._retracted(rule_id, one, now) for one in lasting]
        return found

    def _retracted(self, rule_id: str, gone: StandingVerdict, now: datetime) -> Finding:
        rule = self.ruleset.rule(rule_id)
        if rule is None:
            raise KeyError(rule_id)
        finding_id = repeatable_id("finding", rule_id, "retracted", gone.finding_id)
        kind, _, name = gone.entity.partition(":")
        because = "the events that were missed while the rule did not look are there after all"
        return Finding(
            finding_id=finding_id,
            rule_id=rule_id,
            rule_title=rule.title,
            level=rule.level,
            time=gone.time,
            event_id=finding_id,
            lane="tocsin.fill",
            source="tocsin",
            tags=rule.tags,
            techniques=rule.techniques,
            entities=(Entity(EntityKind(kind), name),),
            matched=(),
            fields={},
            ocsf={"message": because},
            tenant=gone.tenant,
            since=gone.since,
            supersedes=gone.finding_id,
            retracted=True,
            because=because,
        )


def reach_of(ruleset: RuleSet) -> timedelta:
    """How far windows reach, those of rules that take each other one after the other."""
    spans = [one.timespan for one in ruleset.stateful if isinstance(one, CorrelationRule)]
    return sum(spans, timedelta(0))


def _memory_of(ruleset: RuleSet) -> timedelta:
    """How long new-terms rules remember."""
    terms = [one for one in ruleset.stateful if isinstance(one, NewTermsRule)]
    return max((one.window + one.learning for one in terms), default=timedelta(0))


def _absences(ruleset: RuleSet) -> set[str]:
    return {
        one.rule.id
        for one in ruleset.stateful
        if isinstance(one, CorrelationRule) and one.type is CorrelationType.ABSENCE
    }


def _overlap(before: StandingVerdict, one: Finding) -> bool:
    entity = one.entities[0].key if one.entities else ""
    return before.entity == entity and before.since <= one.time and before.time >= one.began
