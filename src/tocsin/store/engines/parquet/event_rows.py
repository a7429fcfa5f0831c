"""Turns rows of a segment into stored events of plain Python values."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlglot import exp

from tocsin.store.fields import unmarked
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.query import StoredEvent

_ENVELOPE = len(ENVELOPE)


def event_columns(with_native: bool = True) -> list[exp.Expr]:
    """What to select so that ``stored_event`` can read a row."""
    names = [*ENVELOPE, "raw", "ocsf", "native", *(column.name for column in HOT_COLUMNS)]
    return [
        exp.column(name, quoted=True)
        if with_native or name != "native"
        else exp.alias_(exp.null(), name, quoted=True)
        for name in names
    ]


def stored_event(row: tuple[Any, ...]) -> StoredEvent:
    event_id, time, ingested_at, tenant, source, lane = row[:_ENVELOPE]
    raw, rest, native = row[_ENVELOPE : _ENVELOPE + 3]
    ocsf = {
        column.path: value
        for column, value in zip(HOT_COLUMNS, row[_ENVELOPE + 3 :], strict=True)
        if value is not None
    }
    return StoredEvent(
        event_id=event_id,
        time=time.replace(tzinfo=UTC),
        ingested_at=ingested_at.replace(tzinfo=UTC),
        tenant=tenant,
        source=source,
        lane=lane,
        ocsf={**ocsf, **(plain_value(rest) or {})},
        native=plain_value(native) or {},
        raw=raw,
    )


def plain_value(value: Any) -> Any:
    """The value with stored names undone, nulls left out, times aware and whole decimals ints."""
    if isinstance(value, dict):
        return {
            unmarked(name): plain_value(inner) for name, inner in value.items() if inner is not None
        }
    if isinstance(value, list):
        return [plain_value(member) for member in value]
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value
