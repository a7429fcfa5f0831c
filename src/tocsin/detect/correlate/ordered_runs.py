"""Times of keys in order, in a few immutable runs: what is counted by binary search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Columns = Mapping[str, npt.NDArray[Any]]  # of every kind: what a column is, its name says

FINEST = 1 << 32
_FITS = 2.0**62
_GROWTH = 4
_PACKED_BITS = 62


@dataclass(frozen=True, slots=True)
class Run:
    """Rows sorted by key, then time. ``starts`` has one more member than ``keys``.

    ``number`` names the run among those of its rule, for as long as it lives.
    """

    keys: Keys
    starts: Times
    times: Times
    columns: Columns = field(default_factory=dict)
    number: int = 0

    _sums: dict[str, tuple[Times, Times, npt.NDArray[np.float64]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __len__(self) -> int:
        return len(self.times)

    def running_sums(self, name: str) -> tuple[Times, Times, npt.NDArray[np.float64]]:
        """Of a column of multiples of 2^-32: sums of whole parts, of fractions in 2^-32, and roughly.

        Whole numbers wrap around; their differences don't, so far as these fit.
        """
        found = self._sums.get(name)
        if found is None:
            numbers = self.columns[name]
            whole = np.floor(numbers)
            parts = ((numbers - whole) * FINEST).astype(np.int64)
            found = self._sums[name] = (
                np.cumsum(whole.astype(np.int64)),
                np.cumsum(parts),
                np.cumsum(numbers),
            )
        return found

    @property
    def size_bytes(self) -> int:
        held = self.keys.nbytes + self.starts.nbytes + self.times.nbytes
        held += sum(part.nbytes for parts in self._sums.values() for part in parts)
        return held + sum(column.nbytes for column in self.columns.values())

    def slices(self, wanted: Keys) -> tuple[Times, Times]:
        """Where each wanted key's rows begin and end; an empty range when it has none."""
        if not len(self.keys):
            none = np.zeros(len(wanted), np.int64)
            return none, none
        at = np.searchsorted(self.keys, wanted)
        at[at == len(self.keys)] = 0
        here = self.keys[at] == wanted
        return np.where(here, self.starts[at], 0), np.where(here, self.starts[at + 1], 0)

    def row_keys(self) -> Keys:
        """The key of each row."""
        return np.repeat(self.keys, np.diff(self.starts))


def seek(times: Times, low: Times, high: Times, wanted: Times) -> Times:
    """For each range [low, high) of ``times``: the place after its last time ≤ wanted."""
    found = high.copy()
    if not len(times):
        return found
    todo = np.flatnonzero((high > low) & (times[high - 1] > wanted))
    if not len(todo):
        return found
    left, right, aim = low[todo], high[todo] - 1, wanted[todo]
    for _ in range(int((right - left).max()).bit_length()):
        middle = (left + right) >> 1
        below = times[middle] <= aim
        undecided = left < right
        left = np.where(below & undecided, middle + 1, left)
        right = np.where(below, right, middle)
    found[todo] = left
    return found


def sort_order(ranks: Times, times: Times) -> Times:
    """The stable order by (rank, time); ranks are small non-negative integers."""
    if not len(times):
        return np.zeros(0, np.int64)
    first = int(times.min())
    span = int(times.max()) - first + 1
    if int(ranks.max()).bit_length() + span.bit_length() <= _PACKED_BITS:
        return np.argsort(ranks * span + (times - first), kind="stable")
    return np.lexsort((times, ranks))


def distinct_of(keys: Keys) -> Keys:
    """Each key once, ascending."""
    keys = np.sort(keys)
    fresh = np.ones(len(keys), bool)
    fresh[1:] = keys[1:] != keys[:-1]
    return keys[fresh]


def among(keys: Keys, wanted: Keys) -> npt.NDArray[np.bool_]:
    """Which of the keys are wanted (ascending); numpy's own ``isin`` is slow for many."""
    if not len(wanted):
        return np.zeros(len(keys), bool)
    at = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
    return np.asarray(wanted[at] == keys)


def run_of(keys: Keys, times: Times, columns: Columns, number: int = 0) -> Run:
    """A run of rows in any order."""
    distinct, ranks = np.unique(keys, return_inverse=True)
    return _sorted_run(distinct, ranks, times, columns, number)


def merged(runs: Sequence[Run], number: int = 0) -> Run:
    """One run of several."""
    distinct = distinct_of(np.concatenate([run.keys for run in runs]))
    ranks = np.concatenate(
        [np.repeat(np.searchsorted(distinct, run.keys), np.diff(run.starts)) for run in runs]
    )
    times = np.concatenate([run.times for run in runs])
    names = runs[0].columns.keys()
    columns = {name: np.concatenate([run.columns[name] for run in runs]) for name in names}
    return _sorted_run(distinct, ranks, times, columns, number)


def _sorted_run(distinct: Keys, ranks: Times, times: Times, columns: Columns, number: int) -> Run:
    order = sort_order(ranks, times)
    starts = np.zeros(len(distinct) + 1, np.int64)
    np.cumsum(np.bincount(ranks, minlength=len(distinct)), out=starts[1:])
    return Run(
        distinct,
        starts,
        times[order],
        {name: column[order] for name, column in columns.items()},
        number,
    )


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of ever smaller size; a few, however many rows were added."""

    runs: tuple[Run, ...] = ()
    next_number: int = 0

    def __len__(self) -> int:
        return sum(len(run) for run in self.runs)

    @property
    def size_bytes(self) -> int:
        return sum(run.size_bytes for run in self.runs)

    def added(self, keys: Keys, times: Times, columns: Columns) -> "Runs":
        """With more rows, in any order."""
        if not len(times):
            return self
        return self._with(run_of(keys, times, columns, self.next_number))

    def _with(self, run: Run) -> "Runs":
        runs, number = [*self.runs, run], self.next_number + 1
        cut = len(runs) - 1
        size = len(run)
        while cut and len(runs[cut - 1]) < _GROWTH * size:
            cut -= 1
            size += len(runs[cut])
        if cut < len(runs) - 1:
            runs[cut:] = [merged(runs[cut:], number)]
            number += 1
        return Runs(tuple(runs), number)

    def whole(self) -> Run | None:
        """All rows in one run, None when there is none."""
        if len(self.runs) < 2:
            return self.runs[0] if self.runs else None
        return merged(self.runs)

    def only(self, run: Run, kept: npt.NDArray[np.bool_]) -> "Runs":
        """These rows of ``whole()`` alone."""
        if kept.all() and len(self.runs) < 2:
            return self
        columns = {name: column[kept] for name, column in run.columns.items()}
        left = run_of(run.row_keys()[kept], run.times[kept], columns, self.next_number)
        return Runs((left,) if len(left) else (), self.next_number + 1)

    def places(self, wanted: Keys) -> "Places":
        """Where the wanted keys (distinct or not) are in each run."""
        return Places(self.runs, [run.slices(wanted) for run in self.runs])

    def distinct_keys(self) -> Keys:
        if not self.runs:
            return np.zeros(0, np.uint64)
        return distinct_of(np.concatenate([run.keys for run in self.runs]))


@dataclass(frozen=True, slots=True)
class Places:
    """Some keys' ranges of rows in each run, to be searched by time."""

    runs: tuple[Run, ...]
    ranges: list[tuple[Times, Times]]

    def of(self, at: Times) -> "Places":
        """The ranges of the keys at these positions."""
        return Places(self.runs, [(low[at], high[at]) for low, high in self.ranges])

    def counted(self, until: Times) -> Times:
        """How many rows each key has up to and including a time."""
        total = np.zeros(len(until), np.int64)
        for run, (low, high) in zip(self.runs, self.ranges, strict=True):
            total += seek(run.times, low, high, until) - low
        return total

    def summed(self, name: str, after: Times, until: Times) -> npt.NDArray[np.float64]:
        """The sum of a column over (after, until]; exact while it fits 63 bits."""
        whole, parts = np.zeros(len(until), np.int64), np.zeros(len(until), np.int64)
        rough = np.zeros(len(until))
        for run, (low, high) in zip(self.runs, self.ranges, strict=True):
            if len(run):
                begin = seek(run.times, low, high, after)
                end = seek(run.times, low, high, until)
                totals = (whole, parts, rough)
                for total, sums in zip(totals, run.running_sums(name), strict=True):
                    total += _between(sums, begin, end)
        exact = (whole + (parts >> 32)) + (parts & (FINEST - 1)) / FINEST
        return np.where(np.abs(rough) < _FITS, exact, rough)

    def earliest_after(self, times: Times, otherwise: int) -> Times:
        """The first time later than the given one, or ``otherwise``."""
        best = np.full(len(times), otherwise, np.int64)
        for run, (low, high) in zip(self.runs, self.ranges, strict=True):
            if len(run):
                at = seek(run.times, low, high, times)
                found = np.where(at < high, run.times[np.minimum(at, len(run) - 1)], otherwise)
                best = np.minimum(best, found)
        return best

    def latest_until(self, times: Times, otherwise: int) -> Times:
        """The last time not later than the given one, or ``otherwise``."""
        best = np.full(len(times), otherwise, np.int64)
        for run, (low, high) in zip(self.runs, self.ranges, strict=True):
            if len(run):
                at = seek(run.times, low, high, times)
                found = np.where(at > low, run.times[np.maximum(at - 1, 0)], otherwise)
                best = np.maximum(best, found)
        return best

    def rows_between(self, after: Times, until: Times, most: int | None = None) -> "Rows":
        """Every row later than ``after`` and not later than ``until`` (of these the last ``most``)."""
        owners, at, which = [], [], []
        for number, (run, (low, high)) in enumerate(zip(self.runs, self.ranges, strict=True)):
            begin = seek(run.times, low, high, after)
            end = seek(run.times, low, high, until)
            if most is not None:
                begin = np.maximum(begin, end - most)
            counts = np.maximum(end - begin, 0)
            if counts.any():
                owner = np.repeat(np.arange(len(counts)), counts)
                before = np.cumsum(counts) - counts
                owners.append(owner)
                at.append(np.arange(len(owner)) - before[owner] + begin[owner])
                which.append(number)
        return Rows(self.runs, which, owners, at)


def _between(sums: npt.NDArray[Any], begin: Times, end: Times) -> npt.NDArray[Any]:
    """Of running sums: what was added in [begin, end)."""
    upto = np.where(end > 0, sums[np.maximum(end, 1) - 1], 0)
    before = np.where(begin > 0, sums[np.maximum(begin, 1) - 1], 0)
    return np.asarray(np.where(end > begin, upto - before, 0))


def latest_of(owners: Times, times: Times, asked_owners: Times, asked_times: Times) -> Times:
    """For each asked (owner, time): the position of the owner's last time ≤ it, or -1.

    ``owners`` and ``times`` are sorted by owner, then time.
    """
    if not len(owners):
        return np.full(len(asked_owners), -1, np.int64)
    most = int(max(owners.max(), asked_owners.max(initial=0))) + 1
    begins = np.searchsorted(owners, np.arange(most))
    ends = np.searchsorted(owners, np.arange(most), side="right")
    low, high = begins[asked_owners], ends[asked_owners]
    found = seek(times, low, high, asked_times)
    return np.where(found > low, found - 1, -1)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of several runs that were asked for; ``owners`` are positions in the question."""

    _runs: tuple[Run, ...]
    _which: list[int]
    _owners: list[Times]
    _at: list[Times]

    def owners(self) -> Times:
        return np.concatenate(self._owners) if self._owners else np.zeros(0, np.int64)

    def times(self) -> Times:
        if not self._at:
            return np.zeros(0, np.int64)
        pairs = zip(self._which, self._at, strict=True)
        return np.concatenate([self._runs[which].times[at] for which, at in pairs])

    def column(self, name: str, kind: npt.DTypeLike) -> npt.NDArray[Any]:
        if not self._at:
            return np.zeros(0, kind)
        pairs = zip(self._which, self._at, strict=True)
        return np.concatenate([self._runs[which].columns[name][at] for which, at in pairs])
