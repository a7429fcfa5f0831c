"""Explains a rule on an event of the store, with what else its window held."""

from collections.abc import Mapping
from dataclasses import replace

from tocsin.app.explained_window import window_of
from tocsin.app.given_event import GivenEvent
from tocsin.app.rule_explaining import RuleExplanation, explain_rule
from tocsin.detect.ruleset import RuleSet
from tocsin.model.lane import Lane
from tocsin.store.ports import EventStore


def explain_stored(
    ruleset: RuleSet, rule_id: str, event: GivenEvent, events: EventStore, lanes: Mapping[str, Lane]
) -> RuleExplanation | None:
    """As ``explain_rule``; None when no such rule looks at events."""
    found = explain_rule(ruleset, rule_id, event)
    if found is None:
        return None
    return replace(found, window=window_of(ruleset, rule_id, event, events, lanes))
