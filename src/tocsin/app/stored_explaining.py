"""Explains a rule on an event of the store, with what else its window held."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from tocsin.app.explained_window import window_of
from tocsin.app.given_event import GivenEvent
from tocsin.app.rule_explaining import RuleExplanation, explain_rule
from tocsin.detect.exceptions import RuleExceptions
from tocsin.detect.ruleset import RuleSet
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
    return replace(
        found,
        window=window_of(ruleset, rule_id, event, events, lanes),
        hidden_by=hidden_by(in_force.get(rule_id), found, event),
    )


def hidden_by(exceptions: RuleExceptions | None, found: RuleExplanation, event: GivenEvent) -> str:
    """Which exception keeps a match from being a finding, in words; "" when none does."""
    if exceptions is None or not found.matches:
        return ""
    one = exceptions.find(event.native, datetime.now(UTC))
    if one is None:
        return ""
    return f"exception {one.id} of {one.owner} hides it: {one.reason}"
