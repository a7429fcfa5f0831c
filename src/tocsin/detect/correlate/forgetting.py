"""Drops what can no longer change anything, and what there is no room for."""

from dataclasses import replace

import numpy as np

from tocsin.detect.correlate.arrivals import Arrivals
from tocsin.detect.correlate.episodes import EpisodeRows, Episodes
from tocsin.detect.correlate.limits import Limits
from tocsin.detect.correlate.ordered_runs import Keys, Run, Runs, Times, distinct_of
from tocsin.detect.correlate.rule_plan import Keeping, RulePlan, Way
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.trailing import covered
from tocsin.detect.correlate.watermark import FOREVER, NEVER, micros
from tocsin.detect.correlate.windows import windows_from

_ROOM = 0.9
"""The share of a limit that is filled after making room, so that room isn't made every turn."""


def without_late(state: RuleState, arrivals: Arrivals) -> tuple[RuleState, Arrivals]:
    """The arrivals still to be counted; the others are counted as late."""
    late = arrivals.times <= state.sealed
    if not late.any():
        return state, arrivals
    return replace(state, late=state.late + int(late.sum())), arrivals.at(~late)


def sealed(plan: RulePlan, state: RuleState, watermark: int, limits: Limits) -> RuleState:
    """Now and then: what is up to a horizon behind the watermark is made final and dropped."""
    if limits.lateness is None or watermark in (NEVER, FOREVER):
        return state
    allowed = micros(limits.lateness)
    horizon = watermark - allowed
    if horizon - state.sealed <= (plan.span + allowed) // 2:
        return state
    state = replace(state, sealed=horizon)
    if not len(state.events) and not len(state.episodes) and not len(state.terms):
        return state
    match plan.way:
        case Way.NEW_TERMS:
            return _sealed_terms(plan, state, horizon)
        case Way.WINDOWS:
            groups = state.events.distinct_keys()
            starts = np.full(len(groups), NEVER, np.int64)
            windows = windows_from(state, groups, starts, plan.span)
            open_ = windows.begins + plan.span > horizon
            cuts = np.full(len(groups), FOREVER, np.int64)
            np.minimum.at(cuts, windows.owners[open_], windows.begins[open_] - 1)
            over = 0
        case _:
            groups = state.events.distinct_keys()
            cuts = np.full(len(groups), horizon - plan.span, np.int64)
            over = plan.span if plan.way is Way.TRAILING else 2 * plan.span
    rows = state.episodes.all_rows()
    final = (rows.pending == 0) & (rows.high + over <= horizon)
    state = _with_rows(state, rows, final)
    return without_before(plan, state, groups, cuts)


def bounded(plan: RulePlan, state: RuleState, limits: Limits) -> RuleState:
    """Within the limits: the largest groups lose their oldest entries, then small old ones all."""
    held = state.terms if plan.keeping is Keeping.SEEN else state.events
    many_groups = sum(len(run.keys) for run in held.runs) > limits.groups
    if len(held) <= limits.entries and not (
        many_groups and len(held.distinct_keys()) > limits.groups
    ):
        return state
    run = held.whole()
    if run is None:
        return state
    groups, counts, lasts = _group_sizes(plan, run)
    cuts = np.full(len(groups), NEVER, np.int64)
    if len(groups) > limits.groups:
        order = np.lexsort((lasts, counts))
        cuts[order[: len(groups) - int(_ROOM * limits.groups)]] = FOREVER
        counts = np.where(cuts == FOREVER, 0, counts)
    if counts.sum() > limits.entries:
        cuts = np.maximum(cuts, _cuts_of_largest(plan, run, groups, counts, limits.entries))
    before = len(held)
    state = without_before(plan, state, groups, cuts)
    after = len(state.terms if plan.keeping is Keeping.SEEN else state.events)
    return replace(state, evicted=state.evicted + before - after)


def without_before(plan: RulePlan, state: RuleState, groups: Keys, cuts: Times) -> RuleState:
    """The state without the groups' entries up to their cut; episodes go on counting them."""
    state = _with_carried(plan, state, groups, cuts)
    by_group = plan.keeping in (Keeping.COVERED, Keeping.SEEN)
    state = replace(
        state,
        events=_cut(state.events, groups, cuts, by_group=False),
        terms=_cut(state.terms, groups, cuts, by_group=by_group),
    )
    return covered(state, plan.span) if plan.keeping is Keeping.COVERED else state


def _sealed_terms(plan: RulePlan, state: RuleState, horizon: int) -> RuleState:
    """Of what was seen up to the horizon, the last time of each value is enough."""
    run = state.terms.whole()
    if run is None:
        return state
    last = np.ones(len(run), bool)
    keys = run.row_keys()
    last[:-1] = (keys[1:] != keys[:-1]) | (run.times[1:] > horizon)
    kept = (run.times > horizon) | (last & (run.times > horizon - plan.span))
    terms = state.terms.only(run, kept)
    groups = distinct_of(run.columns["group"][kept])
    first = state.begins.places(groups).earliest_after(np.full(len(groups), NEVER), FOREVER)
    events = state.events.whole()
    rows = state.episodes.all_rows()
    state = _with_rows(state, rows, rows.low <= horizon)
    return replace(
        state,
        terms=terms,
        events=state.events
        if events is None
        else state.events.only(events, events.times > horizon),
        begins=Runs((), state.begins.next_number).added(groups, first, {}),
    )


def _with_rows(
    state: RuleState, rows: EpisodeRows, dropped: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
) -> RuleState:
    if not dropped.any():
        return state
    groups = distinct_of(rows.group[dropped])
    at = np.minimum(np.searchsorted(groups, rows.group), len(groups) - 1)
    kept = rows.at(~dropped & (groups[at] == rows.group))
    return replace(state, episodes=state.episodes.replaced(groups, kept))


def _with_carried(plan: RulePlan, state: RuleState, groups: Keys, cuts: Times) -> RuleState:
    """The episodes with what they keep of entries that go."""
    if plan.way in (Way.NEW_TERMS, Way.WINDOWS):
        return state
    rows = state.episodes.all_rows()
    rows = rows.at(rows.pending == 0)
    at = np.minimum(np.searchsorted(groups, rows.group), max(len(groups) - 1, 0))
    here = (groups[at] == rows.group) if len(groups) else np.zeros(len(rows), bool)
    begin = rows.low - (plan.span if plan.way is Way.TRAILING else 0)
    cut = cuts[at] if len(groups) else rows.low
    touched = here & (cut > begin)
    if not touched.any():
        return state
    mine = rows.at(touched)
    if plan.way is Way.TRAILING:
        places = state.events.places(mine.group)
        until = np.minimum(cut[touched], mine.high)
        lost = places.counted(until) - places.counted(mine.low - plan.span)
        mine = replace(mine, carried=mine.carried + np.maximum(lost, 0))
    else:
        share = (cut[touched] - mine.low) / np.maximum(mine.high - mine.low, 1)
        kept = np.minimum(np.ceil(np.clip(share, 0, 1) * mine.count), mine.count)
        mine = replace(mine, carried=np.maximum(mine.carried, kept.astype(np.int64)))
    changed = distinct_of(mine.group)
    all_rows = state.episodes.of(changed)
    return replace(state, episodes=_exchanged(state.episodes, changed, all_rows, mine))


def _exchanged(
    episodes: Episodes, groups: Keys, rows: EpisodeRows, changed: EpisodeRows
) -> Episodes:
    """With the changed rows in the place of those of the same group and beginning."""
    pairs = {*zip(changed.group.tolist(), changed.low.tolist(), strict=True)}
    listed = zip(rows.group.tolist(), rows.low.tolist(), rows.pending.tolist(), strict=True)
    others = np.array([wait == 1 or (group, low) not in pairs for group, low, wait in listed])
    return episodes.replaced(groups, EpisodeRows.of([rows.at(others), changed]))


def _group_sizes(plan: RulePlan, run: Run) -> tuple[Keys, Times, Times]:
    """Groups, their entries and the latest time of each."""
    if plan.keeping is not Keeping.SEEN:
        return run.keys, np.diff(run.starts), run.times[run.starts[1:] - 1]
    groups, ranks = np.unique(run.columns["group"], return_inverse=True)
    lasts = np.full(len(groups), NEVER, np.int64)
    np.maximum.at(lasts, ranks, run.times)
    return groups, np.bincount(ranks), lasts


def _cuts_of_largest(plan: RulePlan, run: Run, groups: Keys, counts: Times, entries: int) -> Times:
    """Up to when the largest groups lose their entries, so that each keeps equally many."""
    ordered = np.sort(counts)
    below = np.cumsum(ordered)
    left = len(ordered) - 1 - np.arange(len(ordered))
    fits = below + ordered * left <= _ROOM * entries
    place = int(np.count_nonzero(fits))
    kept = below[place - 1] if place else 0
    most = int((_ROOM * entries - kept) // max(len(ordered) - place, 1))
    cuts = np.full(len(groups), NEVER, np.int64)
    large = np.flatnonzero(counts > most)
    if plan.keeping is not Keeping.SEEN:
        cuts[large] = run.times[run.starts[large + 1] - most - 1]
        return cuts
    ranks = np.searchsorted(groups, run.columns["group"])
    order = np.lexsort((run.times, ranks))
    ends = np.searchsorted(ranks[order], large, side="right")
    cuts[large] = run.times[order][ends - most - 1]
    return cuts


def _cut(runs: Runs, groups: Keys, cuts: Times, *, by_group: bool) -> Runs:
    run = runs.whole()
    if run is None or not len(groups):
        return runs
    owners = run.columns["group"] if by_group else run.row_keys()
    at = np.minimum(np.searchsorted(groups, owners), len(groups) - 1)
    kept = (groups[at] != owners) | (run.times > cuts[at])
    return runs.only(run, kept)
