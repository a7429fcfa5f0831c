"""Episodes: the stretches of time in which a rule's condition held for a group, and what was told."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from tocsin.detect.correlate.arrivals import Floats
from tocsin.detect.correlate.ordered_runs import Keys, Run, Times, distinct_of, run_of

_GROWTH = 4


@dataclass(frozen=True, slots=True)
class EpisodeRows:
    """Columns of equal length, sorted by (group, low).

    [``low``, ``high``] is where the condition held (the moments judged, or the window), of
    ``since`` … ``last`` are its events, ``count`` of them, ``carried`` of these no longer held.
    ``due``: when it has to be looked at again whatever comes. ``pending`` rows hold no episode:
    from ``low`` on the group was not judged yet. ``told_…`` is what was last said of it, id 0:
    nothing.
    """

    group: Keys
    low: Times
    high: Times
    since: Times
    last: Times
    count: Times
    carried: Times
    measured: Floats
    due: Times
    pending: Times
    told_high: Keys
    told_low: Keys
    told_since: Times
    told_last: Times
    told_count: Times
    told_measured: Floats

    def __len__(self) -> int:
        return len(self.group)

    def at(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "EpisodeRows":
        return EpisodeRows(*(getattr(self, name)[rows] for name in NAMES))

    @classmethod
    def of(cls, parts: Sequence["EpisodeRows"]) -> "EpisodeRows":
        """All of them, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in NAMES))

    @classmethod
    def untold(
        cls,
        group: Keys,
        low: Times,
        high: Times,
        *,
        since: Times,
        last: Times,
        count: Times,
        measured: Floats,
        due: Times,
        carried: Times | None = None,
    ) -> "EpisodeRows":
        """Rows of which nothing was told."""
        none = np.zeros(len(group), np.int64)
        no_id = np.zeros(len(group), np.uint64)
        kept = none if carried is None else carried
        nothing = (none, none, none, np.zeros(len(group)))
        return cls(
            group, low, high, since, last, count, kept, measured, due, none, no_id, no_id, *nothing
        )

    @classmethod
    def waiting(cls, group: Keys, low: Times, due: Times) -> "EpisodeRows":
        """Groups that are to be judged from ``low`` on when the watermark has passed ``due``."""
        zero = np.zeros(len(group), np.int64)
        rows = cls.untold(
            group, low, low, since=low, last=low, count=zero, measured=np.zeros(len(group)), due=due
        )
        return replace(rows, pending=zero + 1)

    def told(self) -> npt.NDArray[np.bool_]:
        """Which of them something was said of."""
        told: npt.NDArray[np.bool_] = (self.told_high != 0) | (self.told_low != 0)
        return told

    def sorted(self) -> "EpisodeRows":
        return self.at(np.lexsort((self.low, self.group)))


NAMES = tuple(one.name for one in fields(EpisodeRows))
KINDS = (
    "u8",
    "i8",
    "i8",
    "i8",
    "i8",
    "i8",
    "i8",
    "f8",
    "i8",
    "i8",
    "u8",
    "u8",
    "i8",
    "i8",
    "i8",
    "f8",
)


def no_rows() -> EpisodeRows:
    return EpisodeRows(*(np.zeros(0, kind) for kind in KINDS))


@dataclass(frozen=True, slots=True)
class Piece:
    """All rows of some groups at some turn; later pieces take groups over (``alive`` False)."""

    number: int
    groups: Keys
    run: Run
    alive: npt.NDArray[np.bool_]

    def rows(self, at: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> EpisodeRows:
        return EpisodeRows(
            self.run.row_keys()[at], *(self.run.columns[name][at] for name in NAMES[1:])
        )

    def without(self, groups: Keys) -> "Piece":
        positions = _positions(self.run, groups)
        if not len(positions):
            return self
        alive = self.alive.copy()
        alive[positions] = False
        return replace(self, alive=alive)


@dataclass(frozen=True, slots=True)
class Episodes:
    """The rows of all groups; taken over group by group, at a cost by what is taken over."""

    pieces: tuple[Piece, ...] = ()
    next_number: int = 0

    def __len__(self) -> int:
        return sum(int(piece.alive.sum()) for piece in self.pieces)

    @property
    def size_bytes(self) -> int:
        return sum(piece.run.size_bytes + piece.groups.nbytes for piece in self.pieces)

    def of(self, groups: Keys) -> EpisodeRows:
        """The rows of these groups (distinct, ascending), sorted."""
        parts = []
        for piece in self.pieces:
            positions = _positions(piece.run, groups)
            positions = positions[piece.alive[positions]]
            if len(positions):
                parts.append(piece.rows(positions))
        return EpisodeRows.of(parts).sorted() if parts else no_rows()

    def all_rows(self) -> EpisodeRows:
        parts = [piece.rows(piece.alive) for piece in self.pieces]
        return EpisodeRows.of(parts).sorted() if parts else no_rows()

    def replaced(self, groups: Keys, rows: EpisodeRows) -> "Episodes":
        """With these rows in the place of all rows of the groups (distinct, ascending)."""
        pieces = [piece.without(groups) for piece in self.pieces]
        pieces.append(_piece(self.next_number, groups, rows))
        number = self.next_number + 1
        cut, size = len(pieces) - 1, len(groups)
        while cut and len(pieces[cut - 1].groups) < _GROWTH * size:
            cut -= 1
            size += len(pieces[cut].groups)
        if cut < len(pieces) - 1:
            pieces[cut:] = [_joined(pieces[cut:], number, lowest=cut == 0)]
            number += 1
        return Episodes(tuple(pieces), number)

    def groups(self) -> Keys:
        """Every group with a row, in no order."""
        parts = [piece.run.row_keys()[piece.alive] for piece in self.pieces]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint64)

    def due(self, watermark: int) -> Keys:
        """Groups to be looked at again, distinct and ascending."""
        found = []
        for piece in self.pieces:
            ripe = (piece.run.columns["due"] <= watermark) & piece.alive
            if ripe.any():
                found.append(piece.run.row_keys()[ripe])
        return distinct_of(np.concatenate(found)) if found else np.zeros(0, np.uint64)

    @classmethod
    def restored(cls, pieces: Sequence[tuple[int, Keys, EpisodeRows]]) -> "Episodes":
        """Of saved pieces in the order of their numbers."""
        found: list[Piece] = []
        for number, groups, rows in sorted(pieces, key=lambda one: one[0]):
            found = [piece.without(groups) for piece in found]
            found.append(_piece(number, groups, rows))
        return cls(tuple(found), found[-1].number + 1 if found else 0)


def _piece(number: int, groups: Keys, rows: EpisodeRows) -> Piece:
    columns = {name: getattr(rows, name) for name in NAMES[1:]}
    run = run_of(rows.group, rows.low, columns)
    return Piece(number, groups, run, np.ones(len(run), bool))


def _joined(pieces: Sequence[Piece], number: int, *, lowest: bool) -> Piece:
    rows = EpisodeRows.of([piece.rows(piece.alive) for piece in pieces])
    if lowest:
        return _piece(number, distinct_of(rows.group), rows)
    return _piece(number, distinct_of(np.concatenate([piece.groups for piece in pieces])), rows)


def _positions(run: Run, groups: Keys) -> Times:
    """The rows of these groups."""
    low, high = run.slices(groups)
    counts = high - low
    owner = np.repeat(np.arange(len(counts)), counts)
    positions: Times = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner] + low[owner]
    return positions
