"""A body sent to Splunk's HTTP Event Collector, cut into raw batches of one event a line."""

import io
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import orjson

from tocsin.ingest.bodies.sent_names import names_of, regrouped
from tocsin.ingest.cutting.cutting import Cut, Maker, line_groups
from tocsin.ingest.cutting.json_cutter import cut_json
from tocsin.ingest.cutting.wrapped import are_wrapped, opened_lines
from tocsin.ingest.decode import decode
from tocsin.ingest.records.hec_event import NOT_JSON, HecFault, hec_reader
from tocsin.ingest.request_bounds import RequestBounds
from tocsin.model.record import Decoded, Framing, RawBatch

_NAMES = ("hec.sourcetype", "hec.source")


@dataclass(frozen=True, slots=True)
class HecIntake:
    """What a request holds: batches for the spool, and the first event that is not sound.

    ``fault_at`` counts events from 0; the faulty ones are in the batches, too, and end in
    quarantine.
    """

    batches: list[RawBatch]
    events: int
    fault: HecFault | None = None
    fault_at: int = 0


def take_events(body: bytes, maker: Maker) -> HecIntake:
    """Concatenated or newline-separated JSON objects, each with its envelope.

    Raises RequestTooLarge.
    """
    body = body.strip()
    if not body:
        return HecIntake([], 0)
    lines = body.replace(b"}{", b"}\n{")
    RequestBounds().add(lines.count(b"\n") + 1)
    parted = [maker.batch(group, number, Framing.HEC) for group, number in _numbered(lines)]
    found = _looked_at(parted)
    if found.unreadable:  # a joint in a string, an object over many lines, or no event indeed
        whole = [_framed(cut, maker) for cut in cut_json(io.BytesIO(body), maker)]
        exact = _looked_at(whole)
        if whole and exact.events >= found.events:
            found = exact
    return _intake(_opened(found, maker))


@dataclass(frozen=True, slots=True)
class _Cut:
    """A body cut into batches, and what they decode to."""

    batches: list[RawBatch]
    decoded: list[Decoded]

    @property
    def events(self) -> int:
        return sum(len(one.records) for one in self.decoded)

    @property
    def unreadable(self) -> int:
        return sum(len(one.unreadable) for one in self.decoded)


def _looked_at(batches: list[RawBatch]) -> _Cut:
    return _Cut(batches, [decode(batch, read_text=False) for batch in batches])


def take_raw(body: bytes, about: Mapping[str, str], maker: Maker) -> HecIntake:
    """Text of one event a line; ``about`` is the envelope of them all. Raises RequestTooLarge."""
    rest = orjson.dumps(dict(about))[1:-1]
    end = (b"," + rest if rest else b"") + b"}"
    RequestBounds().add(body.count(b"\n") + 1, len(end))
    events = b"\n".join(b'{"event":' + _quoted(line) + end for line in _lines(body))
    batches = [maker.batch(group, number, Framing.HEC) for group, number in _numbered(events)]
    return _intake(_opened(_looked_at(batches), maker))


def _opened(found: _Cut, maker: Maker) -> _Cut:
    """Records of wrappers as events of their own, each with the envelope; not beside a fault."""
    if found.unreadable or not any(are_wrapped(one, in_texts=True) for one in found.decoded):
        return found
    payload = b"\n".join(opened_lines(batch.payload, "event") for batch in found.batches)
    groups = _numbered(payload)
    return _looked_at([maker.batch(group, number, Framing.HEC) for group, number in groups])


def _lines(body: bytes) -> Iterator[bytes]:
    for line in body.split(b"\n"):
        if line.strip():
            yield line.removesuffix(b"\r")


def _quoted(line: bytes) -> bytes:
    if line.startswith(b"{"):
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            pass
        else:
            return line
    try:
        return orjson.dumps(line.decode())
    except UnicodeDecodeError:  # Latin-1 has a character for every byte, so none is lost
        return orjson.dumps(line.decode("latin-1"))


def _numbered(payload: bytes) -> Iterator[tuple[bytes, int]]:
    number = 1
    for group, count in line_groups(payload) if payload else ():
        yield group, number
        number += count


def _framed(cut: Cut, maker: Maker) -> RawBatch:
    if isinstance(cut, RawBatch):
        return replace(cut, framing=Framing.HEC)
    return maker.batch(cut.payload, cut.ordinal, Framing.FRAGMENT)


def _intake(found: _Cut) -> HecIntake:
    named = regrouped(found.batches, found.decoded, names_of(found.decoded, _NAMES))
    before = 0
    for batch, one in zip(found.batches, found.decoded, strict=True):
        if one.unreadable:
            first = one.unreadable[0]
            at = before + bisect_left(one.ordinals, first.ordinal - batch.first_ordinal)
            return HecIntake(named, found.events, _fault_of(first.payload, first.reason), at)
        before += len(one.records)
    return HecIntake(named, found.events)


def _fault_of(line: bytes, reason: str) -> HecFault:
    try:
        hec_reader(lambda text: ({}, False))(line)
    except HecFault as fault:
        return fault
    except (ValueError, RecursionError):
        pass
    return HecFault(NOT_JSON, reason)
