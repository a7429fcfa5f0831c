"""How much of an ordered sequence of rules was seen, and how late it began."""

from dataclasses import dataclass

import numpy as np

from tocsin.detect.correlate.arrivals import Floats
from tocsin.detect.correlate.ordered_runs import Keys, Places, Times, latest_of, sort_order
from tocsin.detect.correlate.text_hash import mixed
from tocsin.detect.correlate.trailing import Touched, running_latest
from tocsin.detect.correlate.watermark import NEVER


@dataclass(frozen=True, slots=True)
class Steps:
    """Events with the slot of the rule that hit them, sorted by (owner, time)."""

    owners: Times
    times: Times
    slots: Times
    events: Keys
    """A number for each event."""


def latest_begins(steps: Steps, count: int) -> list[Times]:
    """For each length 1 … count: when the latest sequence of that length began, up to each step.

    A sequence takes events of ever later slots, each not before the former's and another event;
    ``NEVER`` where there is none yet. Steps of one owner and time see each other.
    """
    fresh = np.ones(len(steps.times), bool)
    fresh[1:] = (steps.owners[1:] != steps.owners[:-1]) | (steps.times[1:] != steps.times[:-1])
    instants = np.cumsum(fresh) - 1
    owners = steps.owners[fresh]
    begins = steps.times
    found = [_latest(owners, _greatest(instants, begins, len(owners)))[instants]]
    for length in range(1, count):
        longer = np.full(len(begins), NEVER, np.int64)
        for slot in range(length, count):
            here = np.flatnonzero(steps.slots == slot)
            former = np.flatnonzero((steps.slots < slot) & (begins > NEVER))
            if len(here) and len(former):
                longer[here] = _continued(steps, instants, owners, begins, former, here)
        begins = longer
        found.append(_latest(owners, _greatest(instants, begins, len(owners)))[instants])
    return found


def ordered_lengths(
    steps: Places, touched: Touched, owners: Times, times: Times, span: int, count: int
) -> Floats:
    """The longest sequence in the window that ends at each moment (owner, time)."""
    rows = steps.rows_between(touched.first - span, touched.last + span - 1)
    at, when = rows.owners(), rows.times()
    order = sort_order(at, when)
    slots = rows.column("slot", np.int8).astype(np.int64)
    events = mixed(rows.column("id_high", np.uint64), rows.column("id_low", np.uint64))
    sequence = Steps(at[order], when[order], slots[order], events[order])
    here = latest_of(sequence.owners, sequence.times, owners, times)
    measured = np.zeros(len(times))
    for begins in latest_begins(sequence, count):
        measured += begins[here] > times - span
    return measured


def _continued(
    steps: Steps, instants: Times, owners: Times, begins: Times, former: Times, here: Times
) -> Times:
    """The latest begin of a former step before each step here, or beside it in another event."""
    at, first = instants[former], begins[former]
    best = _greatest(at, first, len(owners))
    before = np.full(len(owners), NEVER, np.int64)
    latest = _latest(owners, best)
    before[1:] = np.where(owners[1:] == owners[:-1], latest[:-1], NEVER)
    leaders = np.zeros(len(owners), np.uint64)
    leading = first == best[at]
    leaders[at[leading]] = steps.events[former[leading]]
    others = steps.events[former] != leaders[at]
    second = _greatest(at[others], first[others], len(owners))
    mine = instants[here]
    beside = np.where(steps.events[here] == leaders[mine], second[mine], best[mine])
    return np.maximum(before[mine], beside)


def _greatest(instants: Times, values: Times, count: int) -> Times:
    found = np.full(count, NEVER, np.int64)
    np.maximum.at(found, instants, values)
    return found


def _latest(owners: Times, begins: Times) -> Times:
    """The greatest so far within each owner, ``NEVER`` counting as nothing."""
    if not len(owners):
        return begins
    known = begins > NEVER
    if not known.any():
        return begins
    least = begins[known].min() - 1
    reached = running_latest(owners, np.where(known, begins, least))
    return np.where(reached == least, NEVER, reached)
