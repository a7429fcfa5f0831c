"""Turns decoded records into event batches, one a lane; no record is lost on the way."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.model.event import EventBatch
from tocsin.model.lane import Lane
from tocsin.model.record import Decoded, Origin
from tocsin.normalize.enrichment import Enricher
from tocsin.normalize.gathered import Asked, Gathered
from tocsin.normalize.mapping import Mapping
from tocsin.normalize.shape_sorting import ShapeSorter
from tocsin.normalize.together import Joining


@dataclass(frozen=True, slots=True)
class _InForce:
    """What one set of mappings comes to."""

    sorter: ShapeSorter
    joinings: dict[str, tuple[Mapping, Joining]]


class Normalizer:
    """All mappings compiled; give it the connectors' mappings once and keep it.

    ``replace`` may be called by another thread: a call of ``normalize`` works with one set of
    mappings from beginning to end.
    """

    def __init__(self, mappings: Sequence[Mapping], enricher: Enricher | None = None) -> None:
        """Of mappings with equal ``order`` the earlier is asked first what records are its."""
        self._enricher = enricher
        self._in_force = _InForce(ShapeSorter(mappings), _joinings(mappings, {}))

    def replace(self, mappings: Sequence[Mapping]) -> None:
        """Put other mappings in force; what is remembered for those that stay is kept."""
        before = self._in_force.joinings
        self._in_force = _InForce(ShapeSorter(mappings), _joinings(mappings, before))

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every lane that events may come in, the unknown one last."""
        return self._in_force.sorter.lanes

    @property
    def giving(self) -> frozenset[str]:
        """Ids of the lanes whose records tell others of the same event something."""
        joinings = self._in_force.joinings.values()
        return frozenset().union(*(joining.giving for _, joining in joinings))

    def remember(self, batches: Sequence[EventBatch]) -> None:
        """Let later records get what these, stored before this process began, say of an event."""
        for _, joining in self._in_force.joinings.values():
            joining.remember(batches)

    def enrichment_problems(self) -> list[str]:
        """Files events are enriched from that can't be used at present, each with the reason."""
        return [] if self._enricher is None else self._enricher.problems()

    def normalize(self, decoded: Decoded, origin: Origin) -> list[EventBatch]:
        """One batch a lane; the events of a batch keep the order of their records."""
        return self.normalize_all([(decoded, origin)])

    def normalize_all(
        self, parts: Sequence[tuple[Decoded, Origin]], asked: Asked | None = None
    ) -> list[EventBatch]:
        """The same for many small parts of any sources: one batch a tenant and lane.

        ``asked`` gives the names of the native fields that columns are needed of, by lane; lanes
        it leaves out get all.

        Working on whole lanes is what makes columns pay; a thousand senders of ten records each
        cost about as much as one of ten thousand.
        """
        in_force = self._in_force
        together: dict[tuple[str, str | None], list[tuple[Decoded, Origin]]] = {}
        for decoded, origin in parts:
            together.setdefault((origin.tenant, origin.connector), []).append((decoded, origin))
        batches: list[EventBatch] = []
        for (_, connector), same in together.items():
            gathered = Gathered(same)
            batches += gathered.batches(in_force.sorter.sorted(gathered, connector), asked)
        for _, joining in in_force.joinings.values():
            batches = joining.joined(batches)
        batches.sort(key=lambda batch: batch.lane.id)
        return batches if self._enricher is None else self._enricher.enriched(batches)


def _joinings(
    mappings: Sequence[Mapping], before: dict[str, tuple[Mapping, Joining]]
) -> dict[str, tuple[Mapping, Joining]]:
    """One for each mapping that joins; of a mapping that is as it was, the one there is."""
    found: dict[str, tuple[Mapping, Joining]] = {}
    for mapping in mappings:
        if mapping.together is not None:
            known = before.get(mapping.connector)
            same = known is not None and known[0] == mapping
            found[mapping.connector] = (
                known if known is not None and same else (mapping, Joining(mapping))
            )
    return found
