"""Playing a sequence of events to rules that look at several, as their tests and examples do."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.errors import DetectError
from tocsin.detect.matching.engine import Engine, Hit
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.stateful_rule import NewTermsRule, StatefulRule
from tocsin.model.event import EventBatch

START = datetime(2026, 3, 1, tzinfo=UTC)
"""When second 0 of a played sequence is."""

Timed = tuple[float, str, Mapping[str, Any]]
"""Seconds since the start, the match rule (name or id) whose log source it is of, the fields."""

Taken = tuple[EventBatch, list[Hit]]


def play(ruleset: RuleSet, rule: StatefulRule, events: Sequence[Timed]) -> list[Correlated]:
    """What stands of the rule's findings after ``events``, given in the order they arrive.

    Every event arrives in a turn of its own and none is too late; after the last all windows
    close. An event whose rule is "" is of the only match rule there is. Raises ``DetectError``
    for a name that is no match rule the stateful one takes.
    """
    needed = needed_by(rule, ruleset)
    return standing_of(needed, rule.rule.id, hits_of(needed, events))


def standing_of(needed: RuleSet, rule_id: str, played: Iterable[Taken]) -> list[Correlated]:
    """What stands of a rule's findings when each batch was a turn of its own and all is over."""
    correlator = Correlator(needed.stateful, limits=Limits(lateness=None))
    standing: dict[str, Correlated] = {}
    for batch, hits in played:
        turn = correlator.begin()
        turn.take(batch, hits)
        _settle(standing, turn.finish(START))
        turn.keep()
    last = correlator.begin()
    _settle(standing, last.finish(START, final=True))
    last.keep()
    return sorted(
        (found for found in standing.values() if found.rule.id == rule_id),
        key=lambda found: (found.time, found.group),
    )


def hits_of(needed: RuleSet, events: Sequence[Timed]) -> list[Taken]:
    """Each event as a batch of one, with what the engine finds in it."""
    engine = Engine(needed)
    names = {key: one for one in needed.rules for key in (one.rule.id, one.name) if key}
    if len(needed.rules) == 1:
        names[""] = needed.rules[0]
    played = []
    for number, (seconds, name, fields) in enumerate(events):
        of = names.get(name)
        if of is None:
            known = ", ".join(sorted(key for key in names if key))
            raise DetectError(
                f"event {number + 1} is of rule {name!r}, which is no match rule this one takes: "
                f"name one of {known}"
            )
        batch = _batch(of, seconds, fields, number)
        played.append((batch, engine.evaluate(batch)))
    return played


def needed_by(rule: StatefulRule, ruleset: RuleSet) -> RuleSet:
    """The rule with all that it takes, match rules and other correlations."""
    stateful = {one.rule.id: one for one in ruleset.stateful}
    needed: dict[str, StatefulRule] = {}
    matches: dict[str, SigmaMatchRule] = {}
    waiting = [rule.rule.id]
    while waiting:
        rule_id = waiting.pop()
        one, match = stateful.get(rule_id), ruleset.by_id(rule_id)
        if match is not None:
            matches[rule_id] = match
        if one is not None and rule_id not in needed:
            needed[rule_id] = one
            waiting += [rule_id] if isinstance(one, NewTermsRule) else one.rules
    kept = tuple(one for one in ruleset.stateful if one.rule.id in needed)
    return RuleSet(
        tuple(matches.values()), stateful=kept, silent=ruleset.silent & {*matches, *needed}
    )


def _batch(
    one: SigmaMatchRule, seconds: float, fields: Mapping[str, Any], number: int
) -> EventBatch:
    source = one.rule.logsource
    lane = lane_for(source.product, source.category, source.service)
    time = START + timedelta(seconds=seconds)
    return batch_of(lane, [fields], times=[time], first=number)


def _settle(standing: dict[str, Correlated], said: Sequence[Correlated]) -> None:
    for found in said:
        standing.pop(found.supersedes, None)
        if not found.retracted:
            standing[found.finding_id] = found
