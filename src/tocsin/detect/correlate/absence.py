"""Events that were expected after others and did not come."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tocsin.detect.correlate.correlated_making import EVIDENCE, Evidence
from tocsin.detect.correlate.episodes import EpisodeRows
from tocsin.detect.correlate.ordered_runs import Keys, Rows, Times, seek
from tocsin.detect.correlate.rule_plan import RulePlan
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.trailing import linked
from tocsin.detect.correlate.watermark import FOREVER


def judged_absences(
    plan: RulePlan, state: RuleState, groups: Keys, starts: Times, watermark: int, old: EpisodeRows
) -> tuple[EpisodeRows, EpisodeRows]:
    """Stretches of unanswered triggers, and what is to be judged later.

    Triggers from ``starts`` on are judged; ``old`` are stretches before these, to be gone on with.
    """
    asked = state.terms.places(groups)
    steps = _sorted_steps(asked.rows_between(starts - 1, np.full(len(groups), FOREVER)))
    owners, times = steps.owners, steps.times
    triggers = np.flatnonzero(steps.slots == 0)
    certain = times[triggers] + plan.span <= watermark
    later, first = np.unique(owners[triggers[~certain]], return_index=True)
    waiting = times[triggers[~certain]][first]
    triggers = triggers[certain]
    silent = triggers[~_answered(plan, steps, triggers)]
    found = _stretches(plan, groups, old, owners[silent], times[silent])
    return found, EpisodeRows.waiting(groups[later], waiting, waiting + plan.span)


def unanswered(plan: RulePlan, state: RuleState, rows: EpisodeRows) -> Evidence:
    """The triggers that make up each stretch."""
    until = rows.high + plan.span
    steps = _sorted_steps(state.terms.places(rows.group).rows_between(rows.low - 1, until))
    triggers = np.flatnonzero((steps.slots == 0) & (steps.times <= rows.high[steps.owners]))
    silent = triggers[~_answered(plan, steps, triggers)]
    begins = np.searchsorted(steps.owners[silent], np.arange(len(rows)))
    ends = np.searchsorted(steps.owners[silent], np.arange(len(rows)), side="right")
    chosen = [
        silent[max(begin, end - EVIDENCE) : end]
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]
    high, low = steps.high.tolist(), steps.low.tolist()
    return Evidence(
        [[(high[at], low[at]) for at in each.tolist()] for each in chosen],
        [int(steps.places[each[-1]]) if len(each) else -1 for each in chosen],
    )


@dataclass(frozen=True, slots=True)
class _Steps:
    """Events of some owners with their slots, in order of owner, time and id."""

    owners: Times
    times: Times
    high: Keys
    low: Keys
    slots: npt.NDArray[np.int8]
    places: npt.NDArray[np.int32]


def _sorted_steps(rows: Rows) -> _Steps:
    owners, times = rows.owners(), rows.times()
    high, low = rows.column("id_high", np.uint64), rows.column("id_low", np.uint64)
    slots, places = rows.column("slot", np.int8), rows.column("place", np.int32)
    order = np.lexsort((low, high, times, owners))
    columns: list[npt.NDArray[Any]] = [owners, times, high, low, slots, places]
    return _Steps(*(column[order] for column in columns))


def _answered(plan: RulePlan, steps: _Steps, triggers: Times) -> npt.NDArray[np.bool_]:
    """Which triggers an event of the expected rule follows in time, or is itself."""
    owners, times = steps.owners, steps.times
    ends = np.searchsorted(owners, np.arange(int(owners.max(initial=0)) + 2))
    begin, end = ends[owners[triggers]], ends[owners[triggers] + 1]
    alone = len(plan.slots) == 1
    after = seek(times, begin, end, times[triggers] - (not alone))
    answers = np.cumsum(steps.slots == plan.steps - 1)
    until = seek(times, begin, end, times[triggers] + plan.span - 1)
    return np.asarray(_upto(answers, until) > _upto(answers, after))


def _upto(sums: Times, position: Times) -> Times:
    """Of running sums: the sum before a position."""
    return np.append(sums, 0)[position - 1]


def _stretches(
    plan: RulePlan, groups: Keys, old: EpisodeRows, owners: Times, times: Times
) -> EpisodeRows:
    owners = np.concatenate([np.searchsorted(groups, old.group), owners])
    lows, highs = np.concatenate([old.low, times]), np.concatenate([old.high, times])
    each = np.ones(len(times), np.int64)
    counts = np.concatenate([old.count, each])
    if not len(owners):
        return old
    order, begins = linked(owners, lows, highs, plan.span)
    high = np.maximum.reduceat(highs[order], begins)
    low = lows[order][begins]
    count = np.add.reduceat(counts[order], begins)
    return EpisodeRows.untold(
        groups[owners[order][begins]],
        low,
        high,
        since=low,
        last=high,
        count=count,
        measured=count.astype(np.float64),
        due=high + 2 * plan.span,
    )
