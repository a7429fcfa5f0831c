"""Identifiers: random ones for people's things, repeatable ones for events and findings."""

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime

_DIGEST = hashlib.blake2b


def new_id(prefix: str, now: datetime | None = None) -> str:
    """A new sortable id such as ``case-0192f3…`` (UUIDv7 hexadecimal, RFC 9562 §5.7)."""
    moment = now or datetime.now(UTC)
    return f"{prefix}-{_uuid7(moment, os.urandom(10)).replace('-', '')}"


def event_id(received_at: datetime, spool: str, position: int, ordinal: int) -> str:
    """The UUIDv7 of one record: the same record read again gets the same id.

    ``spool`` names the spool (or file), ``position`` the entry in it, ``ordinal`` the record in
    the entry, so replays are idempotent.
    """
    seed = _DIGEST(f"{spool}\0{position}\0{ordinal}".encode(), digest_size=10).digest()
    return _uuid7(received_at, seed)


def event_ids(
    received_at: datetime, spool: str, position: int, ordinals: Sequence[int]
) -> list[str]:
    """``event_id`` of many records of one entry, computed together."""
    millis = int(received_at.timestamp() * 1000) & 0xFFFFFFFFFFFF
    head = f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-"
    entry = _DIGEST(f"{spool}\0{position}\0".encode(), digest_size=10)
    ids = []
    for ordinal in ordinals:
        digest = entry.copy()
        digest.update(b"%d" % ordinal)
        tail = digest.hexdigest()
        variant = _VARIANT[tail[4]]
        ids.append(f"{head}7{tail[1:4]}-{variant}{tail[5:8]}-{tail[8:]}")
    return ids


_VARIANT = {digit: f"{int(digit, 16) & 0x3 | 0x8:x}" for digit in "0123456789abcdef"}


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
