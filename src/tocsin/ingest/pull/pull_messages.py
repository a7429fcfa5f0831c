"""Makes raw batches of many small messages, as queues hold them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO

from tocsin.ingest.cutting.cutting import Cut, Maker
from tocsin.ingest.cutting.files import PACKED, UTF16, read_opened
from tocsin.ingest.cutting.recognition import Shape, recognize
from tocsin.ingest.cutting.wrapped import may_be_wrapped
from tocsin.ingest.limits import BATCH_BYTES, BATCH_RECORDS, RECORD_BYTES

_UNPACKED_LIMIT_BYTES = 256 << 20
_WHOLE = (*PACKED, *UTF16, b"[")
"""Messages that begin so may hold many records; as does a wrapper, and one of several lines."""


def cut_messages(messages: Iterable[tuple[bytes, str]], maker: Maker) -> Iterator[Cut]:
    """Batches of messages, given with their places (``kafka events[3]@17``), in their order.

    A message of one line is a record; any other is cut as a file would be: several lines, a JSON
    array, CloudTrail, Azure's diagnostics, gzip or zstd. A batch's place is that of its first message.
    """
    lines: list[bytes] = []
    size, first = 0, ""
    for message, place in messages:
        line = message.rstrip(b"\r\n")
        is_line = _is_line(line)
        full = len(lines) >= BATCH_RECORDS or size + len(line) > BATCH_BYTES
        if lines and (full or not is_line):
            yield replace(maker, place=first).batch(b"\n".join(lines), 1)
            lines, size = [], 0
        if not is_line:
            here = replace(maker, place=place)
            yield from read_opened(BytesIO(message), here, _UNPACKED_LIMIT_BYTES)
            continue
        first = first if lines else place
        lines.append(line)
        size += len(line) + 1
    if lines:
        yield replace(maker, place=first).batch(b"\n".join(lines), 1)


def _is_line(message: bytes) -> bool:
    if b"\n" in message or message.startswith(_WHOLE) or len(message) > RECORD_BYTES:
        return False
    is_object = message[:1] == b"{" and not may_be_wrapped(message)
    return is_object or recognize(message) is Shape.LINES
