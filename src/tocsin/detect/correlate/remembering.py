"""Adds what arrived to what a rule remembers."""

from dataclasses import replace

import numpy as np

from tocsin.detect.correlate.arrivals import Arrivals
from tocsin.detect.correlate.ordered_runs import Columns, Keys, Times
from tocsin.detect.correlate.rule_plan import Keeping, RulePlan
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.text_hash import mixed
from tocsin.detect.correlate.trailing import with_terms
from tocsin.detect.correlate.watermark import FOREVER, NEVER


def with_arrivals(
    plan: RulePlan, state: RuleState, arrivals: Arrivals, *, repeated: bool
) -> RuleState:
    """The state with the arrivals' events, each once in a group, and what is kept beside them.

    ``repeated`` tells that an event may be there several times (several rules, values, members).
    """
    if plan.keeping is Keeping.SEEN:
        return _with_seen(state, arrivals)
    events = arrivals
    if repeated:
        if plan.keeping is Keeping.NUMBERS:
            arrivals = _of_first_slot(arrivals)
        events = distinct_events(arrivals)
    added = state.events.added(events.groups, events.times, _identities(events))
    state = replace(state, events=added)
    match plan.keeping:
        case Keeping.COVERED:
            return with_terms(state, arrivals, plan.span)
        case Keeping.TERMS:
            kept: Columns = {"term": arrivals.terms}
        case Keeping.NUMBERS:
            kept = {"number": arrivals.numbers}
        case Keeping.STEPS:
            kept = {**_identities(arrivals), "slot": arrivals.slots.astype(np.int8)}
        case _:
            return state
    return replace(state, terms=state.terms.added(arrivals.groups, arrivals.times, kept))


def distinct_events(arrivals: Arrivals) -> Arrivals:
    """Each event once in a group, whatever it was taken for."""
    order = np.lexsort((arrivals.slots, arrivals.id_low, arrivals.id_high, arrivals.groups))
    return arrivals.at(np.sort(order[_fresh_events(arrivals, order)]))


def terms_seen(arrivals: Arrivals) -> Keys:
    """The key of each arrival's group and term together."""
    return mixed(arrivals.groups, arrivals.terms)


def _with_seen(state: RuleState, arrivals: Arrivals) -> RuleState:
    keys = terms_seen(arrivals)
    groups, ranks = np.unique(arrivals.groups, return_inverse=True)
    came = np.full(len(groups), FOREVER, np.int64)
    np.minimum.at(came, ranks, arrivals.times)
    known = state.begins.places(groups).earliest_after(np.full(len(groups), NEVER), FOREVER)
    earlier = came < known
    return replace(
        state,
        events=state.events.added(arrivals.groups, arrivals.times, {"key": keys}),
        terms=state.terms.added(
            keys, arrivals.times, {**_identities(arrivals), "group": arrivals.groups}
        ),
        begins=state.begins.added(groups[earlier], came[earlier], {}),
    )


def _of_first_slot(arrivals: Arrivals) -> Arrivals:
    """An event's numbers as the first of the rules that hit it reads them."""
    order = np.lexsort((arrivals.slots, arrivals.id_low, arrivals.id_high, arrivals.groups))
    begins = np.flatnonzero(_fresh_events(arrivals, order))
    first = np.repeat(order[begins], np.diff(np.append(begins, len(order))))
    return arrivals.at(np.sort(order[arrivals.slots[order] == arrivals.slots[first]]))


def _fresh_events(arrivals: Arrivals, order: Times) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    fresh = np.zeros(len(order), bool)
    fresh[:1] = True
    for column in (arrivals.groups, arrivals.id_high, arrivals.id_low):
        fresh[1:] |= column[order][1:] != column[order][:-1]
    return fresh


def _identities(arrivals: Arrivals) -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
    return {
        "id_high": arrivals.id_high,
        "id_low": arrivals.id_low,
        "place": arrivals.places.astype(np.int32),
    }
