"""Knows the facts of segments, which the manifest keeps, and holds those asked for in memory."""

import threading
from collections.abc import Sequence

from sqlalchemy import select

from tocsin.store.engines.parquet.segment_facts import SegmentFacts
from tocsin.store.ports import Segment, StateStore
from tocsin.store.tables import segment_facts

_FETCHED = 500
_FORGOTTEN_BEYOND = 2_000
"""Segments known beyond those asked for, before others are forgotten."""


class FactsBook:
    """Facts by segment; a segment never changes, so each is read once."""

    def __init__(self, state: StateStore) -> None:
        self._state = state
        self._guard = threading.Lock()
        self._known: dict[str, SegmentFacts | None] = {}

    def of(self, wanted: Sequence[Segment]) -> dict[str, SegmentFacts | None]:
        """By segment id; None where nothing is known."""
        with self._guard:
            ids = [segment.id for segment in wanted]
            missing = [one for one in ids if one not in self._known]
            if missing:
                self._recall(missing)
            found = {one: self._known[one] for one in ids}
            if len(self._known) > len(found) + _FORGOTTEN_BEYOND:
                self._known = dict(found)
            return found

    def _recall(self, missing: list[str]) -> None:
        self._known |= dict.fromkeys(missing)
        with self._state.read() as tx:
            for at in range(0, len(missing), _FETCHED):
                asked = segment_facts.c.segment_id.in_(missing[at : at + _FETCHED])
                for row in tx.execute(select(segment_facts).where(asked)):
                    self._known[row.segment_id] = SegmentFacts(row.packed)
