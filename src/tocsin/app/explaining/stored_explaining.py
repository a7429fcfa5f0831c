"""Explains a rule on an event of the store, with what else its window held."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from tocsin.app.explaining.explained_window import window_of
from tocsin.app.explaining.given_event import GivenEvent
from tocsin.app.explaining.rule_explaining import RuleExplanation, explain_rule
from tocsin.detect.reading.exceptions import RuleExceptions
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.model.lane import Lane
from tocsin.store.ports import EventStore


def explain_stored(
    ruleset: RuleSet,
    rule_id: str,
    event: GivenEvent,
    events: EventStore,
    lanes: Mapping[str, Lane],
    exceptions: Mapping[str, RuleExceptions] | None = None,
) -> RuleExplanation | None:
    """As ``explain_rule``; None when no such rule looks at events.

    ``exceptions`` are those in force by rule id (default: those of the rule set).
    """
    found = explain_rule(ruleset, rule_id, event)
    if found is None:
        return None
    in_force = ruleset.exceptions if exceptions is None else exceptions
    window = window_of(ruleset, rule_id, event, events, lanes)
    return replace(sifted(found, in_force, event, datetime.now(UTC)), window=window)


def sifted(
    found: RuleExplanation,
    in_force: Mapping[str, RuleExceptions],
    event: GivenEvent,
    now: datetime,
    *,
    is_taken: bool = False,
) -> RuleExplanation:
    """With the exceptions that hide its match, or one of a rule it takes: that counts nothing.

    A correlation ``is_taken`` by another is hidden from that one by its group alone.
    """
    before = found.bases
    bases = tuple(sifted(one, in_force, event, now, is_taken=True) for one in before)
    group = {one.name: one.values[0] for one in found.grouped if one.values}
    only_group = group.keys() if is_taken and found.bases else None
    of_rule = in_force.get(found.rule_id) if found.matches else None
    record = {**group, **event.native}
    one = of_rule.find(record, now, within=only_group) if of_rule is not None else None
    words = f"exception {one.id} of {one.owner} hides it: {one.reason}" if one is not None else ""
    found = replace(found, bases=bases, hidden_by=words)
    counted = any(one.matches and not one.hidden_by for one in bases)
    hidden = [each for was, each in zip(before, bases, strict=True) if was.matches]
    if not found.matches or not hidden or counted:
        return found
    told = tuple(f"“{one.title}”: {one.hidden_by or one.blamed[0]}" for one in hidden)
    return replace(found, matches=False, blamed=told)
