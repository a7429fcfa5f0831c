"""Cuts text of any length into raw batches of whole lines; a header on top goes with each."""

from collections.abc import Iterator

from tocsin.ingest.cutting.cutting import ByteStream, Cut, Maker, line_groups, newlines_in
from tocsin.ingest.limits import BATCH_BYTES, BATCH_RECORDS, KEPT_BYTES, RECORD_BYTES
from tocsin.ingest.records.w3c import FLOW_MARK, is_header
from tocsin.model.record import Framing, RawBatch

_BEGIN_A_HEADER = (b"#separator", b"#Software:", b"#Version:", FLOW_MARK)
_BLOCK_BYTES = BATCH_BYTES - (1 << 16)
"""Read at once: with the beginning of a line from the block before it makes one batch, not two."""


def cut_lines(stream: ByteStream, maker: Maker) -> Iterator[Cut]:
    """Batches of lines numbered from 1; a line over the record limit comes out Unreadable."""
    ordinal = 1
    for payload, newlines in _whole_lines(stream):
        if len(payload) > RECORD_BYTES and b"\n" not in payload:
            yield maker.too_large(ordinal, payload)
        elif len(payload) <= min(BATCH_BYTES, RECORD_BYTES) and newlines < BATCH_RECORDS:
            if payload.strip():
                yield maker.batch(payload, ordinal)
        else:
            first = ordinal
            for group, count in line_groups(payload):
                if count == 1 and len(group) > RECORD_BYTES:
                    yield maker.too_large(first, group)
                elif group.strip():
                    yield maker.batch(group, first)
                first += count
        ordinal += newlines


def cut_headed(stream: ByteStream, maker: Maker, framing: Framing) -> Iterator[Cut]:
    """Batches that each begin with the header in force; numbers are the lines of the file.

    ``framing`` is that of Zeek or of W3C extended logs.
    """
    header: list[bytes] = []
    for cut in cut_lines(stream, maker):
        if not isinstance(cut, RawBatch):
            yield cut
            continue
        body: list[bytes] = []
        for ordinal, line in enumerate(cut.payload.split(b"\n"), cut.first_ordinal):
            if not is_header(line):
                body.append(line)
                continue
            if body:
                yield _headed(maker, header, body, ordinal - len(body), framing)
                body = []
            if line.startswith(_BEGIN_A_HEADER):
                header = []
            elif line.startswith(b"#Fields:"):
                header = [other for other in header if not other.startswith(b"#Fields:")]
            header.append(line)
        if body:
            after = cut.first_ordinal + cut.payload.count(b"\n") + 1
            yield _headed(maker, header, body, after - len(body), framing)


def _headed(
    maker: Maker, header: list[bytes], body: list[bytes], ordinal: int, framing: Framing
) -> RawBatch:
    return maker.batch(b"\n".join([*header, *body]), ordinal, framing)


def _whole_lines(stream: ByteStream) -> Iterator[tuple[bytes, int]]:
    """Runs of whole lines with the newlines they took; a line over ``KEPT_BYTES`` in pieces."""
    pieces: list[bytes] = []
    size = 0
    block = stream.read(_BLOCK_BYTES)
    while block:
        following = stream.read(_BLOCK_BYTES)
        cut = block.rfind(b"\n") if following else len(block)
        if cut < 0:
            pieces.append(block)
            size += len(block)
            if size >= KEPT_BYTES:
                yield b"".join(pieces), 0
                pieces, size = [], 0
        else:
            end = block.find(b"\n")
            if size > RECORD_BYTES and 0 <= end < cut:  # the long line stands alone
                yield b"".join([*pieces, block[:end]]), 1
                yield block[end + 1 : cut], newlines_in(block) - 1
            else:
                yield b"".join([*pieces, block[:cut]]), newlines_in(block)
            pieces = [block[cut + 1 :]]
            size = len(pieces[0])
        block = following
