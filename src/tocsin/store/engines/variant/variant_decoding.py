"""Reads the Parquet Variant binary encoding back, and whole shredded fields, as plain values.

Source: Apache Parquet, VariantEncoding.md, version 1; only the forms ``variant_encoding`` writes.
"""

import struct
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tocsin.store.fields import unmarked

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_OBJECT, _ARRAY = 0x7E, 0x1F


def field_names(metadata: bytes) -> list[str]:
    """The names a metadata value holds, in the order of their ids."""
    size = (metadata[0] >> 6) + 1
    numbers = [
        int.from_bytes(metadata[at : at + size], "little")
        for at in range(1, len(metadata) - size + 1, size)
    ]
    count = numbers[0]
    offsets, text = numbers[1 : count + 2], metadata[1 + size * (count + 2) :]
    return [text[start:end].decode() for start, end in pairwise(offsets)]


def decode(data: bytes, names: list[str], at: int = 0) -> Any:
    """The value that starts at ``at``."""
    head = data[at]
    if head == _OBJECT:
        ids, starts = _counted(data, at + 1, 1)
        return {
            unmarked(names[i]): decode(data, names, start)
            for i, start in zip(ids, starts, strict=True)
        }
    if head == _ARRAY:
        return [decode(data, names, start) for start in _counted(data, at + 1, 0)[1]]
    kind, body = head >> 2, at + 1
    if kind in {0, 1, 2}:
        return (None, True, False)[kind]
    if kind in {15, 16}:
        (length,) = struct.unpack_from("<I", data, body)
        content = data[body + 4 : body + 4 + length]
        return content if kind == 15 else content.decode()
    return _number_or_time(kind, data, body)


def plain_values(shredded: Any, names: list[str]) -> list[Any]:
    """The rows of a shredded field (a struct of ``value`` and ``typed_value``); None for absent."""
    return [None if row is None else _plain(row, names) for row in shredded.to_pylist()]


def _plain(row: dict[str, Any], names: list[str]) -> Any:
    value, typed = row.get("value"), row.get("typed_value")
    left = None if value is None else decode(value, names)
    if isinstance(typed, dict):
        found = [(unmarked(name), _plain(inner, names)) for name, inner in typed.items()]
        whole = {name: inner for name, inner in found if inner is not None}
        return {**whole, **left} if isinstance(left, dict) else whole
    if isinstance(typed, list):
        return [_plain(member, names) for member in typed]
    return left if typed is None else typed


def _number_or_time(kind: int, data: bytes, at: int) -> Any:
    if kind == 7:
        return struct.unpack_from("<d", data, at)[0]
    if kind == 10:
        unscaled = int.from_bytes(data[at + 1 : at + 17], "little", signed=True)
        return Decimal(unscaled).scaleb(-data[at])
    if kind == 11:
        return date.fromordinal(struct.unpack_from("<i", data, at)[0] + _EPOCH_DAY)
    (number,) = struct.unpack_from("<q", data, at)
    if kind == 6:
        return number
    moment = _EPOCH + timedelta(microseconds=number)
    return moment.time() if kind == 17 else moment.replace(tzinfo=None)


def _counted(data: bytes, at: int, with_ids: int) -> tuple[tuple[int, ...], list[int]]:
    (count,) = struct.unpack_from("<I", data, at)
    at += 4
    ids = struct.unpack_from(f"<{count * with_ids}I", data, at)
    at += 4 * count * with_ids
    offsets = struct.unpack_from(f"<{count + 1}I", data, at)
    start = at + 4 * (count + 1)
    return ids, [start + offset for offset in offsets[:-1]]
