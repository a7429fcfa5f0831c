"""Conditions judged at every event over the window that ends with it."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tocsin.detect.correlate.arrivals import Arrivals, Floats
from tocsin.detect.correlate.episodes import EpisodeRows
from tocsin.detect.correlate.ordered_runs import Keys, Places, Runs, Times, merged, sort_order
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.text_hash import mixed
from tocsin.detect.correlate.watermark import FOREVER, NEVER


@dataclass(frozen=True, slots=True)
class Touched:
    """Groups (distinct, ascending) and the span of time in which something came for each."""

    groups: Keys
    first: Times
    last: Times


@dataclass(frozen=True, slots=True)
class Judged:
    """Moments judged: ``owners`` are positions in the touched groups."""

    owners: Times
    times: Times
    measured: Floats
    held: npt.NDArray[np.bool_]


def untouched() -> Touched:
    none = np.zeros(0, np.int64)
    return Touched(np.zeros(0, np.uint64), none, none)


def touched_by(arrivals: Arrivals) -> Touched:
    """The groups of what arrived, in which time."""
    groups, ranks = np.unique(arrivals.groups, return_inverse=True)
    first = np.full(len(groups), FOREVER, np.int64)
    last = np.full(len(groups), NEVER, np.int64)
    np.minimum.at(first, ranks, arrivals.times)
    np.maximum.at(last, ranks, arrivals.times)
    return Touched(groups, first, last)


def with_terms(state: RuleState, arrivals: Arrivals, span: int) -> RuleState:
    """The state with what the arrivals' terms add to the times covered by each (group, term).

    A value counts from its event on for ``span``. Only time not covered yet is added, so that
    what begins less what ends up to a moment is the number of distinct values then.
    """
    keys = mixed(arrivals.groups, arrivals.terms)
    _, ranks = np.unique(keys, return_inverse=True)
    order = sort_order(ranks, arrivals.times)
    keys, times, groups, ranks = (
        keys[order],
        arrivals.times[order],
        arrivals.groups[order],
        ranks[order],
    )
    previous = np.full(len(times), NEVER, np.int64)
    previous[1:] = np.where(ranks[1:] == ranks[:-1], times[:-1], NEVER)
    places = state.terms.places(keys)
    begin = np.maximum(times, np.maximum(previous, places.latest_until(times, NEVER)) + span)
    end = np.minimum(times + span, places.earliest_after(times, FOREVER))
    new = begin < end
    return replace(
        state,
        terms=state.terms.added(keys, times, {"group": groups}),
        begins=state.begins.added(groups[new], begin[new], {}),
        ends=state.ends.added(groups[new], end[new], {}),
    )


def covered(state: RuleState, span: int) -> RuleState:
    """The state with the times covered by its terms worked out anew."""
    if not state.terms.runs:
        return replace(state, begins=Runs(), ends=Runs())
    run = merged(state.terms.runs)
    times, groups = run.times, run.columns["group"].astype(np.uint64, copy=False)
    owners = np.repeat(np.arange(len(run.keys)), np.diff(run.starts))
    same = owners[1:] == owners[:-1]
    begin, end = times.copy(), times + span
    begin[1:] = np.where(same, np.maximum(times[1:], times[:-1] + span), times[1:])
    new = begin < end
    return replace(
        state,
        begins=Runs().added(groups[new], begin[new], {}),
        ends=Runs().added(groups[new], end[new], {}),
    )


def undone(
    touched: Touched, old: EpisodeRows, groups: Keys, sealed: int
) -> tuple[Touched, EpisodeRows]:
    """For groups that got less (a number below 0): their later episodes are judged anew.

    The span of time to be judged then reaches over these, and what is left of the old rows. An
    episode that began before all was ``sealed`` stays: its events are no longer there.
    """
    owners = np.searchsorted(touched.groups, old.group)
    lost = np.isin(old.group, groups) & (old.high >= touched.first[owners]) & (old.low > sealed)
    first, last = touched.first.copy(), touched.last.copy()
    np.minimum.at(first, owners[lost], old.low[lost])
    np.maximum.at(last, owners[lost], old.high[lost])
    return Touched(touched.groups, first, last), old.at(~lost)


def moments(places: Places, touched: Touched, span: int) -> tuple[Times, Times]:
    """The events whose windows what came could change, as (owner, time)."""
    rows = places.rows_between(touched.first - 1, touched.last + span - 1)
    return rows.owners(), rows.times()


def counted_events(places: Places, owners: Times, times: Times, span: int) -> Floats:
    """Events in the window that ends at each moment."""
    mine = places.of(owners)
    return (mine.counted(times) - mine.counted(times - span)).astype(np.float64)


def counted_terms(state: RuleState, groups: Keys, owners: Times, times: Times) -> Floats:
    """Distinct terms in the window that ends at each moment."""
    begun = state.begins.places(groups).of(owners).counted(times)
    ended = state.ends.places(groups).of(owners).counted(times)
    return (begun - ended).astype(np.float64)


def episodes_with(
    old: EpisodeRows, touched: Touched, judged: Judged, places: Places, span: int
) -> EpisodeRows:
    """The episodes of the touched groups: the old ones and the moments that hold, linked.

    Two moments are of one episode when their windows overlap (less than ``span`` apart).
    """
    held = judged.held
    owners = np.concatenate([np.searchsorted(touched.groups, old.group), judged.owners[held]])
    lows = np.concatenate([old.low, judged.times[held]])
    highs = np.concatenate([old.high, judged.times[held]])
    peaks = np.concatenate([old.measured, judged.measured[held]])
    sinces = np.concatenate([old.since, np.full(held.sum(), FOREVER, np.int64)])
    carried = np.concatenate([old.carried, np.zeros(held.sum(), np.int64)])
    if not len(owners):
        return old
    order, begins = linked(owners, lows, highs, span)
    owner, low = owners[order][begins], lows[order][begins]
    high = np.maximum.reduceat(highs[order], begins)
    kept = np.add.reduceat(carried[order], begins)
    mine = places.of(owner)
    since = np.minimum(
        np.minimum.reduceat(sinces[order], begins), mine.earliest_after(low - span, FOREVER)
    )
    count = mine.counted(high) - mine.counted(low - span) + kept
    return EpisodeRows.untold(
        touched.groups[owner],
        low,
        high,
        since=since,
        last=high,
        count=count,
        carried=kept,
        measured=np.maximum.reduceat(peaks[order], begins),
        due=high + span,
    )


def linked(owners: Times, lows: Times, highs: Times, span: int) -> tuple[Times, Times]:
    """The order by (owner, low), and where in it begins what is ``span`` after all before it."""
    order = sort_order(owners, lows)
    owners, lows, highs = owners[order], lows[order], highs[order]
    reached = running_latest(owners, highs)
    fresh = np.ones(len(owners), bool)
    fresh[1:] = (owners[1:] != owners[:-1]) | (lows[1:] - reached[:-1] >= span)
    return order, np.flatnonzero(fresh)


def running_latest(owners: Times, times: Times) -> Times:
    """The greatest time so far within each owner; owners ascending."""
    base = int(times.min())
    span = int(times.max()) - base + 1
    if int(owners[-1] + 1).bit_length() + span.bit_length() <= 62:
        packed = owners * span + (times - base)
        reached: Times = np.maximum.accumulate(packed) - owners * span + base
        return reached
    values, ranks = np.unique(times, return_inverse=True)
    packed = owners * len(values) + ranks
    latest: Times = values[np.maximum.accumulate(packed) - owners * len(values)]
    return latest
