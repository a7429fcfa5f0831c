"""What an event's message says where a field is missing: less, and never a sign in its place."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.decode import decode
from tocsin.model.identifier import event_ids
from tocsin.model.record import Decoded, Origin, RawBatch
from tocsin.normalize.check import RECEIVED_AT, sample_files
from tocsin.normalize.expression import Fields
from tocsin.normalize.mapping import Expression, Mapping, load_mapping
from tocsin.normalize.normalizer import Normalizer
from tocsin.normalize.template import compile_template, fields_of

STAND_INS = frozenset({"?", "-", ":", "()", "/", "->", "None", "null", "unknown", "to", "by", "of"})
DEEPEST = 3
MAPPINGS = {path.parent.name: load_mapping(path) for path in mapping_paths()}


def expressions(declared: Expression) -> Iterator[Expression]:
    yield declared
    for part in declared.first_of or []:
        yield from expressions(part)


def message_templates(mapping: Mapping) -> set[str]:
    own = [shape.map for shape in mapping.shapes]
    shared = list(mapping.fragments.values())
    return {
        part.template
        for columns in (*own, *shared)
        if "message" in columns
        for part in expressions(columns["message"])
        if part.template is not None
    }


@pytest.mark.parametrize("name", sorted(MAPPINGS))
def test_no_message_has_a_gap_where_a_field_is_missing(name: str) -> None:
    for template in message_templates(MAPPINGS[name]):
        fields = fields_of(template)
        kept = range(len(fields) + 1)
        columns = {
            field: pa.array([None if row == at else f"x{at}" for row in kept])
            for at, field in enumerate(fields)
        }
        batch = pa.record_batch({"number": pa.array(kept)})
        told = compile_template(template, None)(Fields(batch, columns))
        assert told is not None
        *lacking, whole = told.to_pylist()
        assert whole is not None
        for message in lacking:
            if message is None:
                continue  # nothing worth saying is left
            assert message == " ".join(message.split()), template
            assert not {message[0], message[-1]} & set(":/-("), template
            assert not STAND_INS & (set(message.split()) - set(whole.split())), template


def places(record: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in record.items():
        yield (*before, name)
        if isinstance(value, dict) and len(before) < DEEPEST:
            yield from places(value, (*before, name))


def without(record: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    name, *rest = place
    if not rest:
        return {key: value for key, value in record.items() if key != name}
    return {**record, name: without(record[name], tuple(rest))}


def sampled(name: str) -> list[dict[str, Any]]:
    folder = next(path.parent for path in mapping_paths() if path.parent.name == name)
    found: list[dict[str, Any]] = []
    for path in sample_files(folder):
        if path.suffix in {".log", ".txt", ".json", ".jsonl", ".ndjson"}:
            found += decode(RawBatch("sample", path.read_bytes(), RECEIVED_AT)).records
    return found


def messages(normalizer: Normalizer, records: list[dict[str, Any]]) -> list[str | None]:
    """What is said of each record, in their order."""
    ordinals = list(range(len(records)))
    origin = Origin("sample", RECEIVED_AT, "sample", 1)
    ids = event_ids(origin.received_at, origin.spool, origin.position, ordinals)
    told: dict[str, Any] = {}
    for batch in normalizer.normalize(Decoded(records, [b""] * len(records), ordinals), origin):
        said = batch.ocsf_rows(range(len(batch)))
        for identifier, row in zip(batch.event_ids.to_pylist(), said, strict=True):
            told[identifier] = row.get("message")
    return [told[identifier] for identifier in ids]


def test_no_sample_with_a_field_dropped_tells_of_it_with_a_sign(normalizer: Normalizer) -> None:
    named = [name for name, mapping in sorted(MAPPINGS.items()) if message_templates(mapping)]
    whole = [record for name in named for record in sampled(name)]
    cut = [(at, place) for at, record in enumerate(whole) for place in places(record)]
    lacking = [without(whole[at], place) for at, place in cut]
    told = messages(normalizer, [*whole, *lacking])
    assert len(lacking) > 2_000
    for (at, place), message in zip(cut, told[len(whole) :], strict=True):
        if message not in whole[at].values():  # as it came
            new = set((message or "").split()) - set((told[at] or "").split())
            assert not new & {"?", "-", "()", "None", "null"}, place
