"""What the statistics of a segment's row group tell of its events before any is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from tocsin.store.hot_columns import ENVELOPE

_TEXTS = frozenset(name for name, kind in ENVELOPE.items() if kind == "VARCHAR")


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What is known of the rows.

    ``first`` and ``last`` are event times (UTC; None: not told), ``only`` the envelope's columns in
    which every row has the same text, with that text.
    """

    rows: int
    first: datetime | None
    last: datetime | None
    only: Mapping[str, str]

    @classmethod
    def of(cls, group: Any) -> "GroupFacts":
        """``group`` is the metadata of a row group; the envelope's columns are its first."""
        first = last = None
        only: dict[str, str] = {}
        for at, name in enumerate(ENVELOPE):
            told = group.column(at).statistics
            if told is None or not told.has_min_max:
                continue
            if name == "time":
                first, last = told.min.replace(tzinfo=UTC), told.max.replace(tzinfo=UTC)
            elif name in _TEXTS and told.min == told.max and told.null_count == 0:
                only[name] = told.min
        return cls(group.num_rows, first, last, only)

    def lies_within(self, start: datetime | None, end: datetime | None) -> bool:
        """True when all events are known to be of ``start <= time < end``."""
        if self.first is None or self.last is None:
            return start is None and end is None
        return (start is None or start <= self.first) and (end is None or self.last < end)

    def lies_outside(self, start: datetime | None, end: datetime | None) -> bool:
        """True when no event is of ``start <= time < end``."""
        if self.first is None or self.last is None:
            return False
        return (start is not None and self.last < start) or (end is not None and self.first >= end)

    def columns(self) -> dict[str, pa.DictionaryArray]:
        """The columns of ``only``, which need not be read."""
        numbers = pa.repeat(pa.scalar(0, pa.int32()), self.rows)
        return {
            name: pa.DictionaryArray.from_arrays(numbers, pa.array([text], pa.string()))
            for name, text in self.only.items()
        }
