"""A day walked through decode, normalize and detect, without a server or a store."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tocsin.app.flow.correlated_findings import entities_by_group
from tocsin.connectors.catalog import mapping_paths
from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.correlate.turn import Turn
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import load_rules
from tocsin.exercise.sending import Channel, Sending
from tocsin.exercise.stages import RULES_FOLDER
from tocsin.ingest.cutting.files import read_paths
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.decode import decode
from tocsin.model.record import Decoded, Framing, Origin, RawBatch, Unreadable
from tocsin.model.rule import Rule
from tocsin.model.severity import Level
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer
from tocsin.triage.entities import entities_of

SENDINGS_A_TURN = 40
"""The flow takes what has come meanwhile in one turn, not each sending in one of its own."""


def batched(sendings: Iterable[Sending], size: int) -> Iterator[list[Sending]]:
    """The sendings in their order, so many at a time; the last time what is left."""
    left = iter(sendings)
    while together := list(islice(left, size)):
        yield together


@dataclass
class Told:
    """What the rooms made of a day; an alert is a rule's title, its id and an entity key."""

    lanes: Counter[str] = field(default_factory=Counter)
    unreadable: list[Unreadable] = field(default_factory=list)
    alerts: dict[tuple[str, str], int] = field(default_factory=dict)
    levels: dict[tuple[str, str], Level] = field(default_factory=dict)
    titles: dict[tuple[str, str], str] = field(default_factory=dict)
    correlated: set[str] = field(default_factory=set)


class Walk:
    """The rooms as ``app`` wires them, less the store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._normalizer = Normalizer([load_mapping(path) for path in mapping_paths()])
        self._ruleset = load_rules([RULES_FOLDER])
        self._engine = Engine(self._ruleset)

    def tell(self, sendings: Iterable[Sending]) -> Told:
        told = Told()
        correlator = Correlator(self._ruleset.stateful)
        standing: dict[str, Correlated] = {}
        for first, together in enumerate(batched(sendings, SENDINGS_A_TURN)):
            turn = correlator.begin()
            parts: list[tuple[Decoded, Origin]] = []
            for place, sending in enumerate(together):
                position = first * SENDINGS_A_TURN + place
                parts += [self._decoded(told, raw, position) for raw in self._batches(sending)]
            self._take(told, parts, turn)
            self._hear(standing, turn.finish(together[-1].at))
            turn.keep()
        for verdict in standing.values():
            rule = verdict.rule
            entities = entities_by_group(rule, verdict, verdict.ocsf, entities_of)
            entity = entities[0].key if entities else f"source:{verdict.source}"
            self._tell(told, rule, entity)
            told.correlated.add(rule.title)
        return told

    def _hear(self, standing: dict[str, Correlated], verdicts: Iterable[Correlated]) -> None:
        for verdict in verdicts:
            standing.pop(verdict.supersedes, None)
            if not verdict.retracted and verdict.rule.id not in self._ruleset.silent:
                standing[verdict.finding_id] = verdict

    def _tell(self, told: Told, rule: Rule, entity: str) -> None:
        alert = (rule.id, entity)
        told.alerts[alert] = told.alerts.get(alert, 0) + 1
        told.levels[alert] = rule.level
        told.titles[alert] = rule.title

    def _batches(self, sending: Sending) -> list[RawBatch]:
        if sending.channel is not Channel.FILE:
            is_web = sending.channel is Channel.HTTP
            framing = Framing.LINES if is_web else Framing.SYSLOG
            return split_lines(sending.payload, sending.source, sending.at, framing=framing)
        path = self._folder / sending.filename
        path.write_bytes(sending.payload)
        cuts = list(read_paths([path], sending.source, sending.at, None))
        path.unlink()
        return [cut for cut in cuts if isinstance(cut, RawBatch)]

    @staticmethod
    def _decoded(told: Told, raw: RawBatch, position: int) -> tuple[Decoded, Origin]:
        decoded = decode(raw)
        told.unreadable.extend(decoded.unreadable)
        return decoded, Origin(raw.source, raw.received_at, "test", position)

    def _take(self, told: Told, parts: list[tuple[Decoded, Origin]], turn: Turn) -> None:
        for batch in self._normalizer.normalize_all(parts):
            told.lanes[batch.lane.id] += len(batch)
            hits = self._engine.evaluate(batch)
            turn.take(batch, hits)
            sources = batch.sources.to_pylist() if hits else []
            for hit in (one for one in hits if one.rule.id not in self._ruleset.silent):
                for at, row in zip(hit.rows, batch.ocsf_rows(hit.rows), strict=True):
                    entities = entities_of(hit.rule, row)
                    entity = entities[0].key if entities else f"source:{sources[at]}"
                    self._tell(told, hit.rule, entity)
