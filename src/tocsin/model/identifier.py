"""Identifiers: random ones for people's things, repeatable ones for events and findings."""

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_DIGEST = hashlib.blake2b


def new_id(prefix: str, now: datetime | None = None) -> str:
    """A new sortable id such as ``case-0192f3…`` (UUIDv7 hexadecimal, RFC 9562 §5.7)."""
    moment = now or datetime.now(UTC)
    return f"{prefix}-{_uuid7(moment, os.urandom(10)).replace('-', '')}"


def event_id(received_at: datetime, spool: str, position: int, ordinal: int) -> str:
    """The UUIDv7 of one record: the same record read again gets the same id.

    ``spool`` names the spool (or file), ``position`` the entry in it, ``ordinal`` the record in
    the entry, so replays are idempotent. Records of one entry never get the same id.
    """
    return str(event_id_column(received_at, spool, position, [ordinal])[0].as_py())


def event_ids(
    received_at: datetime, spool: str, position: int, ordinals: Sequence[int]
) -> list[str]:
    """``event_id`` of many records of one entry, computed together."""
    found: list[str] = event_id_column(received_at, spool, position, ordinals).to_pylist()
    return found


def event_id_column(
    received_at: datetime, spool: str, position: int, ordinals: Sequence[int]
) -> pa.StringArray:
    """``event_ids`` as an Arrow column.

    The entry's digest seeds two mixers (the finalizer of SplitMix64, a bijection of 64 bits);
    the low 62 bits of an id come from one that maps distinct ordinals to distinct numbers.
    """
    entry = np.frombuffer(_entry(spool, position), ">u8").astype(np.uint64)
    return _id_column(
        np.uint64(_millis(received_at)), entry, np.asarray(ordinals, np.int64).astype(np.uint64)
    )


def first_event_ids(moments: Sequence[datetime], spools: Sequence[str]) -> pa.StringArray:
    """``event_id`` of the record 0 in the entry 0 of many spools, computed together."""
    entries = np.frombuffer(b"".join(_entry(spool, 0) for spool in spools), ">u8")
    millis = np.array([_millis(moment) for moment in moments], np.uint64)
    return _id_column(
        millis, entries.reshape(-1, 2).T.astype(np.uint64), np.zeros(len(spools), np.uint64)
    )


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000) & 0xFFFFFFFFFFFF


def _entry(spool: str, position: int) -> bytes:
    return _DIGEST(f"{spool}\0{position}".encode(), digest_size=16).digest()


def _id_column(
    millis: npt.NDArray[np.uint64] | np.uint64,
    entry: npt.NDArray[np.uint64],
    numbers: npt.NDArray[np.uint64],
) -> pa.StringArray:
    """``entry`` are the two halves of the digests, of one entry for all or of one for each."""
    first, second = entry
    words = np.empty((len(numbers), 2), ">u8")
    high = _mixed((numbers + first) * _GOLDEN) & np.uint64(0xFFF)
    words[:, 0] = high | (millis << np.uint64(16)) | np.uint64(0x7000)
    words[:, 1] = _mixed62(numbers ^ (second & _LOW62)) | np.uint64(0x2 << 62)
    return _uuid_column(words)


def uuid_texts(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> list[str]:
    """The texts of UUIDs given by their halves."""
    words = np.empty((len(high), 2), ">u8")
    words[:, 0], words[:, 1] = high, low
    found: list[str] = _uuid_column(words).to_pylist()
    return found


def _uuid_column(words: npt.NDArray[np.void]) -> pa.StringArray:
    octets = words.view(np.uint8)
    text = np.full((len(words), 36), ord("-"), np.uint8)
    text[:, _HIGH_DIGITS] = _DIGITS.take(octets >> 4)
    text[:, _HIGH_DIGITS + 1] = _DIGITS.take(octets & 0xF)
    offsets = np.arange(0, 36 * len(words) + 1, 36, dtype=np.int32)
    return pa.StringArray.from_buffers(
        len(words), pa.py_buffer(offsets), pa.py_buffer(text.reshape(-1))
    )


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _mixed62(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The same kind of mixing within 62 bits: each step can be undone, so none falls together."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = ((values ^ (values >> np.uint64(shift))) * np.uint64(factor)) & _LOW62
    return values ^ (values >> np.uint64(31))


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LOW62 = np.uint64((1 << 62) - 1)
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
# Where in the text of a UUID (8-4-4-4-12) the first digit of each of its 16 octets stands.
_HIGH_DIGITS = np.array([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34])


def repeatable_id(prefix: str, *parts: str) -> str:
    """An id that depends on ``parts`` only: ``prefix-`` and 32 hexadecimal digits."""
    return f"{prefix}-{_DIGEST(chr(0).join(parts).encode(), digest_size=16).hexdigest()}"


def _uuid7(moment: datetime, tail: bytes) -> str:
    millis = int(moment.timestamp() * 1000) & 0xFFFFFFFFFFFF
    value = (millis << 80) | int.from_bytes(tail, "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
