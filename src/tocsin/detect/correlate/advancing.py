"""Brings one rule forward: what arrived, what became due, what is to be told."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from tocsin.detect.correlate.absence import judged_absences, unanswered
from tocsin.detect.correlate.arrivals import Arrivals
from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.correlate.correlated_making import Evidence, Wording, evidence_of, verdicts
from tocsin.detect.correlate.episodes import EpisodeRows, no_rows
from tocsin.detect.correlate.judging import judged_moments
from tocsin.detect.correlate.new_terms import Appearances, among, first_seen, new_among, to_judge
from tocsin.detect.correlate.ordered_runs import Keys, distinct_of
from tocsin.detect.correlate.remembering import terms_seen, with_arrivals, without_events
from tocsin.detect.correlate.rule_plan import Keeping, RulePlan, Way
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.telling import telling
from tocsin.detect.correlate.trailing import (
    Touched,
    episodes_with,
    touched_by,
    undone,
    untouched,
)
from tocsin.detect.correlate.watermark import FOREVER, NEVER, micros
from tocsin.detect.correlate.windows import judged_windows
from tocsin.detect.rules.stateful_rule import NewTermsRule

MakeWording = Callable[[], Wording]


@dataclass(frozen=True, slots=True)
class Moved:
    """A rule's next state and what is said of the way there."""

    state: RuleState
    said: list[Correlated]
    old: EpisodeRows = field(default_factory=no_rows)
    new: EpisodeRows = field(default_factory=no_rows)
    touched: Touched = field(default_factory=untouched)
    """Episodes of what was judged, before and now; for a trailing condition, the time judged."""


def advanced(
    plan: RulePlan,
    state: RuleState,
    arrivals: Arrivals,
    watermark: int,
    wording: MakeWording,
    *,
    repeated: bool = True,
    gone: Arrivals | None = None,
) -> Moved:
    """The rule with these arrivals at this watermark; ``repeated`` as in ``with_arrivals``.

    ``gone`` are earlier arrivals that turned out not to have happened.
    """
    before = state
    if gone is not None and len(gone):
        state = without_events(plan, state, gone)
    else:
        gone = None
    if len(arrivals):
        state = with_arrivals(plan, state, arrivals, repeated=repeated)
    if plan.way is Way.TRAILING:
        moved = _advanced_trailing(plan, state, arrivals, gone, watermark, wording)
    elif plan.way is Way.NEW_TERMS:
        moved = _advanced_new_terms(plan, before, state, arrivals, watermark, wording)
    else:
        moved = _advanced_windows(plan, state, arrivals, gone, watermark, wording)
    reached = max(moved.state.reached, watermark)
    if reached == moved.state.reached:
        return moved
    return replace(moved, state=replace(moved.state, reached=reached))


def _advanced_trailing(
    plan: RulePlan,
    state: RuleState,
    arrivals: Arrivals,
    gone: Arrivals | None,
    watermark: int,
    wording: MakeWording,
) -> Moved:
    said: list[Correlated] = []
    old = new = no_rows()
    touched = touched_by(arrivals if gone is None else Arrivals.of([arrivals, gone]))
    groups = touched.groups
    if len(groups):
        old = kept = state.episodes.of(groups)
        less = [] if gone is None else [gone.groups]
        if plan.keeping is Keeping.NUMBERS and (arrivals.numbers < 0).any():
            less.append(arrivals.groups[arrivals.numbers < 0])
        if less:
            touched, kept = undone(touched, old, np.concatenate(less), state.sealed)
        judged = judged_moments(plan, state, touched)
        if len(kept) or judged.held.any():
            events = state.events.places(groups)
            new = episodes_with(kept, touched, judged, events, plan.span)
        if len(old) or len(new):
            state, said = _told(plan, state, groups, old, new, watermark, wording)
    ripe = state.episodes.due(watermark)
    if len(ripe) and len(groups):
        at = np.minimum(np.searchsorted(groups, ripe), len(groups) - 1)
        ripe = ripe[groups[at] != ripe]
    if len(ripe):
        rows = state.episodes.of(ripe)
        state, more = _told(plan, state, ripe, rows, rows, watermark, wording)
        said += more
    return Moved(state, said, old, new, touched)


def _advanced_windows(
    plan: RulePlan,
    state: RuleState,
    arrivals: Arrivals,
    gone: Arrivals | None,
    watermark: int,
    wording: MakeWording,
) -> Moved:
    """Whole windows and absences: a group is judged when something of it is complete.

    What comes behind what was judged already has its whole group judged anew.
    """
    touched = touched_by(arrivals if gone is None else Arrivals.of([arrivals, gone]))
    groups = distinct_of(np.concatenate([touched.groups, state.episodes.due(watermark)]))
    rows = state.episodes.of(groups)
    waiting, owners = rows.pending == 1, np.searchsorted(groups, rows.group)
    waits = np.full(len(groups), FOREVER, np.int64)
    waits[owners[waiting]] = rows.low[waiting]
    first = np.full(len(groups), FOREVER, np.int64)
    first[np.searchsorted(groups, touched.groups)] = touched.first
    absence = plan.way is Way.ABSENCE
    behind = first < (state.reached if absence else np.minimum(waits, state.reached))
    if gone is not None:
        behind |= np.isin(groups, gone.groups)
    begin = max(NEVER, state.sealed - plan.span + 1) if absence else NEVER
    starts = np.where(behind, begin, np.minimum(waits, first))
    judged = behind | (starts + plan.span <= watermark)
    judged[owners[~waiting & (rows.due <= watermark)]] = True
    rows, owners = rows.at(~waiting), owners[~waiting]
    still = ~judged & (starts != waits)
    if still.any():
        later = EpisodeRows.waiting(groups[still], starts[still], starts[still] + plan.span)
        kept = EpisodeRows.of([rows.at(still[owners]), later])
        state = replace(state, episodes=state.episodes.replaced(groups[still], kept))
    if not judged.any():
        return Moved(state, [])
    rows, start = rows.at(judged[owners]), starts[owners[judged[owners]]]
    groups, starts = groups[judged], starts[judged]
    if absence:
        again = (rows.low >= start) | (rows.high > start - plan.span) | (rows.due <= watermark)
        earlier = rows.at(again & (rows.low < start))
        straddling = (
            behind[judged][np.searchsorted(groups, earlier.group)]
            & (earlier.low < begin)
            & (earlier.high >= begin)
        )
        earlier = replace(
            earlier,
            high=np.where(straddling, begin - 1, earlier.high),
            count=np.where(straddling, earlier.carried, earlier.count),
        )
        new, waiting_rows = judged_absences(plan, state, groups, starts, watermark, earlier)
    else:
        again = rows.low >= start
        new, waiting_rows = judged_windows(plan, state, groups, starts, watermark)
    beside = EpisodeRows.of([rows.at(~again), waiting_rows])
    old = rows.at(again)
    state, said = _told(plan, state, groups, old, new, watermark, wording, beside)
    return Moved(state, said, old, new)


def _advanced_new_terms(
    plan: RulePlan,
    before: RuleState,
    state: RuleState,
    arrivals: Arrivals,
    watermark: int,
    wording: MakeWording,
) -> Moved:
    if not len(arrivals) or not isinstance(plan.source, NewTermsRule):
        return Moved(state, [])
    learning = micros(plan.source.learning)
    came = Appearances.of(terms_seen(arrivals), arrivals.times, arrivals.groups)
    known = first_seen(before, came.groups)
    judged = to_judge(state, came, known, first_seen(state, came.groups), plan.span, learning)
    first = first_seen(state, judged.groups)
    new = new_among(state, judged, first, plan.span, learning)
    groups = distinct_of(judged.keys)
    rows = state.episodes.of(groups)
    again = among(rows, judged)
    if not len(rows) and not len(new):
        return Moved(state, [])
    beside, old = rows.at(~again), rows.at(again)
    state, said = _told(plan, state, groups, old, new, watermark, wording, beside)
    return Moved(state, said, old, new)


def _told(
    plan: RulePlan,
    state: RuleState,
    groups: Keys,
    old: EpisodeRows,
    new: EpisodeRows,
    watermark: int,
    wording: MakeWording,
    beside: EpisodeRows | None = None,
) -> tuple[RuleState, list[Correlated]]:
    """The groups' rows with what is told of them; ``beside`` are rows that stay as they are."""
    apart = {Way.TRAILING: plan.span, Way.ABSENCE: 2 * plan.span}.get(plan.way, 0)
    ended = (new.high + apart <= watermark) | (plan.way is Way.NEW_TERMS)
    told = telling(old, new, tellable=np.ones(len(new), bool), ended=ended)
    rows = told.rows
    said: list[Correlated] = []
    if len(told.tell) or len(told.retracted):
        evidence = _evidence(plan, state, told.rows.at(told.tell))
        rows, said = verdicts(told, evidence, wording())
    if beside is not None:
        rows = EpisodeRows.of([rows, beside])
    return replace(state, episodes=state.episodes.replaced(groups, rows)), said


def _evidence(plan: RulePlan, state: RuleState, rows: EpisodeRows) -> Evidence:
    if plan.way is Way.ABSENCE:
        return unanswered(plan, state, rows)
    if plan.way is Way.NEW_TERMS:
        return evidence_of(state.terms.places(rows.group), rows.low - 1, rows.low)
    after = rows.low - (plan.span if plan.way is Way.TRAILING else 1)
    return evidence_of(state.events.places(rows.group), after, rows.last)
