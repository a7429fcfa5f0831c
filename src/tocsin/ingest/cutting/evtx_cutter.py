"""Reads Windows event logs chunk by chunk, so that a damaged chunk costs no other."""

import io
import struct
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

from evtx import PyEvtxParser

from tocsin.ingest.cutting.cutting import ByteStream, Cut, Grouping, Maker
from tocsin.model.record import Framing

FILE_MAGIC = b"ElfFile\0"
_CHUNK_MAGIC = b"ElfChnk\0"
HEADER_BYTES = 4096
CHUNK_BYTES = 65536
_RECORD_NUMBERS = struct.Struct("<QQ")  # of the chunk's first and last record, at byte 8
_MOST_RECORDS = CHUNK_BYTES // 32  # no record is smaller than its 24-byte frame and a token


def cut_evtx(stream: ByteStream, maker: Maker) -> Iterator[Cut]:
    """Batches of records as the evtx parser renders them, numbered from 1 in file order.

    A chunk that gives fewer records than its header names comes out Unreadable as well, whole,
    with the number that is missing; so does a file that ends inside a chunk.
    """
    if len(header := _read(stream, HEADER_BYTES)) < HEADER_BYTES:
        yield maker.unreadable(1, "Windows event log cut off inside its file header", header)
        return
    yield from cut_chunks(stream, maker)


def cut_chunks(stream: ByteStream, maker: Maker, before: int = 0) -> Iterator[Cut]:
    """The same for a stream that begins at a chunk; ``before`` chunks of the file precede it."""
    grouping = Grouping(lambda payload, first: maker.batch(payload, first, Framing.EVTX))
    number = before
    while chunk := _read(stream, CHUNK_BYTES):
        number += 1
        if not chunk.strip(b"\0"):
            continue  # space Windows has set aside
        records, fault = _records(chunk)
        if records:
            joined = "\n".join(records).encode("utf-8", "replace")
            yield from grouping.add_joined(joined, len(records))
        missing = records_named(chunk) - len(records)
        if missing > 0 or fault or len(chunk) < CHUNK_BYTES:
            yield from grouping.skip()
            reason = _reason(chunk, number, missing, fault)
            yield maker.unreadable(grouping.taken, reason, chunk)
    yield from grouping.rest()


def _records(chunk: bytes) -> tuple[list[str], str]:
    """What can be read of a chunk, a JSON line each, and what went wrong (empty: nothing)."""
    if not chunk.startswith(_CHUNK_MAGIC):
        return [], "it does not begin like a chunk"
    records: list[str] = []
    faults: list[str] = []
    file = io.BytesIO(_ONE_CHUNK_HEADER + chunk.ljust(CHUNK_BYTES, b"\0"))
    try:
        rendered: Any = PyEvtxParser(file, number_of_threads=1).records_json()
    except (RuntimeError, OSError, ValueError) as error:
        return [], str(error)
    while len(records) + len(faults) < _MOST_RECORDS:  # a parser that stands still must not hang us
        try:
            records.extend(found["data"] for found in islice(rendered, _MOST_RECORDS))
            break
        except (RuntimeError, OSError, ValueError) as error:
            faults.append(" ".join(str(error).split()))
    return records, "; ".join(faults[:3])


def records_named(chunk: bytes) -> int:
    """How many records the chunk says it holds; its first 24 bytes are enough to tell."""
    if len(chunk) < 24 or not chunk.startswith(_CHUNK_MAGIC):
        return 0
    first, last = _RECORD_NUMBERS.unpack_from(chunk, 8)
    count = last - first + 1
    return count if 0 < count <= _MOST_RECORDS else 0


def _reason(chunk: bytes, number: int, missing: int, fault: str) -> str:
    parts = [f"chunk {number} of the Windows event log can't be read whole"]
    if len(chunk) < CHUNK_BYTES:
        parts.append(f"the file ends at its byte {len(chunk):,} of {CHUNK_BYTES:,}")
    if missing > 0:
        parts.append(f"{missing} of its {records_named(chunk)} records are missing")
    if fault:
        parts.append(fault)
    return ": ".join([parts[0], "; ".join(parts[1:])])


def _read(stream: ByteStream, size: int) -> bytes:
    pieces = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _file_header() -> bytes:
    """The header of a log with one chunk ([MS-EVEN6], EVTX file header): our reading needs no more."""
    header = bytearray(HEADER_BYTES)
    struct.pack_into("<8sQQQIHHHH", header, 0, FILE_MAGIC, 0, 0, 1, 128, 1, 3, HEADER_BYTES, 1)
    struct.pack_into("<I", header, 124, zlib.crc32(bytes(header[:120])))
    return bytes(header)


_ONE_CHUNK_HEADER = _file_header()
