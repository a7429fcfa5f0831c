"""Tries a mapping on records of its source, without putting it in force."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tocsin.app.own_mappings import read_own_mapping
from tocsin.app.unknown_replay import UNKNOWN_LANE
from tocsin.model.record import Decoded, Origin
from tocsin.normalize.errors import MappingError, MappingProblem
from tocsin.normalize.normalizer import Normalizer
from tocsin.normalize.ocsf_object import to_ocsf


@dataclass(frozen=True, slots=True)
class MappingTrial:
    """What records came to: by lane, and the first of each lane as OCSF, by dotted path.

    ``problems`` are those of the mapping, with its line; the rest is empty then.
    """

    problems: tuple[str, ...] = ()
    lanes: Counter[str] = field(default_factory=Counter)
    first: dict[str, dict[str, object]] = field(default_factory=dict)

    @property
    def unknown(self) -> int:
        """Records it does not claim."""
        return self.lanes[UNKNOWN_LANE]


def try_mapping(connector: str, text: str, records: Sequence[dict[str, object]]) -> MappingTrial:
    """Map ``records`` as a mapping of this text would alone."""
    with tempfile.TemporaryDirectory(prefix="tocsin-mapping-") as name:
        path = Path(name) / "mapping.yml"
        path.write_text(text, encoding="utf-8")
        try:
            normalizer = Normalizer([read_own_mapping(path, connector)])
        except MappingError as error:
            return MappingTrial(told(error))
    now = datetime.now(UTC)
    decoded = Decoded(list(records), [b""] * len(records), list(range(len(records))))
    trial = MappingTrial()
    try:
        batches = normalizer.normalize(decoded, Origin("trial", now, "trial", 0))
    except Exception as error:
        return MappingTrial((f"mapping.yml: can't map these records: {error}",))
    for batch in batches:
        trial.lanes[batch.lane.id] += len(batch)
        if batch.lane.id != UNKNOWN_LANE:
            event = to_ocsf(batch.ocsf_rows([0])[0], batch.times[0].as_py(), batch.lane)
            trial.first[batch.lane.id] = dict(_leaves("", event))
    return trial


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
