"""All events of a query as they come off the store, however many they are."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class EventStream:
    """``total`` events in ``batches``, newest first unless the query asks otherwise.

    ``problems`` name parts that could not be read: what they hold is missing. A part that turns
    out to be damaged on the way ends the stream with ``StoreError``.
    """

    total: int
    batches: Iterator[pa.RecordBatch]
    problems: tuple[str, ...] = ()


WHOLE_EVENT = (
    *("event_id", "time", "ingested_at", "tenant", "source", "lane"),
    *("ocsf", "native", "raw"),
)
"""The columns of a stream that names none, besides the hot ones by their OCSF path.

``ocsf`` (what is beyond the hot columns) and ``native`` are JSON texts, null when there is none.
"""
