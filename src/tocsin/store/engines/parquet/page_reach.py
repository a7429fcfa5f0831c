"""Says how far back a page reaches, by what is known of segments before any is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from tocsin.store.engines.parquet.event_queries import MINUTE_US, Place, micros, moment_of
from tocsin.store.engines.parquet.narrowing import Narrowing
from tocsin.store.engines.parquet.segment_facts import Numbers
from tocsin.store.ports import Segment

_TAKEN_TOGETHER = 64
"""Segments looked at before it is asked whether they have enough events."""


@dataclass(frozen=True, slots=True)
class Hits:
    """How many events of one segment match; none is before ``first`` or after ``last``."""

    segment: Segment
    count: int
    first: datetime
    last: datetime

    def reaches(self, time: datetime, oldest_first: bool) -> bool:
        """True when one may be at ``time`` or before it in the order of the page."""
        return self.first <= time if oldest_first else self.last >= time


def reach(
    narrowing: Narrowing,
    hits: Sequence[Hits],
    wanted: int,
    after: Place | None,
    oldest_first: bool,
) -> datetime | None:
    """A time up to which at least ``wanted`` matches follow ``after``; None: not known.

    ``hits`` and times are in the order of the page: newest first, up to the end of a span is down
    to its begin.
    """
    ends = np.zeros(0, np.int64)
    counts = np.zeros(0, np.int64)
    for at in range(0, len(hits), _TAKEN_TOGETHER):
        some = [
            _spans(narrowing, hit, after, oldest_first) for hit in hits[at : at + _TAKEN_TOGETHER]
        ]
        ends = np.concatenate([ends, *(one[:wanted] for one, _ in some)])
        counts = np.concatenate([counts, *(many[:wanted] for _, many in some)])
        order = np.argsort(ends if oldest_first else -ends, kind="stable")
        ends, counts = ends[order], counts[order]
        enough = int(np.searchsorted(np.cumsum(counts), wanted))
        if enough < len(ends):
            return moment_of(int(ends[enough]))
    return None


def _spans(
    narrowing: Narrowing, hit: Hits, after: Place | None, oldest_first: bool
) -> tuple[Numbers, Numbers]:
    """Ends of spans that lie after ``after``, in the order of the page, and matches in each."""
    known = narrowing.minutes(hit.segment)
    if known is None:
        begins, counts = np.array([micros(hit.first)]), np.array([hit.count])
        lasts = np.array([micros(hit.last)])
    else:
        begins, counts = known[0] * MINUTE_US, known[1]
        lasts = begins + (MINUTE_US - 1)
    if after is not None:
        place = micros(after[0])
        beyond = begins > place if oldest_first else lasts < place
        begins, lasts, counts = begins[beyond], lasts[beyond], counts[beyond]
    return (lasts, counts) if oldest_first else (begins[::-1], counts[::-1])
