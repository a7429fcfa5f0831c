"""What a rule finds as events for the correlations that take it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tocsin.detect.correlate.advancing import Moved
from tocsin.detect.correlate.arrivals import Arrivals
from tocsin.detect.correlate.branching import SEVERAL, branches_in
from tocsin.detect.correlate.episodes import EpisodeRows
from tocsin.detect.correlate.judging import judged_moments
from tocsin.detect.correlate.onward import Onward
from tocsin.detect.correlate.ordered_runs import Keys, Rows, Times, among, distinct_of
from tocsin.detect.correlate.remembering import onward_column
from tocsin.detect.correlate.rule_plan import RulePlan, Term, Way
from tocsin.detect.correlate.rule_state import RuleState
from tocsin.detect.correlate.text_hash import mixed
from tocsin.detect.correlate.trailing import Touched


@dataclass(frozen=True, slots=True)
class Handed:
    """What a correlation takes of another: what came, and what turned out not to have happened."""

    came: Arrivals
    gone: Arrivals


def handed_on(
    plan: RulePlan,
    before: RuleState,
    moved: Moved,
    onward: Mapping[str, Sequence[Onward]],
    name_of: Callable[[int], str | None],
    is_hidden: Callable[[int], bool] | None = None,
) -> dict[str, Handed]:
    """By correlation that takes this rule's findings: what changed of them for it.

    ``name_of`` tells what is kept under a key of ``branching``, ``is_hidden`` of which groups
    nothing is handed on.
    """
    found = {}
    mine = onward[plan.id]
    for at, way in enumerate(mine):
        if len(way.via) > 1:
            continue
        if way.target.takes_moments and plan.way is Way.TRAILING:
            old = _moments(plan, before, moved.touched, len(mine))
            new = _moments(plan, moved.state, moved.touched, len(mine))
        else:
            old = _episodes(plan, before, moved.old, len(mine))
            new = _episodes(plan, moved.state, moved.new, len(mine))
        if is_hidden is not None:
            old, new = _shown(old, is_hidden), _shown(new, is_hidden)
        names = [_names(old), _names(new)]
        further = [one.target.id for one in onward[way.target.id]]
        columns = [n for id_ in further for n, one in enumerate(mine) if one.target.id == id_]
        came = new.at(~among(names[1], distinct_of(names[0])))
        gone = old.at(~among(names[0], distinct_of(names[1])))
        found[way.target.id] = Handed(
            _taken(plan, way.target, *_branched(came, at, columns, name_of)),
            _taken(plan, way.target, *_branched(gone, at, columns, name_of)),
        )
    return found


def _shown(found: Arrivals, is_hidden: Callable[[int], bool]) -> Arrivals:
    """Without what groups that are hidden found."""
    groups, of = np.unique(found.groups, return_inverse=True)
    hidden = np.fromiter((is_hidden(group) for group in groups.tolist()), bool, len(groups))
    return found.at(~hidden[of]) if hidden.any() else found


def _branched(
    found: Arrivals, at: int, further: Sequence[int], name_of: Callable[[int], str | None]
) -> tuple[Arrivals, Keys]:
    """What happened, once for each group and measure it goes on to, and the columns of these."""
    kept = [column for one in (at, *further) for column in (2 * one, 2 * one + 1)]
    columns = found.onward[:, kept]
    several = np.flatnonzero(columns[:, 1] == SEVERAL)
    if len(several):
        rows, parts = [np.flatnonzero(columns[:, 1] != SEVERAL)], []
        for row in several.tolist():
            branches = branches_in(name_of(int(columns[row, 0])), len(kept))
            if branches is not None:
                rows.append(np.full(len(branches), row))
                parts.append(branches)
        columns = np.concatenate([columns[rows[0]], *parts])
        found = found.at(np.concatenate(rows))
    together = _names(found)
    for column in columns.T:
        together = mixed(together, column)
    once = np.sort(np.unique(together, return_index=True)[1])
    return found.at(once), columns[once]


def _taken(plan: RulePlan, target: RulePlan, found: Arrivals, columns: Keys) -> Arrivals:
    """What happened as the target takes it: in its groups and slots, with what goes on further."""
    grouped = columns[:, 0] != 0
    found, columns = found.at(grouped), columns[grouped]
    groups, measured = columns[:, 0].copy(), columns[:, 1].copy()
    slots = target.slots[plan.id]
    terms = np.full(len(found), slots[0] + 1, np.uint64)
    parts = [
        Arrivals(
            groups=groups,
            times=found.times,
            id_high=found.id_high,
            id_low=found.id_low,
            places=found.places,
            slots=np.full(len(found), slot, np.int64),
            terms=measured if target.term is Term.VALUE else terms,
            numbers=measured.view(np.float64)
            if target.term is Term.NUMBER
            else np.zeros(len(found)),
            origins=found.origins,
            kinds=mixed(found.groups, np.uint64(slots[0] + 1)),
            onward=np.ascontiguousarray(columns[:, 2:]),
        )
        for slot in slots
    ]
    return Arrivals.of(parts)


def _moments(plan: RulePlan, state: RuleState, touched: Touched, ways: int) -> Arrivals:
    """The events at moments that hold."""
    judged = judged_moments(plan, state, touched)
    pairs = np.unique(np.stack([judged.owners[judged.held], judged.times[judged.held]]), axis=1)
    owners, times = pairs[0], pairs[1]
    groups = touched.groups[owners]
    rows = state.events.places(groups).rows_between(times - 1, times)
    return _events(groups, rows, rows.times(), ways)


def _episodes(plan: RulePlan, state: RuleState, rows: EpisodeRows, ways: int) -> Arrivals:
    """The event that begins each episode (that ends each whole window)."""
    events = state.terms if plan.way is Way.NEW_TERMS else state.events
    at = rows.last if plan.way is Way.WINDOWS else rows.low
    certain = plan.span if plan.way in (Way.WINDOWS, Way.ABSENCE) else 0
    found = events.places(rows.group).rows_between(at - 1, at)
    owners = found.owners()
    happened = _events(rows.group, found, (rows.low + certain)[owners], ways)
    order = np.lexsort((happened.id_low, happened.id_high, owners))
    ends = np.searchsorted(owners[order], owners, side="right") - 1
    last = happened.at(order[ends])
    same = (happened.id_high == last.id_high) & (happened.id_low == last.id_low)
    return happened.at(same)


def _events(groups: Keys, rows: Rows, times: Times, ways: int) -> Arrivals:
    columns = [rows.column(onward_column(at), np.uint64) for at in range(2 * ways)]
    count = len(times)
    return Arrivals(
        groups=groups[rows.owners()],
        times=times,
        id_high=rows.column("id_high", np.uint64),
        id_low=rows.column("id_low", np.uint64),
        places=rows.column("place", np.int32).astype(np.int64),
        slots=np.zeros(count, np.int64),
        terms=np.zeros(count, np.uint64),
        numbers=np.zeros(count),
        origins=np.full(count, -1, np.int64),
        kinds=np.zeros(count, np.uint64),
        onward=np.stack(columns, axis=1),
    )


def _names(found: Arrivals) -> Keys:
    group_and_time = mixed(found.groups, found.times.view(np.uint64))
    return mixed(mixed(group_and_time, found.id_high), found.id_low)
