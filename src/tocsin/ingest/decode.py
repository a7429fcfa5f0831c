"""Raw batches into native records: each record's format is told from its own bytes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from tocsin.ingest.columns.decode_divided import divided
from tocsin.ingest.columns.decode_shaped import (
    FEWEST_BYTES,
    are_mostly_objects,
    is_utf8,
    shape_lines,
    worth_shaping,
)
from tocsin.ingest.columns.decode_shapes import Templates
from tocsin.ingest.columns.decode_text import TextColumns, worth_columns
from tocsin.ingest.columns.decode_wrapped import read_wrapped
from tocsin.ingest.columns.text_headed import headed_columns
from tocsin.ingest.limits import RECORD_BYTES
from tocsin.ingest.records.audit_line import read_audit
from tocsin.ingest.records.carried import read_carried, read_text
from tocsin.ingest.records.hec_event import (
    hec_reader,
    open_envelope,
    opened_event,
    read_object_event,
)
from tocsin.ingest.records.json_line import is_plain_object, read_object
from tocsin.ingest.records.otlp_record import (
    open_record,
    opened_record,
    otlp_reader,
    read_object_body,
)
from tocsin.ingest.records.syslog_message import read_syslog
from tocsin.ingest.records.text_carrier import (
    ELASTIC,
    SHIPPER,
    carrier_reader,
    open_document,
    opened,
    read_whole,
)
from tocsin.ingest.records.w3c import W3cHeader, is_header
from tocsin.ingest.records.windows_event import flatten_event
from tocsin.ingest.records.zeek_tsv import ZeekHeader
from tocsin.ingest.syslog.syslog_escape import unescape
from tocsin.model.record import Decoded, Framing, RawBatch, Unreadable

Reading = tuple[dict[str, Any], bool]
Reader = Callable[[bytes], Reading]
_BOM = b"\xef\xbb\xbf"
_LARGE = 2 << 20
"""Bytes that are read together; what reading costs whatever the size no longer shows here."""


def decode(batch: RawBatch, *, read_text: bool = True) -> Decoded:
    """Native records in the order of their lines; never raises for what the bytes hold.

    Every line that is not blank is a record or Unreadable. ``ordinals`` count the lines of the
    payload from 0 (with a header on top the lines below it), ``Unreadable.ordinal`` counts
    on from ``first_ordinal``, so that it names the line of the file. Without ``read_text`` the
    text that protocols carry is left as ``message``: quicker for who only asks what is sound.
    """
    if batch.framing is Framing.FRAGMENT:
        reason = "a piece of a record that is too large or was cut off"
        whole = Unreadable(batch.source, batch.place, batch.first_ordinal, reason, batch.payload)
        return Decoded([], [], [], [whole] if batch.payload.strip() else [])
    if batch.framing in _SHAPES and worth_shaping(batch.payload):
        return _decode_shaped(batch, read_text)
    if batch.framing in _TEXTS and worth_columns(batch.payload) and not _are_few_objects(batch):
        return _decode_text(batch)
    lines = batch.payload.split(b"\n")
    read: Reader
    match batch.framing:
        case Framing.EVTX | Framing.HEC | Framing.DOCUMENTS | Framing.OTLP:
            read = _reader_of(batch, read_text)
        case Framing.W3C:
            return _decode_w3c(batch, lines)
        case Framing.ZEEK_TSV:
            header = ZeekHeader()
            lines = lines[_header_lines(lines, header) :]
            read = _headed_reader(header)
        case Framing.SYSLOG:
            lines = [unescape(line) for line in lines]
            read = _line_reader(batch.received_at)
        case _:
            read = _line_reader(batch.received_at)
    return _decode_lines(batch, enumerate(lines), read)


def decode_all(batches: Sequence[RawBatch]) -> list[Decoded]:
    """``decode`` of each; small batches received in the same second are read together."""
    found: list[Decoded | None] = [None] * len(batches)
    for numbers, joined in _alike(batches):
        whole = _decode_text(joined) if _is_text(joined) else _decode_shaped(joined, True)
        some = [batches[number] for number in numbers]
        for number, decoded in zip(numbers, divided(whole, some), strict=True):
            found[number] = decoded
    return [
        decode(batch) if decoded is None else decoded
        for batch, decoded in zip(batches, found, strict=True)
    ]


def look_through(batch: RawBatch) -> tuple[int, list[Unreadable]]:
    """How many records ``decode`` would find and what is unreadable, where most lines are objects.

    For few lines this is several times as quick: no columns are made.
    """
    objects = 0
    others: list[tuple[int, bytes]] = []
    for ordinal, line in enumerate(batch.payload.split(b"\n")):
        if is_plain_object(line):
            objects += 1
        else:
            others.append((ordinal, line))
    left = _decode_lines(batch, others, _reader_of(batch, True))
    return objects + len(left.records), left.unreadable


def _alike(batches: Sequence[RawBatch]) -> Iterator[tuple[list[int], RawBatch]]:
    """The numbers of batches that are worth being read together, and these as one.

    Reading a text, or columns of objects, has costs whatever its size is. Nothing finer than the
    second in which a message was received matters for what it says: headers without a year name
    whole seconds.
    """
    together: dict[tuple[Framing, bool, datetime], list[int]] = {}
    for number, batch in enumerate(batches):
        if len(batch.payload) < _LARGE and (_is_text(batch) or _is_of_objects(batch)):
            second = batch.received_at.replace(microsecond=0)
            key = batch.framing, _is_text(batch), second
            together.setdefault(key, []).append(number)
    for (_, is_text, _), numbers in together.items():
        for some in _portions(batches, numbers):
            if len(some) == 1:
                continue
            payload = b"\n".join(batches[number].payload for number in some)
            if worth_columns(payload) if is_text else worth_shaping(payload):
                yield some, replace(batches[some[0]], payload=payload, first_ordinal=0)


def _are_few_objects(batch: RawBatch) -> bool:
    return len(batch.payload) < FEWEST_BYTES and are_mostly_objects(batch.payload)


def _is_text(batch: RawBatch) -> bool:
    return batch.framing in _TEXTS and batch.payload[:1] not in _OBJECTS


def _is_of_objects(batch: RawBatch) -> bool:
    starts = batch.framing in _SHAPES and batch.payload[:1] == b"{"
    return starts and is_utf8(batch.payload)


def _portions(batches: Sequence[RawBatch], numbers: Sequence[int]) -> Iterable[list[int]]:
    """Neighbors, about as many as are large together."""
    some: list[int] = []
    size = 0
    for number in numbers:
        some.append(number)
        size += len(batches[number].payload)
        if size >= _LARGE:
            yield some
            some, size = [], 0
    yield some


def _decode_shaped(batch: RawBatch, read_text: bool) -> Decoded:
    """Most lines columnwise, what is odd about the rest line by line."""
    read = _reader_of(batch, read_text)
    templates = _SHAPES[batch.framing]
    shaped = shape_lines(batch.payload, templates)
    carriers = shaped.carriers()
    if carriers and templates.opener is not None:
        whole = replace(batch, framing=Framing.LINES, first_ordinal=1)
        read_lines = (lambda lines: decode(replace(whole, payload=lines))) if read_text else None
        shaped = shaped.with_carried(list(read_wrapped(carriers, templates.opener, read_lines)))
    left = list(shaped.left())
    texts = b"".join(line for _, line in left if line[:1] != b"{")
    if batch.framing is Framing.LINES and worth_columns(texts):
        return shaped.with_left(_decode_left(batch, left), read)
    return shaped.with_left(_decode_lines(batch, left, read), read)


def _decode_left(batch: RawBatch, left: Sequence[tuple[int, bytes]]) -> Decoded:
    """The lines among objects that are none, as text; ``left`` tells their numbers."""
    numbers = [number for number, _ in left]
    payload = b"\n".join(line for _, line in left)
    whole = replace(batch, payload=payload, first_ordinal=0)
    found = _decode_text(whole, with_bare_objects=False)
    unreadable = [
        replace(one, ordinal=batch.first_ordinal + numbers[one.ordinal]) for one in found.unreadable
    ]
    ordinals = [numbers[at] for at in found.ordinals]
    return replace(found, ordinals=ordinals, unreadable=unreadable)


def _decode_text(batch: RawBatch, *, with_bare_objects: bool = True) -> Decoded:
    """Lines of text the same way."""
    read = _line_reader(batch.received_at)
    found = TextColumns(
        batch.payload,
        batch.received_at,
        _SHAPES[Framing.LINES],
        is_escaped=batch.framing is Framing.SYSLOG,
        with_bare_objects=with_bare_objects,
    )
    return found.with_left(_decode_lines(batch, found.left(), read), read)


def _decode_w3c(batch: RawBatch, lines: Sequence[bytes]) -> Decoded:
    """The lines below a header that names their fields."""
    header = W3cHeader()
    on_top = _header_lines(lines, header)
    read = _headed_reader(header)
    if worth_columns(batch.payload):
        found = headed_columns(b"\n".join(lines[on_top:]), header)
        if found is not None:
            return found.with_left(_decode_lines(batch, found.left(), read), read)
    return _decode_lines(batch, enumerate(lines[on_top:]), read)


def _reader_of(batch: RawBatch, read_text: bool) -> Reader:
    read_line = _line_reader(batch.received_at) if read_text else _leave_text
    match batch.framing:
        case Framing.EVTX:
            return _read_windows
        case Framing.HEC:
            return hec_reader(read_line)
        case Framing.DOCUMENTS:
            return carrier_reader(read_line, ELASTIC)
        case Framing.OTLP:
            return otlp_reader(read_line)
        case _:
            return _line_reader(batch.received_at)


def _leave_text(line: bytes) -> Reading:
    return {"message": line}, False


def _decode_lines(batch: RawBatch, lines: Iterable[tuple[int, bytes]], read: Reader) -> Decoded:
    records: list[dict[str, object]] = []
    kept: list[bytes] = []
    ordinals: list[int] = []
    unreadable: list[Unreadable] = []
    keep_raw: list[int] = []
    for ordinal, whole in lines:
        if not whole.strip():
            continue
        line = whole.removesuffix(b"\r")
        try:
            if len(line) > RECORD_BYTES:
                raise ValueError(f"record of {len(line):,} bytes, over the {RECORD_BYTES:,} limit")
            record, keeps = read(line)
        except _Skip:
            continue
        except (ValueError, RecursionError) as error:
            place = batch.first_ordinal + ordinal
            unreadable.append(Unreadable(batch.source, batch.place, place, str(error), line))
            continue
        if keeps:
            keep_raw.append(len(records))
        records.append(record)
        kept.append(line)
        ordinals.append(ordinal)
    return Decoded(records, kept, ordinals, unreadable, frozenset(keep_raw))


class _Skip(Exception):
    """The line is not blank but carries no record (a header that is repeated)."""


def _line_reader(received_at: datetime) -> Reader:
    # Refers to itself, so it must not hold the batch: only the cycle collector frees it.
    def read(line: bytes) -> Reading:
        if line[:1] == b"{":
            return read_json(line)
        if line[:3] == _BOM:
            return read(line[3:])
        try:
            text, keeps = line.decode(), False
        except UnicodeDecodeError:
            text, keeps = line.decode("utf-8", "replace"), True
        if text[:1] in " \t\0":
            stripped = text.lstrip(" \t\0")
            if stripped[:1] == "{":
                record, _ = read(stripped.encode())
                return record, True
        return _read_text(text, keeps, received_at)

    read_json = carrier_reader(read, SHIPPER)
    return read


def _read_text(text: str, keeps: bool, received_at: datetime) -> Reading:
    if "audit(" in text:
        audit = read_audit(text)
        if audit:
            return audit[0], keeps or audit[1]
    fields = read_syslog(text, received_at)
    if fields is None:
        record, repeats = read_text(text)
        return record, keeps or repeats
    return read_carried(fields, keeps)


def _read_windows(line: bytes) -> Reading:
    rendered, keeps = read_object(line)
    return _finish_windows(rendered), keeps


def _finish_windows(rendered: dict[str, Any]) -> dict[str, Any]:
    record = flatten_event(rendered)
    if record is None:
        raise ValueError("no Windows event: Event and Event.System are expected")
    return record


def _header_lines(lines: Sequence[bytes], header: ZeekHeader | W3cHeader) -> int:
    """How many lines at the top are a header; ``header`` learns them."""
    for number, line in enumerate(lines):
        if not is_header(line):
            return number
        header.take(line.removesuffix(b"\r").decode("utf-8", "replace"))
    return len(lines)


def _headed_reader(header: ZeekHeader | W3cHeader) -> Reader:
    def read(line: bytes) -> Reading:
        try:
            text, keeps = line.decode(), False
        except UnicodeDecodeError:
            text, keeps = line.decode("utf-8", "replace"), True
        if is_header(line):
            header.take(text)
            raise _Skip
        return header.record(text), keeps

    return read


_OBJECTS = (b"{", b"")
_TEXTS = frozenset({Framing.LINES, Framing.SYSLOG})
# What shapes look like is the same for all callers; remembering it is the point.
_SHAPES = {
    Framing.LINES: Templates(read_whole, open_document, partial(opened, name=SHIPPER)),
    Framing.EVTX: Templates(_read_windows, _finish_windows),
    Framing.HEC: Templates(read_object_event, open_envelope, opened_event),
    Framing.DOCUMENTS: Templates(read_whole, open_document, partial(opened, name=ELASTIC)),
    Framing.OTLP: Templates(read_object_body, open_record, opened_record),
}
