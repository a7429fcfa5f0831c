"""One file of the spool: framed entries one after another, cut at the first torn one.

In front of the entries that were appended together under keys lies a frame with the keys.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from tocsin.model.record import Framing, RawBatch

SUFFIX = ".spool"
MAGIC = b"TSP1"
KEYS_MAGIC = b"TSPK"
_HEAD = struct.Struct("<4sIQQI")  # magic, header bytes, payload bytes, start, CRC-32
HEAD_BYTES = _HEAD.size
_SUMMED = struct.Struct("<IQQ")
_KEYS_HEAD = struct.Struct("<QI")  # bytes of the entries behind it, bytes of a key; the source
_SCAN_BYTES = 1 << 20
_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class Frame:
    """Where an entry lies: byte positions counted from the beginning of the whole spool.

    ``until`` is where the last of what was appended with it ends, for a frame of keys; ``end``
    for an entry.
    """

    start: int
    end: int
    header_bytes: int
    payload_bytes: int
    checksum: int
    until: int
    is_keys: bool


def segment_name(start: int) -> str:
    """The file name of the segment whose first byte is byte ``start`` of the spool."""
    return f"{start:020d}{SUFFIX}"


def segment_start(path: Path) -> int:
    return int(path.name.removesuffix(SUFFIX))


def segments(folder: Path) -> list[Path]:
    """The segment files of a spool, oldest first."""
    return sorted(folder.glob("[0-9]" * 20 + SUFFIX))


def frame(batch: RawBatch, start: int) -> list[bytes]:
    """The pieces of bytes that make one entry beginning at ``start``."""
    header = orjson.dumps(
        {
            "source": batch.source,
            "received_at": batch.received_at,
            "framing": batch.framing,
            "place": batch.place,
            "first_ordinal": batch.first_ordinal,
            "tenant": batch.tenant,
            "connector": batch.connector,
        }
    )
    return _framed(MAGIC, header, batch.payload, start)


def keys_frame_bytes(source: str, keys: Sequence[bytes]) -> int:
    """How long a frame of keys will be."""
    return HEAD_BYTES + _KEYS_HEAD.size + len(source.encode()) + sum(map(len, keys))


def keys_frame(source: str, keys: Sequence[bytes], start: int, covered_bytes: int) -> list[bytes]:
    """The pieces of a frame of keys, all of one length, for the entries that lie behind it.

    ``source`` is that of the first of them, ``covered_bytes`` how long they are together.
    """
    header = _KEYS_HEAD.pack(covered_bytes, len(keys[0])) + source.encode()
    return _framed(KEYS_MAGIC, header, b"".join(keys), start)


def read_frame(descriptor: int, segment: int, start: int) -> Frame | None:
    """The frame at ``start`` of the segment beginning at ``segment``; None when there is none."""
    head = os.pread(descriptor, HEAD_BYTES, start - segment)
    if len(head) < HEAD_BYTES:
        return None
    magic, header_bytes, payload_bytes, told, checksum = _HEAD.unpack(head)
    if magic not in (MAGIC, KEYS_MAGIC) or told != start or header_bytes > _LONGEST_HEADER:
        return None
    end = until = start + HEAD_BYTES + header_bytes + payload_bytes
    if magic == KEYS_MAGIC:
        began = _pread(descriptor, _KEYS_HEAD.size, start - segment + HEAD_BYTES)
        if len(began) < _KEYS_HEAD.size:
            return None
        covered_bytes, _ = _KEYS_HEAD.unpack(began)
        until += covered_bytes
    is_keys = magic == KEYS_MAGIC
    return Frame(start, end, header_bytes, payload_bytes, checksum, until, is_keys)


def read_batch(descriptor: int, segment: int, found: Frame) -> RawBatch | None:
    """The raw batch in a frame; None when its bytes are not those that were written."""
    at = found.start - segment + HEAD_BYTES
    header = _pread(descriptor, found.header_bytes, at)
    payload = _pread(descriptor, found.payload_bytes, at + found.header_bytes)
    actual = _checksum(found.header_bytes, found.payload_bytes, found.start, header, payload)
    if actual != found.checksum:
        return None
    told = orjson.loads(header)
    return RawBatch(
        source=told["source"],
        payload=payload,
        received_at=datetime.fromisoformat(told["received_at"]),
        framing=Framing(told["framing"]),
        place=told["place"],
        first_ordinal=told["first_ordinal"],
        tenant=told["tenant"],
        connector=told["connector"],
    )


def whole_frames(descriptor: int, segment: int) -> Iterator[Frame]:
    """The frames of a segment up to the first that is torn, each checked, in bounded memory."""
    size = os.fstat(descriptor).st_size
    start = segment
    while True:
        found = read_frame(descriptor, segment, start)
        if found is None or found.end - segment > size or not _is_whole(descriptor, segment, found):
            return
        yield found
        start = found.end


def whole_end(descriptor: int, segment: int) -> int:
    """Where the last whole entry ends, those under keys being whole together or not at all."""
    whole = until = segment
    for found in whole_frames(descriptor, segment):
        until = max(until, found.until)
        if found.end >= until:
            whole = found.end
    return whole


def keys_in(descriptor: int, segment: int) -> Iterator[tuple[str, list[bytes]]]:
    """The keys of each frame of keys, with its source; nobody may write meanwhile."""
    size = os.fstat(descriptor).st_size
    if not size:
        return
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as content:
        at = 0
        while at + HEAD_BYTES <= size:
            magic, header_bytes, payload_bytes, told, _ = _HEAD.unpack_from(content, at)
            header_at = at + HEAD_BYTES
            payload_at = header_at + header_bytes
            end = payload_at + payload_bytes
            if magic not in (MAGIC, KEYS_MAGIC) or told != segment + at or end > size:
                return
            if magic == KEYS_MAGIC:
                _, key_bytes = _KEYS_HEAD.unpack_from(content, header_at)
                source = content[header_at + _KEYS_HEAD.size : payload_at].decode()
                starts = range(payload_at, end, key_bytes)
                yield source, [content[start : start + key_bytes] for start in starts]
            at = end


def _framed(magic: bytes, header: bytes, payload: bytes, start: int) -> list[bytes]:
    checksum = _checksum(len(header), len(payload), start, header, payload)
    return [_HEAD.pack(magic, len(header), len(payload), start, checksum), header, payload]


def _is_whole(descriptor: int, segment: int, found: Frame) -> bool:
    running = zlib.crc32(_SUMMED.pack(found.header_bytes, found.payload_bytes, found.start))
    at, left = found.start - segment + HEAD_BYTES, found.header_bytes + found.payload_bytes
    while left:
        piece = os.pread(descriptor, min(left, _SCAN_BYTES), at)
        if not piece:
            return False
        running = zlib.crc32(piece, running)
        at, left = at + len(piece), left - len(piece)
    return running == found.checksum


def _checksum(
    header_bytes: int, payload_bytes: int, start: int, header: bytes, payload: bytes
) -> int:
    running = zlib.crc32(_SUMMED.pack(header_bytes, payload_bytes, start))
    return zlib.crc32(payload, zlib.crc32(header, running))


def _pread(descriptor: int, size: int, at: int) -> bytes:
    pieces = []
    while size:
        piece = os.pread(descriptor, size, at)
        if not piece:
            break
        pieces.append(piece)
        at, size = at + len(piece), size - len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
