"""Adds what arrived to what a rule remembers."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tocsin.detect.correlate.arrivals import Arrivals
from tocsin.detect.correlate.ordered_runs import Columns, Keys, Run, Times, among, distinct_of
from tocsin.detect.correlate.rule_plan import Keeping, RulePlan
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.text_hash import mixed
from tocsin.detect.correlate.trailing import covered, with_terms
from tocsin.detect.correlate.watermark import FOREVER, NEVER


def with_arrivals(
    plan: RulePlan, state: RuleState, arrivals: Arrivals, *, repeated: bool
) -> RuleState:
    """The state with the arrivals' events, each once in a group, and what is kept beside them.

    ``repeated`` tells that an event may be there several times (several rules, values, members).
    """
    if plan.keeping is Keeping.SEEN:
        return _with_seen(plan, state, arrivals)
    events = arrivals
    if repeated:
        if plan.keeping is Keeping.NUMBERS:
            arrivals = _of_first_slot(arrivals)
        events = distinct_events(arrivals)
    added = state.events.added(events.groups, events.times, _identities(plan, events))
    state = replace(state, events=added)
    match plan.keeping:
        case Keeping.COVERED:
            return with_terms(state, arrivals, plan.span)
        case Keeping.TERMS:
            kept: Columns = {"term": arrivals.terms}
        case Keeping.NUMBERS:
            kept = {"number": arrivals.numbers}
        case Keeping.STEPS:
            kept = {**_identities(plan, arrivals), "slot": arrivals.slots.astype(np.int8)}
        case _:
            return state
    return replace(state, terms=state.terms.added(arrivals.groups, arrivals.times, kept))


def onward_column(at: int) -> str:
    """The name under which a column of ``Arrivals.onward`` is kept."""
    return f"onward{at}"


def without_events(plan: RulePlan, state: RuleState, gone: Arrivals) -> RuleState:
    """The state without events that turned out not to have happened."""
    run = state.events.whole()
    if run is None:
        return state
    lost = among(_events_held(run), distinct_of(_events_hashed(gone)))
    state = replace(state, events=state.events.only(run, ~lost))
    terms = state.terms.whole()
    if terms is None:
        return state
    if "id_low" in terms.columns:
        lost = among(_events_held(terms), distinct_of(_events_hashed(gone)))
    else:
        value = {"term": gone.terms, "number": gone.numbers.view(np.uint64)}
        name = next((name for name in value if name in terms.columns), None)
        keys = terms_seen(gone) if plan.keeping is Keeping.COVERED else gone.groups
        asked = mixed(keys, gone.times.view(np.uint64))
        held = mixed(terms.row_keys(), terms.times.view(np.uint64))
        if name is not None:
            asked = mixed(asked, value[name])
            held = mixed(held, terms.columns[name].view(np.uint64))
        lost = _once_each(held, asked)
    state = replace(state, terms=state.terms.only(terms, ~lost))
    return covered(state, plan.span) if plan.keeping is Keeping.COVERED else state


def _once_each(held: Keys, asked: Keys) -> npt.NDArray[np.bool_]:
    """As many of the held as are asked for, of each key."""
    distinct, counts = np.unique(asked, return_counts=True)
    order = np.argsort(held, kind="stable")
    ordered = held[order]
    nth = np.arange(len(held)) - np.searchsorted(ordered, ordered)
    at = np.minimum(np.searchsorted(distinct, ordered), len(distinct) - 1)
    chosen = np.zeros(len(held), bool)
    chosen[order] = (distinct[at] == ordered) & (nth < counts[at])
    return chosen


def _events_hashed(arrivals: Arrivals) -> Keys:
    when = mixed(mixed(arrivals.groups, arrivals.times.view(np.uint64)), arrivals.kinds)
    return mixed(mixed(when, arrivals.id_high), arrivals.id_low)


def _events_held(run: Run) -> Keys:
    when = mixed(mixed(run.row_keys(), run.times.view(np.uint64)), run.columns["kind"])
    return mixed(mixed(when, run.columns["id_high"]), run.columns["id_low"])


def distinct_events(arrivals: Arrivals) -> Arrivals:
    """Each event once in a group, whatever it was taken for."""
    order, fresh = _event_order(arrivals)
    return arrivals.at(np.sort(order[fresh]))


def terms_seen(arrivals: Arrivals) -> Keys:
    """The key of each arrival's group and term together."""
    return mixed(arrivals.groups, arrivals.terms)


def _with_seen(plan: RulePlan, state: RuleState, arrivals: Arrivals) -> RuleState:
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
            keys, arrivals.times, {**_identities(plan, arrivals), "group": arrivals.groups}
        ),
        begins=state.begins.added(groups[earlier], came[earlier], {}),
    )


def _of_first_slot(arrivals: Arrivals) -> Arrivals:
    """An event's numbers as the first of the rules that hit it reads them."""
    order, fresh = _event_order(arrivals)
    begins = np.flatnonzero(fresh)
    first = np.repeat(order[begins], np.diff(np.append(begins, len(order))))
    return arrivals.at(np.sort(order[arrivals.slots[order] == arrivals.slots[first]]))


def _event_order(arrivals: Arrivals) -> tuple[Times, npt.NDArray[np.bool_]]:
    """The order by event and slot, and where in it an event begins."""
    parts = (arrivals.kinds, arrivals.times, arrivals.id_low, arrivals.id_high, arrivals.groups)
    order = np.lexsort((arrivals.slots, *parts))
    fresh = np.zeros(len(order), bool)
    fresh[:1] = True
    for column in parts:
        fresh[1:] |= column[order][1:] != column[order][:-1]
    return order, fresh


def _identities(
    plan: RulePlan, arrivals: Arrivals
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
    onward = {onward_column(at): column for at, column in enumerate(arrivals.onward.T)}
    if plan.chained:
        onward["kind"] = arrivals.kinds
    return {
        "id_high": arrivals.id_high,
        "id_low": arrivals.id_low,
        "place": arrivals.places.astype(np.int32),
        **onward,
    }
