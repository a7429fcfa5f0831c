"""Conditions judged on whole windows, each opened by the first event no earlier one covers."""

from dataclasses import dataclass

import numpy as np

from tocsin.detect.correlate.arrivals import Floats
from tocsin.detect.correlate.condition import holds
from tocsin.detect.correlate.episodes import EpisodeRows
from tocsin.detect.correlate.ordered_runs import Keys, Times, latest_of, seek, sort_order
from tocsin.detect.correlate.ordering import Steps, latest_begins
from tocsin.detect.correlate.rule_plan import Keeping, RulePlan
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.text_hash import mixed
from tocsin.detect.correlate.watermark import FOREVER, NEVER


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows sorted by (owner, begin); owners are positions in some groups."""

    owners: Times
    begins: Times
    lasts: Times
    counts: Times

    def __len__(self) -> int:
        return len(self.owners)


def windows_from(state: RuleState, groups: Keys, starts: Times, span: int) -> Windows:
    """The windows of the groups' events from ``starts`` on."""
    rows = state.events.places(groups).rows_between(starts - 1, np.full(len(groups), FOREVER))
    owners, times = rows.owners(), rows.times()
    order = sort_order(owners, times)
    owners, times = owners[order], times[order]
    ends = np.searchsorted(owners, owners, side="right")
    following = seek(times, np.arange(len(times)), ends, times + span - 1)
    opens = np.zeros(len(times), bool)
    current = np.searchsorted(owners, np.unique(owners))
    while len(current):
        opens[current] = True
        after = following[current]
        current = after[after < ends[current]]
    begins = np.flatnonzero(opens)
    after = np.append(begins, len(times))[1:]
    return Windows(owners[begins], times[begins], times[after - 1], after - begins)


def measured_in(plan: RulePlan, state: RuleState, groups: Keys, windows: Windows) -> Floats:
    """What the rule compares, of each window."""
    if plan.keeping is Keeping.NOTHING:
        return windows.counts.astype(np.float64)
    first = np.full(len(groups), FOREVER, np.int64)
    np.minimum.at(first, windows.owners, windows.begins)
    rows = state.terms.places(groups).rows_between(first - 1, np.full(len(groups), FOREVER))
    owners, times = rows.owners(), rows.times()
    inside = latest_of(windows.owners, windows.begins, owners, times)
    if plan.keeping is Keeping.TERMS:
        return _distinct(inside, rows.column("term", np.uint64), len(windows))
    if plan.keeping is Keeping.STEPS:
        order = sort_order(inside, times)
        events = mixed(rows.column("id_high", np.uint64), rows.column("id_low", np.uint64))
        slots = rows.column("slot", np.int64)
        steps = Steps(inside[order], times[order], slots[order].astype(np.int64), events[order])
        return _longest(steps, plan.steps, len(windows))
    return _of_numbers(plan, inside, rows.column("number", np.float64), len(windows))


def judged_windows(
    plan: RulePlan, state: RuleState, groups: Keys, starts: Times, watermark: int
) -> tuple[EpisodeRows, EpisodeRows]:
    """Windows that are complete and hold, and what is to be judged later."""
    windows = windows_from(state, groups, starts, plan.span)
    measured = measured_in(plan, state, groups, windows)
    complete = windows.begins + plan.span <= watermark
    held = holds(measured, plan.bounds) & complete
    begins = windows.begins[held]
    rows = EpisodeRows.untold(
        groups[windows.owners[held]],
        begins,
        begins + plan.span - 1,
        since=begins,
        last=windows.lasts[held],
        count=windows.counts[held],
        measured=measured[held],
        due=np.full(len(begins), FOREVER, np.int64),
    )
    later, first = np.unique(windows.owners[~complete], return_index=True)
    waiting = windows.begins[~complete][first]
    return rows, EpisodeRows.waiting(groups[later], waiting, waiting + plan.span)


def _distinct(windows: Times, terms: Keys, count: int) -> Floats:
    order = np.lexsort((terms, windows))
    windows, terms = windows[order], terms[order]
    fresh = np.ones(len(windows), bool)
    fresh[1:] = (windows[1:] != windows[:-1]) | (terms[1:] != terms[:-1])
    return np.bincount(windows[fresh], minlength=count).astype(np.float64)


def _longest(steps: Steps, most: int, count: int) -> Floats:
    measured = np.zeros(count)
    for begins in latest_begins(steps, most):
        measured[np.unique(steps.owners[begins > NEVER])] += 1
    return measured


def _of_numbers(plan: RulePlan, windows: Times, numbers: Floats, count: int) -> Floats:
    sizes = np.bincount(windows, minlength=count)
    if plan.percentile is None:
        whole = np.floor(numbers)
        order = np.argsort(windows, kind="stable")
        begins = np.cumsum(sizes) - sizes
        wholes = np.add.reduceat(whole[order].astype(np.int64), begins)
        parts = np.add.reduceat(((numbers - whole) * 2**32)[order].astype(np.int64), begins)
        sums = (wholes + (parts >> 32)) + (parts & (2**32 - 1)) / 2**32
        rough = np.add.reduceat(numbers[order], begins)
        sums = np.where(np.abs(rough) < 2.0**62, sums, rough)
        return np.asarray(sums / sizes if plan.averages else sums)
    order = np.lexsort((numbers, windows))
    ordered = numbers[order]
    begins = np.cumsum(sizes) - sizes
    place = plan.percentile * (sizes - 1) / 100
    below = np.floor(place).astype(np.int64)
    left = ordered[begins + below]
    right = ordered[begins + np.minimum(below + 1, sizes - 1)]
    return np.asarray(left + (right - left) * (place - below))
