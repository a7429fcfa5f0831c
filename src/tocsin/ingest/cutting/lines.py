"""Cuts a body that is already in memory (an HTTP request's) into raw batches."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from tocsin.ingest.cutting.cutting import ByteStream, Cut, Maker
from tocsin.ingest.cutting.evtx_cutter import cut_evtx
from tocsin.ingest.cutting.json_cutter import cut_json
from tocsin.ingest.cutting.line_cutter import cut_headed, cut_lines
from tocsin.ingest.cutting.recognition import HEAD_BYTES, Shape, recognize
from tocsin.ingest.request_bounds import RequestBounds
from tocsin.model.record import Framing, RawBatch

_BOM = b"\xef\xbb\xbf"


def cut_stream(stream: ByteStream, shape: Shape, maker: Maker) -> Iterator[Cut]:
    """Cut an input of a known shape; what is binary is the caller's to refuse."""
    match shape:
        case Shape.EVTX:
            return cut_evtx(stream, maker)
        case Shape.ZEEK:
            return cut_headed(stream, maker, Framing.ZEEK_TSV)
        case Shape.W3C:
            return cut_headed(stream, maker, Framing.W3C)
        case Shape.JSON:
            return cut_json(stream, maker)
        case _:
            return cut_lines(stream, maker)


def split_lines(
    payload: bytes,
    source: str,
    received_at: datetime,
    *,
    framing: Framing = Framing.LINES,
    place: str = "",
    first_ordinal: int = 1,
    tenant: str = "default",
    connector: str | None = None,
) -> list[RawBatch]:
    """Raw batches of NDJSON, a JSON array, a CloudTrail body, Zeek TSV, W3C extended, syslog or text lines.

    A ``framing`` other than ``LINES``, or a ``first_ordinal`` other than 1, says that the input
    has been cut before; then its lines are only grouped. Nothing is dropped: what can't be cut
    into records comes as a batch framed ``FRAGMENT``, which decodes to Unreadable. Raises
    RequestTooLarge.
    """
    maker = Maker(source, place, received_at, tenant, connector)
    if framing is Framing.FRAGMENT:
        return [maker.batch(payload, first_ordinal, framing)]
    shape = Shape.LINES
    if framing is Framing.ZEEK_TSV:
        shape = Shape.ZEEK
    elif framing is Framing.W3C:
        shape = Shape.W3C
    elif framing is Framing.LINES and first_ordinal == 1:
        payload = payload.removeprefix(_BOM)
        shape = recognize(payload[:HEAD_BYTES])
    bounds = RequestBounds()
    batches = []
    for cut in cut_stream(io.BytesIO(payload), shape, maker):
        bounds.add(cut.payload.count(b"\n") + 1)
        batches.append(_placed(cut, maker, framing, first_ordinal - 1))
    return batches


def _placed(cut: Cut, maker: Maker, framing: Framing, before: int) -> RawBatch:
    if not isinstance(cut, RawBatch):
        return maker.batch(cut.payload, cut.ordinal + before, Framing.FRAGMENT)
    told = cut.framing if framing is Framing.LINES else framing
    return replace(cut, first_ordinal=cut.first_ordinal + before, framing=told)
