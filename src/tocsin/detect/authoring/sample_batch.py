"""A batch made of plain records, as rule tests and benchmarks need it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import orjson
import pyarrow as pa

from tocsin.detect.rules.value_text import text_of
from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_id
from tocsin.model.lane import Lane

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_Scalar = (str, bool, int, float, datetime, date, bytes)


def lane_for(product: str | None, category: str | None, service: str | None) -> Lane:
    """A lane that accepts just what a rule asks for."""
    shape = ".".join(part for part in (category, service) if part) or "any"
    return Lane(
        connector="sample",
        shape=f"{product or 'any'}.{shape}",
        product=product or "",
        categories=(category,) if category else (),
        services=(service,) if service else (),
    )


def batch_of(
    lane: Lane,
    records: Sequence[Mapping[str, object]],
    *,
    times: Sequence[datetime] | None = None,
    first: int = 0,
) -> EventBatch:
    """The records as one batch: a column a field, values of mixed kinds as their text.

    ``times`` (aware) are when they happened and were received, 2000-01-01 unless told.
    ``first`` is the number of the first record, of which its id is made: give
    batches that are used together numbers of their own.
    """
    moments = [_EPOCH] * len(records) if times is None else list(times)
    now = pa.array(moments, pa.timestamp("us", "UTC"))
    ids = [event_id(_EPOCH, "sample", 0, first + at) for at in range(len(records))]
    return EventBatch(
        lane=lane,
        sources=pa.array(["sample"] * len(records), pa.string()),
        tenant="default",
        event_ids=pa.array(ids, pa.string()),
        times=now,
        ingested_at=now,
        native=native_columns(records),
        ocsf=pa.RecordBatch.from_pydict({"class_uid": pa.array([0] * len(records), pa.int32())}),
        raw=pa.nulls(len(records), pa.binary()),
    )


def native_columns(records: Sequence[Mapping[str, object]]) -> pa.RecordBatch:
    """Native fields as columns; fields that are nowhere set are left out."""
    names = dict.fromkeys(name for record in records for name in record)
    columns = {}
    for name in names:
        array = _array([record.get(name) for record in records])
        if array.null_count < len(array):
            columns[whole_text(str(name))] = array
    if not columns:
        columns = {"": pa.nulls(len(records))}
    return pa.RecordBatch.from_pydict(columns)


def _array(values: list[object]) -> pa.Array:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 and kinds.isdisjoint({dict, list}):
        try:
            return pa.array(values)
        except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
            return _texts(values)
    if kinds == {dict}:
        return _structs(values)
    if kinds == {list}:
        return _lists(values)
    return _texts(values)


def _structs(values: list[object]) -> pa.Array:
    names = dict.fromkeys(name for value in values if isinstance(value, dict) for name in value)
    inner = {
        whole_text(str(name)): _array(
            [v.get(name) if isinstance(v, dict) else None for v in values]
        )
        for name in names
    }
    missing = pa.array([value is None for value in values])
    if not inner:
        return pa.array(values, pa.struct([]))
    return pa.StructArray.from_arrays(list(inner.values()), list(inner), mask=missing)


def _lists(values: list[object]) -> pa.Array:
    members = [member for value in values if isinstance(value, list) for member in value]
    offsets: list[int | None] = []
    at = 0
    for value in values:
        offsets.append(at if isinstance(value, list) else None)
        at += len(value) if isinstance(value, list) else 0
    return pa.ListArray.from_arrays(pa.array([*offsets, at], pa.int32()), _array(members))


def _texts(values: list[object]) -> pa.Array:
    texts = [_text(value) for value in values]
    return pa.array([None if text is None else whole_text(text) for text in texts], pa.string())


def whole_text(text: str) -> str:
    """The text with U+FFFD in the place of halves of surrogate pairs, which are no characters."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, _Scalar):
        return text_of(value)
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
