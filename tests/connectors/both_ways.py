"""The same payloads read columnwise and line by line, and what is told of their events."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest import decode as decoding
from tocsin.ingest.columns import decode_shaped, decode_split, decode_text, decode_wrapped
from tocsin.model.event import EventBatch
from tocsin.model.record import Decoded, Framing, Origin, RawBatch
from tocsin.normalize.cells import Cells
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer
from tocsin.normalize.shaped_rows import CellRows, ColumnRows, values_of

RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)
NORMALIZER = Normalizer([load_mapping(path) for path in mapping_paths()])


SPLIT, GROUPED, LINE_BY_LINE = "split", "grouped", "line by line"


def decoded(payload: bytes, framing: Framing, way: str) -> Decoded:
    with pytest.MonkeyPatch.context() as patch:
        if way == LINE_BY_LINE:
            patch.setattr(decoding, "worth_shaping", lambda _: False)
            patch.setattr(decoding, "worth_columns", lambda _: False)
        else:
            patch.setattr(decode_text, "FEWEST_BYTES", 1)
            patch.setattr(decode_text, "FEWEST_ALIKE", 1)
            patch.setattr(decode_shaped, "FEWEST_BYTES", 1)
            patch.setattr(decode_shaped, "FEWEST_ALIKE", 1)
            patch.setattr(decode_shaped, "FEWEST_ROWS", 2)
            patch.setattr(decode_wrapped, "FEWEST_BYTES", 1)
            patch.setattr(decode_wrapped, "FEWEST_ALIKE", 1)
            patch.setattr(decode_split, "_ODD_SHARE", 4)
            patch.setattr(decode_split, "_PAUSE", 0)
        if way == GROUPED:
            patch.setattr(decode_shaped, "split_lines", lambda *_: None)
        return decoding.decode(RawBatch("test", payload, RECEIVED, framing))


def compare_records(payload: bytes, framing: Framing) -> None:
    """Decoding alone: what the columns hold is what the records are."""
    slow, fast = (decoded(payload, framing, way) for way in (LINE_BY_LINE, SPLIT))
    assert fast.ordinals == slow.ordinals
    assert fast.unreadable == slow.unreadable
    assert fast.keep_raw == slow.keep_raw
    assert list(fast.lines) == list(slow.lines)
    assert list(fast.records) == list(slow.records)
    if fast.shaped is None:
        return
    held: dict[int, Any] = dict(fast.shaped.loose)
    cells = Cells([fast.shaped])
    alike: list[CellRows | ColumnRows] = [
        ColumnRows(table.template, table.rows, [table.columns], table.is_escaped)
        for table in fast.shaped.tables
    ]
    alike += [
        CellRows(group.template, group.rows, 2 * group.texts, 2 * group.scalars)
        for group in fast.shaped.groups
    ]
    for rows in alike:
        held |= zip(rows.rows.tolist(), values_of(cells, rows.template.record, rows), strict=True)
    # Fields in the same order, too: columns come in the order in which names are first seen.
    assert [repr(held[row]) for row in range(len(held))] == list(map(repr, slow.records))


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of an event: ``plain`` is compared as it is, fields by type and value."""

    plain: tuple[object, ...]
    native: dict[str, Any]
    ocsf: dict[str, Any]


def told(batches: list[EventBatch]) -> dict[str, Said]:
    """All that is said of each event, by its id."""
    events: dict[str, Said] = {}
    for batch in batches:
        rows = range(len(batch))
        # As texts, made once a batch: each event of it is compared with another's.
        types = repr(ordered({field.name: plain_type(field.type) for field in batch.native.schema}))
        ocsf_types = repr(sorted((field.name, str(field.type)) for field in batch.ocsf.schema))
        for identifier, native, ocsf, *plain in zip(
            batch.event_ids.to_pylist(),
            batch.native_rows(rows),
            batch.ocsf_rows(rows),
            batch.times.to_pylist(),
            batch.sources.to_pylist(),
            batch.raw.to_pylist(),
            strict=True,
        ):
            lane = batch.lane.id
            events[identifier] = Said((lane, types, ocsf_types, *plain), native, ocsf)
    return events


def assert_alike(one: Said, other: Said) -> None:
    """The order of fields is free; 1, 1.0 and True are not the same."""
    assert one.plain == other.plain
    for mine, theirs in ((one.native, other.native), (one.ocsf, other.ocsf)):
        if repr(mine) != repr(theirs):
            assert repr(ordered(mine)) == repr(ordered(theirs))


def ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: ordered(value[name]) for name in sorted(value)}
    return [ordered(inner) for inner in value] if isinstance(value, list) else value


def plain_type(kind: pa.DataType) -> object:
    if pa.types.is_struct(kind):
        return {field.name: plain_type(field.type) for field in kind}
    return [plain_type(kind.value_type)] if pa.types.is_list(kind) else str(kind)


def compare(payloads: list[bytes], framing: Framing = Framing.LINES) -> tuple[int, int]:
    """All ways on the same payloads together; how many records, how many of them by shape."""
    slow_parts, slow_told = read_all(payloads, framing, LINE_BY_LINE)
    assert all(found.shaped is None for found, _ in slow_parts)
    shaped = 0
    for way in (SPLIT, GROUPED):
        fast_parts, fast_told = read_all(payloads, framing, way)
        for (one, _), (other, _) in zip(fast_parts, slow_parts, strict=True):
            assert one.ordinals == other.ordinals
            assert one.unreadable == other.unreadable
            assert one.keep_raw == other.keep_raw
            assert list(one.lines) == list(other.lines)
            assert list(one.records) == list(other.records)
        assert fast_told.keys() == slow_told.keys()
        for identifier, event in slow_told.items():
            assert_alike(fast_told[identifier], event)
        shaped = sum(by_shape(found) for found, _ in fast_parts)
    return len(slow_told), shaped


def read_all(
    payloads: list[bytes], framing: Framing, way: str
) -> tuple[list[tuple[Decoded, Origin]], dict[str, Said]]:
    parts = [
        (decoded(payload, framing, way), Origin("test", RECEIVED, "spool", position))
        for position, payload in enumerate(payloads)
    ]
    return parts, told(NORMALIZER.normalize_all(parts))


def by_shape(found: Decoded) -> int:
    return 0 if found.shaped is None else len(found.records) - len(found.shaped.loose)
