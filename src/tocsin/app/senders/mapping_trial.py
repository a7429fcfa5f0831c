"""Tries a mapping on records of its source, without putting it in force."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tocsin.app.home.own_mappings import read_own_mapping
from tocsin.app.senders.unknown_replay import UNKNOWN_LANE
from tocsin.model.event import EventBatch
from tocsin.model.record import Decoded, Origin
from tocsin.normalize.errors import MappingError, MappingProblem
from tocsin.normalize.normalizer import Normalizer
from tocsin.normalize.ocsf_object import to_ocsf


@dataclass(frozen=True, slots=True)
class MappingTrial:
    """What records came to: by lane, and the first of each lane as OCSF, by dotted path.

    ``problems`` are those of the mapping, with its line; the rest is empty then. ``claimed``
    counts, by lane, stored events of other connectors that it would claim as well.
    """

    problems: tuple[str, ...] = ()
    lanes: Counter[str] = field(default_factory=Counter)
    first: dict[str, dict[str, object]] = field(default_factory=dict)
    claimed: Counter[str] = field(default_factory=Counter)

    @property
    def unknown(self) -> int:
        """Records it does not claim."""
        return self.lanes[UNKNOWN_LANE]


def try_mapping(
    connector: str,
    text: str,
    records: Sequence[dict[str, object]],
    known: Sequence[tuple[str, dict[str, object]]] = (),
) -> MappingTrial:
    """Map ``records`` as a mapping of this text would alone, and events ``known`` by their lane."""
    with tempfile.TemporaryDirectory(prefix="tocsin-mapping-") as name:
        path = Path(name) / "mapping.yml"
        path.write_text(text, encoding="utf-8")
        try:
            normalizer = Normalizer([read_own_mapping(path, connector)])
        except MappingError as error:
            return MappingTrial(told(error))
    trial = MappingTrial()
    try:
        batches = _mapped(normalizer, records)
        for lane, record in known:
            if not lane.startswith(f"{connector}."):
                (one,) = _mapped(normalizer, [record])
                if one.lane.id != UNKNOWN_LANE:
                    trial.claimed[lane] += 1
    except Exception as error:
        return MappingTrial((f"mapping.yml: can't map these records: {error}",))
    for batch in batches:
        trial.lanes[batch.lane.id] += len(batch)
        if batch.lane.id != UNKNOWN_LANE:
            event = to_ocsf(batch.ocsf_rows([0])[0], batch.times[0].as_py(), batch.lane)
            trial.first[batch.lane.id] = dict(_leaves("", event))
    return trial


def _mapped(normalizer: Normalizer, records: Sequence[dict[str, object]]) -> list[EventBatch]:
    decoded = Decoded(list(records), [b""] * len(records), list(range(len(records))))
    return normalizer.normalize(decoded, Origin("trial", datetime.now(UTC), "trial", 0))


def told(error: MappingError) -> tuple[str, ...]:
    """Each problem with its file's name and line, for who has the text before them."""
    return tuple(str(_nearby(one)) for one in error.problems)


def _nearby(problem: MappingProblem) -> MappingProblem:
    return MappingProblem(Path(problem.path.name), problem.line, problem.reason)


def _leaves(prefix: str, value: dict[str, object]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, inner in value.items():
        if isinstance(inner, dict):
            found += _leaves(f"{prefix}{name}.", inner)
        else:
            found.append((f"{prefix}{name}", inner))
    return found
