"""What is to be said of episodes: news, corrections, retractions."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tocsin.detect.correlate.episodes import EpisodeRows
from tocsin.detect.correlate.ordered_runs import Times

_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Telling:
    """``rows`` as they are to be kept, which of them ``tell`` something, and what is taken back."""

    rows: EpisodeRows
    tell: Times
    retracted: EpisodeRows


def telling(old: EpisodeRows, new: EpisodeRows, *, tellable: _Flags, ended: _Flags) -> Telling:
    """Compare the episodes of some groups with what was told of them (both sorted).

    An episode goes on with what was told of the first one whose beginning it covers. It is told
    when it is new, when its beginning moved, when its measure doubled, or when it has ended and
    anything of it changed. What was told of others is taken back.
    """
    spoken = old.at(old.told())
    heirs = _covering(new, spoken)
    first = np.full(len(new), -1, np.int64)
    found = np.flatnonzero(heirs >= 0)
    first[heirs[found[::-1]]] = found[::-1]
    rows = _inheriting(new, spoken, first)
    lost = np.ones(len(spoken), bool)
    lost[first[first >= 0]] = False
    untold = ~rows.told()
    moved = rows.since != rows.told_since
    grown = (rows.measured > rows.told_measured) & (rows.measured >= 2 * rows.told_measured)
    differs = (
        (rows.measured != rows.told_measured)
        | (rows.count != rows.told_count)
        | (rows.last != rows.told_last)
        | moved
    )
    tell = tellable & (untold | moved | grown | (ended & differs))
    quiet = ~untold & ~differs & ~tell
    rows = replace(rows, due=np.where(quiet | tell, _NEVER_DUE, rows.due))
    return Telling(rows, np.flatnonzero(tell), spoken.at(lost))


_NEVER_DUE = np.iinfo(np.int64).max


def _inheriting(new: EpisodeRows, old: EpisodeRows, first: Times) -> EpisodeRows:
    heir = np.flatnonzero(first >= 0)
    names = ("told_high", "told_low", "told_since", "told_last", "told_count", "told_measured")
    columns = {}
    for name in names:
        column = getattr(new, name).copy()
        column[heir] = getattr(old, name)[first[heir]]
        columns[name] = column
    return replace(new, **columns)


def _covering(new: EpisodeRows, old: EpisodeRows) -> Times:
    """For each old row the new one of its group that covers its beginning, or -1."""
    if not len(old) or not len(new):
        return np.full(len(old), -1, np.int64)
    groups = np.concatenate([new.group, old.group])
    lows = np.concatenate([new.low, old.low])
    order = np.lexsort((np.arange(len(groups)) >= len(new), lows, groups))
    is_new = order < len(new)
    latest = np.maximum.accumulate(np.where(is_new, np.arange(len(order)), -1))
    before = np.full(len(groups), -1, np.int64)
    before[order] = np.where(latest >= 0, order[np.maximum(latest, 0)], -1)
    heirs = before[len(new) :]
    safe = np.maximum(heirs, 0)
    covers = (heirs >= 0) & (new.group[safe] == old.group) & (new.high[safe] >= old.low)
    return np.where(covers, heirs, -1)
