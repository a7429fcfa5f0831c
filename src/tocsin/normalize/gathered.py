"""Decoded parts of one tenant put together, each record remembering where it came from."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_ids
from tocsin.model.record import Decoded, Origin
from tocsin.normalize.lane_shape import LaneShape
from tocsin.normalize.timestamps import to_micros


class Gathered:
    """The records of some parts in order, with their ids, sources and times of receipt."""

    def __init__(self, parts: Sequence[tuple[Decoded, Origin]]) -> None:
        """All origins are of one tenant."""
        self._tenant = parts[0][1].tenant
        self.records: list[dict[str, object]] = []
        self._ids: list[str] = []
        self._sources: list[str] = []
        self._received: list[int] = []
        self._raw: dict[int, bytes] = {}
        for decoded, origin in parts:
            start, rows = len(self.records), len(decoded.records)
            self.records += decoded.records
            self._ids += event_ids(
                origin.received_at, origin.spool, origin.position, decoded.ordinals
            )
            self._sources += [origin.source] * rows
            self._received += [to_micros(origin.received_at)] * rows
            self._raw |= {start + row: decoded.lines[row] for row in decoded.keep_raw}

    def batch(self, shape: LaneShape, rows: list[int]) -> EventBatch:
        """The event batch of the given rows, which are all of ``shape``."""
        received_us = np.array([self._received[row] for row in rows], np.int64)
        native, ocsf, times = shape.columns([self.records[row] for row in rows], received_us)
        return EventBatch(
            lane=shape.lane,
            sources=pa.array([self._sources[row] for row in rows], pa.string()),
            tenant=self._tenant,
            event_ids=pa.array([self._ids[row] for row in rows], pa.string()),
            times=times,
            ingested_at=pa.array(received_us).cast(pa.timestamp("us", "UTC")),
            native=native,
            ocsf=ocsf,
            raw=self._raw_of(rows),
        )

    def _raw_of(self, rows: list[int]) -> pa.Array:
        """The bytes of records whose fields can't rebuild them; null for all others."""
        if not self._raw:
            return pa.nulls(len(rows), pa.binary())
        return pa.array([self._raw.get(row) for row in rows], pa.binary())
