"""Small event batches to store and look for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_id
from tocsin.model.lane import Lane

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_MICROS = pa.timestamp("us", "UTC")

MakeBatch = Callable[..., EventBatch]


@pytest.fixture(scope="session")
def noon() -> datetime:
    return NOON


@pytest.fixture(scope="session")
def make_batch() -> MakeBatch:
    """``make_batch(rows)``: a dict a row; keys with ``native`` and ``ocsf`` parts, ``at`` a time
    or seconds after noon."""
    return _make_batch


def _make_batch(
    rows: list[dict],
    *,
    lane: str = "test.plain",
    source: str = "sensor",
    tenant: str = "default",
    position: int = 0,
) -> EventBatch:
    connector, _, shape = lane.partition(".")
    times = [_time(row.get("at", number)) for number, row in enumerate(rows)]
    received = NOON + timedelta(hours=1, seconds=position)
    ocsf = {
        "class_uid": 1007,
        "category_uid": 1,
        "activity_id": 1,
        "severity_id": 1,
        "type_uid": 100701,
    }
    return EventBatch(
        lane=Lane(connector, shape, product=connector),
        sources=pa.repeat(source, len(rows)),
        tenant=tenant,
        event_ids=pa.array([event_id(received, source, position, n) for n in range(len(rows))]),
        times=pa.array(times, _MICROS),
        ingested_at=pa.array([received] * len(rows), _MICROS),
        native=_columns([row.get("native", {}) for row in rows]),
        ocsf=_columns([{**ocsf, **row.get("ocsf", {})} for row in rows]),
        raw=pa.array([row.get("raw") for row in rows], pa.binary()),
    )


def _time(at: datetime | float) -> datetime:
    return at if isinstance(at, datetime) else NOON + timedelta(seconds=at)


def _columns(rows: list[dict]) -> pa.RecordBatch:
    names = list(dict.fromkeys(name for row in rows for name in row))
    arrays = {name: pa.array([row.get(name) for row in rows]) for name in names}
    filled = {name: array for name, array in arrays.items() if array.null_count < len(array)}
    if not filled:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))
    return pa.RecordBatch.from_pydict(filled)
