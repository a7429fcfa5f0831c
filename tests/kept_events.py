"""Events as they lie in a store after days and months: taken in whenever a test wants them to be."""

from datetime import datetime
from itertools import count as numbers

import pyarrow as pa

from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_id
from tocsin.model.lane import Lane
from tocsin.store.ports import EventStore, Segment, StateStore

_POSITIONS = numbers()
_MICROS = pa.timestamp("us", "UTC")


def store_events(
    events: EventStore,
    state: StateStore,
    received: datetime,
    count: int = 1,
    *,
    sources: tuple[str, ...] = ("sensor",),
    tenant: str = "default",
    time: datetime | None = None,
) -> Segment:
    """One segment with ``count`` events of each source; their own time is ``received`` or ``time``."""
    position = next(_POSITIONS)
    batches = [
        EventBatch(
            lane=Lane("test", "plain", product="test"),
            sources=pa.repeat(source, count),
            tenant=tenant,
            event_ids=pa.array(
                [event_id(received, source, position, number) for number in range(count)]
            ),
            times=pa.array([time or received] * count, _MICROS),
            ingested_at=pa.array([received] * count, _MICROS),
            native=pa.RecordBatch.from_pydict({"n": pa.array(range(count))}),
            ocsf=pa.RecordBatch.from_pydict({"class_uid": pa.repeat(1007, count)}),
            raw=pa.array([b"x" * 100] * count, pa.binary()),
        )
        for source in sources
    ]
    segment = events.write(batches)
    assert segment is not None
    with state.begin() as tx:
        events.publish(tx, segment)
    return segment
