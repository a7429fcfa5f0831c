"""Brings one rule forward: what arrived, what became due, what is to be told."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tocsin.detect.correlate.arrivals import Arrivals
from tocsin.detect.correlate.condition import holds
from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.correlate.correlated_making import Wording, evidence_of, verdicts
from tocsin.detect.correlate.episodes import EpisodeRows, no_rows
from tocsin.detect.correlate.ordered_runs import Keys
from tocsin.detect.correlate.rule_plan import RulePlan, Term
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.telling import Telling, telling
from tocsin.detect.correlate.trailing import (
    Judged,
    Touched,
    counted_events,
    counted_terms,
    episodes_with,
    moments,
    touched_by,
    with_terms,
)


@dataclass(frozen=True, slots=True)
class Moved:
    """A rule's next state and what is said of the way there."""

    state: RuleState
    said: list[Correlated]


def with_events(state: RuleState, plan: RulePlan, arrivals: Arrivals) -> RuleState:
    """The state with the arrivals' events, each once in a group."""
    events = _distinct_events(arrivals)
    columns: dict[str, npt.NDArray[np.generic]] = {
        "id_high": events.id_high,
        "id_low": events.id_low,
        "place": events.places.astype(np.int32),
    }
    return replace(state, events=state.events.added(events.groups, events.times, columns))


def advance_trailing(
    plan: RulePlan,
    state: RuleState,
    arrivals: Arrivals,
    watermark: int,
    wording: Callable[[], Wording],
) -> Moved:
    """A rule judged at every event."""
    found: list[tuple[Keys, EpisodeRows, EpisodeRows]] = []
    if len(arrivals):
        state = with_events(state, plan, arrivals)
        if plan.term is not Term.NOTHING:
            state = with_terms(state, arrivals, plan.span)
        touched = touched_by(arrivals)
        old = state.episodes.of(touched.groups)
        new = _judged_anew(plan, state, touched, old)
        if len(old) or len(new):
            found.append((touched.groups, old, new))
    groups = state.episodes.due(watermark)
    if found:
        groups = np.setdiff1d(groups, found[0][0])
    if len(groups):
        rows = state.episodes.of(groups)
        found.append((groups, rows, rows))
    said: list[Correlated] = []
    for groups, old, new in found:
        ended = new.high + plan.span <= watermark
        told = telling(old, new, tellable=np.ones(len(new), bool), ended=ended)
        rows, more = _told(plan, state, told, wording)
        said += more
        state = replace(state, episodes=state.episodes.replaced(groups, rows))
    return Moved(replace(state, reached=max(state.reached, watermark)), said)


def _judged_anew(
    plan: RulePlan, state: RuleState, touched: Touched, old: EpisodeRows
) -> EpisodeRows:
    places = state.events.places(touched.groups)
    owners, times = moments(places, touched, plan.span)
    if plan.term is Term.NOTHING:
        measured = counted_events(places, owners, times, plan.span)
    else:
        measured = counted_terms(state, touched.groups, owners, times)
    judged = Judged(owners, times, measured, holds(measured, plan.bounds))
    if not len(old) and not judged.held.any():
        return no_rows()
    return episodes_with(old, touched, judged, places, plan.span)


def _told(
    plan: RulePlan, state: RuleState, told: Telling, wording: Callable[[], Wording]
) -> tuple[EpisodeRows, list[Correlated]]:
    if not len(told.tell) and not len(told.retracted):
        return told.rows, []
    chosen = told.rows.at(told.tell)
    evidence = evidence_of(state.events.places(chosen.group), chosen.low - plan.span, chosen.high)
    return verdicts(told, evidence, wording())


def _distinct_events(arrivals: Arrivals) -> Arrivals:
    """Each event once in a group, whatever it was taken for."""
    if not (arrivals.slots != arrivals.slots[0]).any() and (
        len(np.unique(arrivals.id_low)) == len(arrivals)
    ):
        return arrivals
    order = np.lexsort((arrivals.id_low, arrivals.id_high, arrivals.groups))
    kept = np.ones(len(order), bool)
    kept[1:] = False
    for column in (arrivals.groups, arrivals.id_high, arrivals.id_low):
        kept[1:] |= column[order][1:] != column[order][:-1]
    return arrivals.at(np.sort(order[kept]))
