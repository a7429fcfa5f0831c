"""Values a group did not have before."""

from dataclasses import dataclass

import numpy as np

from tocsin.detect.correlate.episodes import EpisodeRows
from tocsin.detect.correlate.ordered_runs import Keys, Places, Times
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.watermark import FOREVER, NEVER


@dataclass(frozen=True, slots=True)
class Appearances:
    """Distinct (group and term, time), sorted by these, and the group of each."""

    keys: Keys
    times: Times
    groups: Keys

    @classmethod
    def of(cls, keys: Keys, times: Times, groups: Keys) -> "Appearances":
        order = np.lexsort((times, keys))
        keys, times, groups = keys[order], times[order], groups[order]
        fresh = np.ones(len(keys), bool)
        fresh[1:] = (keys[1:] != keys[:-1]) | (times[1:] != times[:-1])
        return cls(keys[fresh], times[fresh], groups[fresh])


def first_seen(state: RuleState, groups: Keys) -> Times:
    """When each group had its first event, ``FOREVER`` for one never seen."""
    places = state.begins.places(groups)
    return places.earliest_after(np.full(len(groups), NEVER, np.int64), FOREVER)


def to_judge(
    state: RuleState, came: Appearances, before: Times, after: Times, window: int, learning: int
) -> Appearances:
    """What came, what it makes known, and what is no longer within the time of learning.

    ``before`` and ``after`` are when the group of each was first seen, without and with what came.
    """
    rows = state.terms.places(came.keys).rows_between(came.times, came.times + window - 1)
    keys, times = [came.keys, came.keys[rows.owners()]], [came.times, rows.times()]
    groups = [came.groups, came.groups[rows.owners()]]
    moved = (before < FOREVER) & (after < before)
    older, first = np.unique(came.groups[moved], return_index=True)
    if len(older):
        begin, end = after[moved][first] + learning, before[moved][first] + learning
        rows = state.events.places(older).rows_between(begin - 1, end - 1)
        keys.append(rows.column("key", np.uint64))
        times.append(rows.times())
        groups.append(older[rows.owners()])
    return Appearances.of(np.concatenate(keys), np.concatenate(times), np.concatenate(groups))


def new_among(
    state: RuleState, judged: Appearances, first: Times, window: int, learning: int
) -> EpisodeRows:
    """Those of them that are new, as episodes of their own."""
    places: Places = state.terms.places(judged.keys)
    former = places.latest_until(judged.times - 1, NEVER)
    new = (former <= judged.times - window) & (judged.times - first >= learning)
    times = judged.times[new]
    count = places.counted(judged.times)[new] - places.counted(judged.times - 1)[new]
    return EpisodeRows.untold(
        judged.keys[new],
        times,
        times,
        since=times,
        last=times,
        count=count,
        measured=np.ones(len(times)),
        due=np.full(len(times), FOREVER, np.int64),
    )


def among(rows: EpisodeRows, judged: Appearances) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which rows were judged anew."""
    asked = {*zip(judged.keys.tolist(), judged.times.tolist(), strict=True)}
    pairs = zip(rows.group.tolist(), rows.low.tolist(), strict=True)
    return np.array([pair in asked for pair in pairs], bool)
