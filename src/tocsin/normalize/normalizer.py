"""Turns decoded records into event batches, one a lane; no record is lost on the way."""

from collections.abc import Sequence

from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.model.record import Decoded, Origin
from tocsin.normalize.gathered import Gathered
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
        return self.normalize_all([(decoded, origin)])

    def normalize_all(self, parts: Sequence[tuple[Decoded, Origin]]) -> list[EventBatch]:
        """The same for many small parts of any sources: one batch a tenant and lane.

        Working on whole lanes is what makes columns pay; a thousand senders of ten records each
        cost about as much as one of ten thousand.
        """
        together: dict[tuple[str, str | None], list[tuple[Decoded, Origin]]] = {}
        for decoded, origin in parts:
            together.setdefault((origin.tenant, origin.connector), []).append((decoded, origin))
        batches = [
            gathered.batch(self._unknown if shape is None else self._shapes[shape], rows)
            for (_, connector), same in together.items()
            for gathered in [Gathered(same)]
            for shape, rows in self._grouped(gathered.records, connector)
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
