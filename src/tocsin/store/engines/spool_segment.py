"""One file of the spool: framed entries one after another, cut at the first torn one."""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from tocsin.model.record import Framing, RawBatch

SUFFIX = ".spool"
MAGIC = b"TSP1"
_HEAD = struct.Struct("<4sIQQI")  # magic, header bytes, payload bytes, start, CRC-32
HEAD_BYTES = _HEAD.size
_SUMMED = struct.Struct("<IQQ")
_SCAN_BYTES = 1 << 20
_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class Frame:
    """Where an entry lies: byte positions counted from the beginning of the whole spool."""

    start: int
    end: int
    header_bytes: int
    payload_bytes: int
    checksum: int


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
    checksum = _checksum(len(header), len(batch.payload), start, header, batch.payload)
    head = _HEAD.pack(MAGIC, len(header), len(batch.payload), start, checksum)
    return [head, header, batch.payload]


def read_frame(descriptor: int, segment: int, start: int) -> Frame | None:
    """The frame at ``start`` of the segment beginning at ``segment``; None when there is none."""
    head = os.pread(descriptor, HEAD_BYTES, start - segment)
    if len(head) < HEAD_BYTES:
        return None
    magic, header_bytes, payload_bytes, told, checksum = _HEAD.unpack(head)
    if magic != MAGIC or told != start or header_bytes > _LONGEST_HEADER:
        return None
    end = start + HEAD_BYTES + header_bytes + payload_bytes
    return Frame(start, end, header_bytes, payload_bytes, checksum)


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
