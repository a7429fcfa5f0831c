"""Records as JSON text that comes back exactly: what JSON has no form for is tagged."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import orjson

TAG = "$exact"
"""The one key of an object that stands for what JSON has no form for."""
_MARKER = f'"{TAG}"'.encode()
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME
_READ: dict[str, Callable[[Any], Any]] = {
    "binary": bytes.fromhex,
    "date": date.fromisoformat,
    "decimal": Decimal,
    "double": float,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "object": lambda pairs: {name: _untagged(value) for name, value in pairs},
}


def written(record: Any) -> bytes:
    """A record (or a value in one) of plain Python values; ``read`` gives the same back.

    TypeError for other kinds.
    """
    text = orjson.dumps(record, _tagged, _OPTIONS)
    if _needs_care(record):
        return orjson.dumps(_careful(record), _tagged, _OPTIONS)
    return text


def read(text: bytes | str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(text)
    marker = _MARKER if isinstance(text, bytes) else _MARKER.decode()
    return _untagged(found) if marker in text else found  # type: ignore[operator]


def _tagged(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {TAG: ["decimal", str(value)]}
    if isinstance(value, datetime):
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return {TAG: ["timestamp", aware.isoformat()]}
    if isinstance(value, date):
        return {TAG: ["date", value.isoformat()]}
    if isinstance(value, time):
        return {TAG: ["time", value.isoformat()]}
    if isinstance(value, bytes):
        return {TAG: ["binary", value.hex()]}
    raise TypeError(f"a value of type {type(value).__name__} has no exact JSON form")


def _needs_care(value: Any) -> bool:
    """True when orjson would take something for something else without saying so."""
    if isinstance(value, dict):
        return TAG in value or any(_needs_care(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_needs_care(member) for member in value)
    return isinstance(value, float) and not math.isfinite(value)


def _careful(value: Any) -> Any:
    if isinstance(value, dict):
        inner = {name: _careful(one) for name, one in value.items()}
        return {TAG: ["object", list(inner.items())]} if TAG in value else inner
    if isinstance(value, list):
        return [_careful(member) for member in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {TAG: ["double", repr(value)]}
    return value


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(member) for member in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {TAG}:
        kind, content = value[TAG]
        return _READ[kind](content)
    return {name: _untagged(inner) for name, inner in value.items()}
