"""The Parquet Variant binary encoding, for the values that have no typed column.

Source: Apache Parquet, VariantEncoding.md, version 1. Sizes and ids are always written in four
bytes: these values are few, and one form is easier to read than four.
"""

import struct
from datetime import date, datetime, time
from decimal import Decimal

from tocsin.store.fields import stored_name

_PRIMITIVE_NULL = b"\x00"
_TRUE, _FALSE = b"\x04", b"\x08"
_INT64, _DOUBLE, _DECIMAL16, _DATE, _TIMESTAMP_NTZ, _BINARY, _STRING, _TIME = (
    bytes([kind << 2]) for kind in (6, 7, 10, 11, 13, 15, 16, 17)
)
_OBJECT, _ARRAY = b"\x7e", b"\x1f"  # four-byte counts, ids and offsets
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - counts UTC microseconds of naive UTC times
_EPOCH_DAY = date(1970, 1, 1).toordinal()

NULL = _PRIMITIVE_NULL
EMPTY_METADATA = b"\x01\x00\x00"
"""The dictionary of no names at all."""


class FieldNames:
    """The dictionary of field names that one column's values refer to by number."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._ids)

    def all(self) -> list[str]:
        return list(self._ids)

    def id_of(self, name: str) -> int:
        return self._ids.setdefault(name, len(self._ids))

    def metadata(self) -> bytes:
        """The metadata value that goes with every value encoded so far."""
        names = [name.encode() for name in self._ids]
        offsets = [0]
        for name in names:
            offsets.append(offsets[-1] + len(name))
        counts = struct.pack(f"<I{len(offsets)}I", len(names), *offsets)
        return b"\xc1" + counts + b"".join(names)


def encode(value: object, names: FieldNames) -> bytes:
    """One plain Python value as a Variant value; TypeError for a kind it has no form for."""
    if value is None:
        return _PRIMITIVE_NULL
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, str):
        return _sized(_STRING, value.encode())
    if isinstance(value, (bytes, bytearray)):
        return _sized(_BINARY, bytes(value))
    if isinstance(value, dict):
        return _object(value, names)
    if isinstance(value, (list, tuple)):
        return _nested(_ARRAY, b"", [encode(member, names) for member in value])
    return _number_or_time(value)


def _number_or_time(value: object) -> bytes:
    if isinstance(value, int):
        if -(2**63) <= value < 2**63:
            return _INT64 + struct.pack("<q", value)
        return _decimal(Decimal(value))
    if isinstance(value, float):
        return _DOUBLE + struct.pack("<d", value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, datetime):
        delta = value.replace(tzinfo=None) - _EPOCH
        micros = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
        return _TIMESTAMP_NTZ + struct.pack("<q", micros)
    if isinstance(value, date):
        return _DATE + struct.pack("<i", value.toordinal() - _EPOCH_DAY)
    if isinstance(value, time):
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return _TIME + struct.pack("<q", seconds * 1_000_000 + value.microsecond)
    raise TypeError(f"a value of type {type(value).__name__} has no Variant form")


def _decimal(value: Decimal) -> bytes:
    sign, digits, exponent = value.as_tuple()
    scale = max(0, -int(exponent))
    unscaled = int("".join(map(str, digits))) * 10 ** max(0, int(exponent))
    if scale > 38 or unscaled >= 10**38:
        return _sized(_STRING, str(value).encode())
    number = -unscaled if sign else unscaled
    return b"".join([_DECIMAL16, bytes([scale]), number.to_bytes(16, "little", signed=True)])


def _sized(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content


def _object(value: dict[str, object], names: FieldNames) -> bytes:
    stored = [(stored_name(name), member) for name, member in value.items()]
    fields = sorted(stored, key=lambda item: item[0].encode())
    ids = struct.pack(f"<{len(fields)}I", *(names.id_of(name) for name, _ in fields))
    return _nested(_OBJECT, ids, [encode(member, names) for _, member in fields])


def _nested(kind: bytes, ids: bytes, members: list[bytes]) -> bytes:
    offsets = [0]
    for member in members:
        offsets.append(offsets[-1] + len(member))
    counts = struct.pack("<I", len(members)) + ids + struct.pack(f"<{len(offsets)}I", *offsets)
    return kind + counts + b"".join(members)
