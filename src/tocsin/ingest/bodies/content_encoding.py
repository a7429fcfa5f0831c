"""Unpacks what HTTP calls a content encoding: gzip, deflate, zstd and snappy, never more than a limit."""

import zlib
from io import BytesIO

import pyarrow as pa
from zstandard import ZstdError

from tocsin.ingest.cutting.zstd_stream import HTTP_WINDOW_BYTES, ZstdStream
from tocsin.ingest.errors import IngestError

_GZIP, _ZLIB = 31, 15
_MOST_MEMBERS = 1_000
"""Of gzip content; each costs a copy of what follows it."""


class UnpackFault(IngestError):
    """The content is damaged, or no such thing as its encoding says."""


class CutOff(UnpackFault):
    """The content ends before its end mark."""


class UnpackedTooLarge(UnpackFault):
    """There is more than was allowed."""


class UnknownEncoding(UnpackFault):
    """Nothing here unpacks it."""


def unpacked(packed: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The whole content, of ``limit_bytes`` at most; ``encoding`` as the header has it.

    Raises UnpackFault, or what it is in particular. Takes processor time: not for an event loop.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return _within(packed, limit_bytes)
        case "gzip" | "x-gzip":
            return _inflated(packed, _GZIP, limit_bytes)
        case "deflate":
            return _inflated(packed, _ZLIB, limit_bytes)
        case "zstd":
            return _unpacked_zstd(packed, limit_bytes)
        case "snappy":
            return _unpacked_snappy(packed, limit_bytes)
    raise UnknownEncoding(
        f"Content-Encoding {encoding[:40]!r} can't be unpacked; gzip, deflate, zstd, snappy and none can"
    )


def _inflated(packed: bytes, bits: int, limit_bytes: int) -> bytes:
    """Gzip members one after another, as RFC 1952 allows."""
    pieces: list[bytes] = []
    left = limit_bytes + 1
    for _ in range(_MOST_MEMBERS):
        engine = zlib.decompressobj(wbits=bits)
        try:
            pieces.append(engine.decompress(packed, left))
        except zlib.error as error:
            raise UnpackFault(
                f"Content-Encoding says gzip or deflate but unpacking failed: {error}"
            ) from error
        left -= len(pieces[-1])
        if left <= 0 or engine.unconsumed_tail:
            raise _too_large(limit_bytes)
        if not engine.eof:
            raise CutOff("the packed stream ends before its end mark")
        packed = engine.unused_data
        if not packed or bits != _GZIP:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    raise UnpackFault(f"it is gzip of more than {_MOST_MEMBERS} members; one can hold it all")


def _unpacked_zstd(packed: bytes, limit_bytes: int) -> bytes:
    stream = ZstdStream(BytesIO(packed), HTTP_WINDOW_BYTES)
    try:
        content = _within(stream.read(limit_bytes + 1), limit_bytes)
        stream.read(1)  # at the end of the content a fault that came after it is told
    except EOFError as error:
        raise CutOff(str(error)) from error
    except ZstdError as error:
        raise UnpackFault(f"Content-Encoding says zstd but unpacking failed: {error}") from error
    return content


def _unpacked_snappy(packed: bytes, limit_bytes: int) -> bytes:
    """One block without a frame, as Prometheus and Loki have it; it begins with its size."""
    size = shift = 0
    for byte in packed[:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    else:
        raise UnpackFault("Content-Encoding says snappy but it does not begin with a size")
    if size > limit_bytes:
        raise _too_large(limit_bytes)
    try:
        return bytes(pa.Codec("snappy").decompress(packed, size, asbytes=True))
    except (OSError, pa.ArrowInvalid) as error:
        raise UnpackFault(f"Content-Encoding says snappy but unpacking failed: {error}") from error


def _within(content: bytes, limit_bytes: int) -> bytes:
    if len(content) > limit_bytes:
        raise _too_large(limit_bytes)
    return content


def _too_large(limit_bytes: int) -> UnpackedTooLarge:
    return UnpackedTooLarge(f"unpacked it is more than {limit_bytes:,} bytes")
