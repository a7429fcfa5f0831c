"""One field of a batch in columnar form: codes of distinct texts, by row."""

import numpy as np
import numpy.typing as npt

from tocsin.detect.matching.predicate import Predicate
from tocsin.detect.matching.vocabulary import Codes, Mask, PassingVocabulary, Vocabulary

Rows = npt.NDArray[np.int64]
FEW = 256
"""Up to so many values plain lists are faster than whole-array operations."""


class Column:
    """Entries (values that are not null) of one field over the rows of a batch.

    A plain field has one entry or none a row; a list has any number (``offsets`` into entries).
    """

    def __init__(
        self, codes: Codes, vocabulary: Vocabulary, offsets: Rows | None, rows: int
    ) -> None:
        self.codes = codes
        self.vocabulary = vocabulary
        self._offsets = offsets
        self._rows = rows
        self._inverse: tuple[Rows, Rows] | None = None
        self._parents: Rows | None = None

    def has_value(self, rows: Rows) -> Mask:
        """Of each row whether the field is present."""
        if self._offsets is None:
            return np.asarray(self.codes[rows] >= 0)
        return np.asarray(self._offsets[rows + 1] > self._offsets[rows])

    def holds(self, key: int, predicate: Predicate, rows: Rows) -> Mask:
        """Of each row whether any of its values passes the predicate (known as ``key``)."""
        if self._offsets is None:
            codes = self.codes[rows]
            return np.equal(self.vocabulary.verdicts(key, predicate, codes)[codes], 1)
        entries, at = self._entries(rows)
        codes = self.codes[entries]
        passed = self.vocabulary.verdicts(key, predicate, codes)[codes] == 1
        mask = np.zeros(len(rows), np.bool_)
        mask[at[passed]] = True
        return mask

    @property
    def single_codes(self) -> Codes | None:
        """The code of each row (-1: none) of a plain field; None for a list."""
        return self.codes if self._offsets is None else None

    def values_by_row(self, rows: Rows) -> list[list[int]]:
        """The codes of each row's values."""
        if self._offsets is None:
            return [[code] if code >= 0 else [] for code in self.codes[rows].tolist()]
        codes = self.codes
        return [codes[self._offsets[row] : self._offsets[row + 1]].tolist() for row in rows]

    def present_codes(self) -> Codes:
        """The distinct codes that occur, ascending."""
        if isinstance(self.vocabulary, PassingVocabulary):
            return np.arange(len(self.vocabulary))
        if len(self.codes) <= FEW:
            return np.array(sorted(set(self.codes.tolist()) - {-1}), np.int64)
        seen = np.zeros(len(self.vocabulary) + 1, np.bool_)
        seen[self.codes] = True
        return np.flatnonzero(seen[:-1])

    def rows_with(self, codes: Codes) -> Rows:
        """The rows that have any of the (distinct) codes, ascending."""
        if len(self.codes) <= FEW:
            wanted = set(codes.tolist())
            entries = np.array([at for at, c in enumerate(self.codes.tolist()) if c in wanted])
        else:
            entries = self._entries_with(codes)
        return entries if self._offsets is None else np.unique(self._parent_rows()[entries])

    def _entries_with(self, codes: Codes) -> Rows:
        order, starts = self._by_code()
        if len(codes) == 1:
            return order[starts[codes[0]] : starts[codes[0] + 1]]
        entries = order[_ranges(starts[codes], starts[codes + 1])[0]]
        entries.sort()
        return entries

    def _by_code(self) -> tuple[Rows, Rows]:
        if self._inverse is None:
            shifted = self.codes + 1
            size = len(self.vocabulary) + 1
            starts = np.zeros(size + 1, np.int64)
            np.cumsum(np.bincount(shifted, minlength=size), out=starts[1:])
            narrow = shifted.astype(np.uint16) if size <= 0xFFFF else shifted
            self._inverse = np.argsort(narrow, kind="stable"), starts[1:]
        return self._inverse

    def _parent_rows(self) -> Rows:
        if self._parents is None:
            assert self._offsets is not None  # noqa: S101 - callers asked first
            self._parents = np.repeat(np.arange(self._rows), np.diff(self._offsets))
        return self._parents

    def _entries(self, rows: Rows) -> tuple[Rows, Rows]:
        """The entries of the rows, and of each the position of its row in ``rows``."""
        assert self._offsets is not None  # noqa: S101 - callers asked first
        return _ranges(self._offsets[rows], self._offsets[rows + 1])


def _ranges(starts: Rows, ends: Rows) -> tuple[Rows, Rows]:
    """All integers of the half-open ranges in order, and which range each is from."""
    counts = ends - starts
    which = np.repeat(np.arange(len(starts)), counts)
    first = np.cumsum(counts) - counts
    return np.arange(len(which)) - first[which] + starts[which], which
