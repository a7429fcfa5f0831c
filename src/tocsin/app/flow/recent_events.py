"""Keeps the events of the last turns at hand: correlation speaks of most of them once more."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.app.flow.last_events import last_events
from tocsin.detect.correlate.correlated import Correlated
from tocsin.model.event import EventBatch
from tocsin.store.ports import EventStore
from tocsin.store.query import StoredEvent

MOST_BYTES = 128 << 20
"""Arrow memory of the events kept."""


class RecentEvents:
    """The last events of verdicts: of the turns kept as far as they are there, else as stored.

    Both are the same. Keeping costs memory, asking the store some tenths of a second a turn.
    """

    def __init__(self, events: EventStore, most_bytes: int = MOST_BYTES) -> None:
        self._events = events
        self._most_bytes = most_bytes
        self._kept: list[EventBatch] = []
        self._sizes: list[int] = []

    def keep(self, batches: Sequence[EventBatch]) -> None:
        """Keep what was stored now, without its text; the oldest goes where that is too much."""
        bare = [replace(one, raw=pa.nulls(len(one), pa.binary())) for one in reversed(batches)]
        sizes = [*(one.native.nbytes + one.ocsf.nbytes for one in bare), *self._sizes]
        fitting = int(np.searchsorted(np.cumsum(sizes), self._most_bytes, "right"))
        self._kept, self._sizes = [*bare, *self._kept][:fitting], sizes[:fitting]

    def last_of(self, verdicts: Sequence[Correlated]) -> dict[str, StoredEvent]:
        """By their ids, the last events of verdicts that name some."""
        found: dict[str, StoredEvent] = {}
        for batch in self._kept:
            wanted = {one.event_ids[-1] for one in verdicts} - found.keys()
            if not wanted:
                break
            here = pc.is_in(batch.event_ids, value_set=pa.array(sorted(wanted), pa.string()))
            rows = np.flatnonzero(here.to_numpy(zero_copy_only=False)).tolist()
            found |= {one.event_id: one for one in (_as_stored(batch, rows) if rows else ())}
        left = [one for one in verdicts if one.event_ids[-1] not in found]
        return found | last_events(self._events, left) if left else found


def _as_stored(batch: EventBatch, rows: Sequence[int]) -> list[StoredEvent]:
    taken = pa.array(rows, pa.int64())
    columns = (batch.event_ids, batch.times, batch.ingested_at, batch.sources)
    return [
        StoredEvent(
            event_id=event_id,
            time=time,
            ingested_at=ingested_at,
            tenant=batch.tenant,
            source=source,
            lane=batch.lane.id,
            ocsf=ocsf,
            native={name: _in_order(value) for name, value in sorted(native.items())},
        )
        for event_id, time, ingested_at, source, ocsf, native in zip(
            *(column.take(taken).to_pylist() for column in columns),
            batch.ocsf_rows(rows),
            batch.native_rows(rows),
            strict=True,
        )
    ]


def _in_order(value: object) -> object:
    """Objects with their names in the order in which the store gives them back."""
    if isinstance(value, dict):
        return {name: _in_order(inner) for name, inner in sorted(value.items())}
    return [_in_order(inner) for inner in value] if isinstance(value, list) else value
