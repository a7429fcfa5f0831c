"""Says which events of a segment the filters of legal holds find, looking into files only if it must."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from sqlglot import exp

from tocsin.store.engines.parquet.event_queries import ROW
from tocsin.store.engines.parquet.event_search import EventSearch
from tocsin.store.engines.parquet.narrowing import Narrowing
from tocsin.store.engines.parquet.segment_table import rows_where
from tocsin.store.ports import Segment
from tocsin.store.query import EventQuery

_REMEMBERED = 200_000


class HeldEvents:
    """Remembers how many events of a segment each filter found: neither of the two changes."""

    def __init__(self, folder: Path, search: EventSearch) -> None:
        self._folder = folder
        self._search = search
        self._counts: dict[tuple[str, str], int] = {}

    def look(self, segments: Sequence[Segment]) -> "HeldLook":
        """One look at these segments; raises QueryError, later, for a filter no one can read."""
        if len(self._counts) > _REMEMBERED:
            self._counts = {}
        return HeldLook(self._folder, self._search, segments, self._counts)


class HeldLook:
    """What filters find in some segments, as long as these are what they are."""

    def __init__(
        self,
        folder: Path,
        search: EventSearch,
        segments: Sequence[Segment],
        counts: dict[tuple[str, str], int],
    ) -> None:
        self._folder = folder
        self._search = search
        self._segments = segments
        self._counts = counts
        self._narrowings: dict[str, Narrowing] = {}

    def has_some(self, segment: Segment, matching: str) -> bool:
        """False when the filter finds none of its events; True also when that is not known."""
        known = self._counts.get((segment.id, matching))
        return bool(known) if known is not None else self._narrowing(matching).may_hold(segment)

    def has_only(self, segment: Segment, matching: str) -> bool:
        """True when it is known that the filter finds all of its events."""
        known = self._counts.get((segment.id, matching))
        return known == segment.rows or self._narrowing(matching).is_whole(segment)

    def rows(self, segment: Segment, matching: str) -> pa.Array:
        """Of each event, in the order of the file, whether the filter finds it.

        Raises duckdb.Error when the file can't be read.
        """
        found = np.zeros(segment.rows, bool)
        if self.has_some(segment, matching):
            condition = self._narrowing(matching).condition(segment)
            table = rows_where([(condition, [str(self._folder / segment.path)])])
            asked = exp.select(ROW.copy()).from_(table)
            found[[row for (row,) in self._search.reader.rows(asked)]] = True
        self._counts[segment.id, matching] = int(found.sum())
        return pa.array(found)

    def _narrowing(self, matching: str) -> Narrowing:
        if matching not in self._narrowings:
            query = EventQuery(matching)
            self._narrowings[matching] = self._search.narrowing(query, self._segments)
        return self._narrowings[matching]
