"""Turns decoded records into event batches, one a lane; no record is lost on the way."""

from collections.abc import Sequence

import pyarrow as pa

from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_ids
from tocsin.model.lane import Lane
from tocsin.model.record import Decoded, Origin
from tocsin.normalize.lane_shape import LaneShape
from tocsin.normalize.mapping import Mapping
from tocsin.normalize.recognition import Claim, Recognizer, claim_of
from tocsin.normalize.unknown import unknown_mapping


class Normalizer:
    """All mappings compiled; give it the connectors' mappings once and keep it."""

    def __init__(self, mappings: Sequence[Mapping]) -> None:
        ordered = sorted(mappings, key=lambda mapping: (mapping.order, mapping.connector))
        self._shapes: list[LaneShape] = []
        claims: list[Claim] = []
        fallbacks: list[Claim] = []
        self._claims_by_connector: dict[str, list[Claim]] = {}
        for mapping in ordered:
            for shape in mapping.shapes:
                required = (mapping.recognize, shape.recognize)
                claim = claim_of(
                    len(self._shapes), required, shape.any_of, mapping.alias, mapping.lift
                )
                (fallbacks if shape.fallback else claims).append(claim)
                self._claims_by_connector.setdefault(mapping.connector, []).append(claim)
                self._shapes.append(LaneShape(mapping, shape))
        unknown = unknown_mapping()
        self._unknown = LaneShape(unknown, unknown.shapes[0])
        self._recognizer = Recognizer([*claims, *fallbacks])
        self._hinted = {
            connector: Recognizer(own) for connector, own in self._claims_by_connector.items()
        }

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every lane that events may come in, the unknown one last."""
        return (*(shape.lane for shape in self._shapes), self._unknown.lane)

    def normalize(self, decoded: Decoded, origin: Origin) -> list[EventBatch]:
        """One batch a lane; the events of a batch keep the order of their records."""
        batches = [
            self._batch(
                self._unknown if shape is None else self._shapes[shape], rows, decoded, origin
            )
            for shape, rows in self._grouped(decoded.records, origin.connector)
        ]
        return sorted(batches, key=lambda batch: batch.lane.id)

    def _grouped(
        self, records: Sequence[dict[str, object]], connector: str | None
    ) -> list[tuple[int | None, list[int]]]:
        own = self._hinted.get(connector) if connector else None
        if own is None:
            return self._recognizer.group(records)
        everything = dict(own.group(records))
        left = everything.pop(None, [])
        for shape, rows in self._recognizer.group([records[row] for row in left]):
            everything[shape] = sorted([*everything.get(shape, []), *(left[row] for row in rows)])
        return list(everything.items())

    @staticmethod
    def event_ids(ordinals: Sequence[int], origin: Origin) -> list[str]:
        """The ids of records by their number in the origin, the same at every reading."""
        return event_ids(origin.received_at, origin.spool, origin.position, ordinals)

    def _batch(
        self, shape: LaneShape, rows: list[int], decoded: Decoded, origin: Origin
    ) -> EventBatch:
        whole = len(rows) == len(decoded.records)
        records = decoded.records if whole else [decoded.records[row] for row in rows]
        native, ocsf, times = shape.columns(records, origin)
        ids = self.event_ids([decoded.ordinals[row] for row in rows], origin)
        received = pa.scalar(origin.received_at, pa.timestamp("us", "UTC"))
        return EventBatch(
            lane=shape.lane,
            source=origin.source,
            tenant=origin.tenant,
            event_ids=pa.array(ids, pa.string()),
            times=times,
            ingested_at=pa.repeat(received, len(rows)),
            native=native,
            ocsf=ocsf,
            raw=_raw(rows, decoded),
        )


def _raw(rows: list[int], decoded: Decoded) -> pa.Array:
    """The bytes of records whose fields can't rebuild them; null for all others."""
    if not decoded.keep_raw:
        return pa.nulls(len(rows), pa.binary())
    kept = [decoded.lines[row] if row in decoded.keep_raw else None for row in rows]
    return pa.array(kept, pa.binary())
