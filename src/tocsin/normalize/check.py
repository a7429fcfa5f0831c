"""Holds a connector's folder to its own word: every sample maps as it is written beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_ids
from tocsin.model.record import Decoded, Framing, Origin, RawBatch
from tocsin.normalize.errors import MappingError
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer
from tocsin.normalize.ocsf_object import to_ocsf

RECEIVED_AT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
"""When samples count as received: decides the year of times that have none."""

EXPECTED = ".ocsf.json"
_FRAMINGS = {".tsv": Framing.ZEEK_TSV, ".w3c": Framing.W3C}
Decode = Callable[[RawBatch], Decoded]
Validate = Callable[[dict[str, Any]], Sequence[str]]
"""Problems of one nested OCSF event, empty when it is valid."""


@dataclass(frozen=True, slots=True)
class MappedRecord:
    """One record of a sample as it was decoded and what came of it."""

    record: dict[str, object]
    native: dict[str, object]
    lane: str
    event: dict[str, Any]


def sample_files(folder: Path) -> list[Path]:
    """The samples of a connector: every file in ``samples/`` that is not an expectation."""
    files = (folder / "samples").glob("*")
    return sorted(path for path in files if path.is_file() and not path.name.endswith(EXPECTED))


def map_sample(path: Path, normalizer: Normalizer, decode: Decode) -> list[MappedRecord]:
    """Decode and normalize one sample file, in the order of its records.

    ``.tsv`` is Zeek's own format, ``.w3c`` has its ``#Fields`` on top; ``.json`` may be one object or an array over many lines;
    anything else is one record a line. Raises ValueError when a record can't be read.
    """
    payload = path.read_bytes()
    framing = _FRAMINGS.get(path.suffix, Framing.LINES)
    if path.suffix == ".json":
        whole = orjson.loads(payload)
        records = whole if isinstance(whole, list) else [whole]
        payload = b"\n".join(orjson.dumps(record) for record in records)
    decoded = decode(RawBatch("sample", payload, RECEIVED_AT, framing, place=str(path)))
    if decoded.unreadable:
        broken = decoded.unreadable[0]
        raise ValueError(f"record {broken.ordinal}: {broken.reason}")
    numbered = Decoded(
        decoded.records, decoded.lines, list(range(len(decoded.records))), [], decoded.keep_raw
    )
    mapped: dict[int, MappedRecord] = {}
    origin = Origin("sample", RECEIVED_AT, "sample", 1)
    for batch in normalizer.normalize(numbered, origin):
        for row, at in enumerate(_places(batch, numbered, normalizer, origin)):
            mapped[at] = _mapped(batch, row, numbered.records[at])
    return [mapped[at] for at in sorted(mapped)]


def _places(
    batch: EventBatch, decoded: Decoded, normalizer: Normalizer, origin: Origin
) -> list[int]:
    """Which record each row of the batch came from, told by the event ids."""
    ids = event_ids(origin.received_at, origin.spool, origin.position, decoded.ordinals)
    place = {identifier: at for at, identifier in enumerate(ids)}
    return [place[identifier] for identifier in batch.event_ids.to_pylist()]


def _mapped(batch: EventBatch, row: int, record: dict[str, object]) -> MappedRecord:
    ocsf = batch.ocsf_rows([row])[0]
    event = to_ocsf(ocsf, batch.times[row].as_py(), batch.lane)
    return MappedRecord(record, batch.native_rows([row])[0], batch.lane.id, event)


def check_folder(
    folder: Path,
    decode: Decode,
    validate: Validate | None = None,
    others: Sequence[Path] = (),
) -> list[str]:
    """What is wrong with a connector, empty when nothing is.

    ``others`` are the mapping files of the connectors it lives beside: a sample must be
    recognized among them. ``validate`` holds events to the OCSF schema.
    """
    mapping_path = folder / "mapping.yml"
    try:
        mappings = [load_mapping(mapping_path)]
        mappings += [load_mapping(path) for path in others if path != mapping_path]
    except MappingError as error:
        return [str(problem) for problem in error.problems]
    return check_samples(folder, mappings[0].connector, Normalizer(mappings), decode, validate)


def check_samples(
    folder: Path,
    connector: str,
    normalizer: Normalizer,
    decode: Decode,
    validate: Validate | None = None,
) -> list[str]:
    """The same for a normalizer that is there already and knows the connector's mapping."""
    files = sample_files(folder)
    if not files:
        return [f"{folder}/samples: no sample; add a raw record as a file of its own"]
    problems: list[str] = []
    for path in files:
        problems += _check_sample(path, connector, normalizer, decode, validate)
    return problems


def _check_sample(
    path: Path, connector: str, normalizer: Normalizer, decode: Decode, validate: Validate | None
) -> list[str]:
    try:
        mapped = map_sample(path, normalizer, decode)
    except ValueError as error:
        return [f"{path}: can't be read: {error}"]
    problems: list[str] = []
    for number, found in enumerate(mapped, start=1):
        place = f"{path} record {number}"
        if not found.lane.startswith(f"{connector}."):
            problems.append(f"{place}: is taken for {found.lane}; see recognize in mapping.yml")
        lost = lost_values(found.record, found.native)
        problems += [f"{place}: the value {value!r} is lost" for value in lost]
        if validate is not None:
            problems += [f"{place}: is not valid OCSF: {why}" for why in validate(found.event)]
    expected = path.with_name(path.stem + EXPECTED)
    if not expected.is_file():
        problems.append(f"{path}: has no {expected.name} beside it saying what it maps to")
    elif orjson.loads(expected.read_bytes()) != _golden(mapped):
        problems.append(f"{path}: maps otherwise than {expected.name} says")
    return problems


def lost_values(record: dict[str, object], native: dict[str, object]) -> list[str]:
    """Plain values of the record that its native columns no longer tell."""
    told = _leaves(native)
    return sorted(value for value in _leaves(record) - told if not _is_told(value, told))


def _is_told(value: str, told: set[str]) -> bool:
    """Numbers may have become floats, and what had several types JSON text."""
    try:
        if str(float(value)) in told:
            return True
    except ValueError:
        pass
    quoted = orjson.dumps(value).decode()
    return any(value in text or quoted in text for text in told if text[:1] in '[{"tfn')


def _leaves(value: object, into: set[str] | None = None) -> set[str]:
    """Every plain value inside, as text."""
    into = set() if into is None else into
    if isinstance(value, dict):
        for inner in value.values():
            _leaves(inner, into)
    elif isinstance(value, list):
        for inner in value:
            _leaves(inner, into)
    elif value is not None:
        into.add(str(value))
    return into


def write_expected(folder: Path, decode: Decode, others: Sequence[Path] = ()) -> list[Path]:
    """Write what each sample maps to beside it, to be read and agreed with by a person."""
    paths = [folder / "mapping.yml", *(path for path in others if path.parent != folder)]
    normalizer = Normalizer([load_mapping(path) for path in paths])
    written = []
    for path in sample_files(folder):
        expected = path.with_name(path.stem + EXPECTED)
        mapped = map_sample(path, normalizer, decode)
        options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        expected.write_bytes(orjson.dumps(_golden(mapped), option=options))
        written.append(expected)
    return written


def _golden(mapped: Sequence[MappedRecord]) -> list[dict[str, Any]]:
    return [{"lane": found.lane, "event": found.event} for found in mapped]
