"""Every decoder of untrusted bytes, what it is fed with, and what must hold of all it is fed."""

import asyncio
import gzip
import io
import json
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from starlette.requests import Request

from tests.fuzz import samples
from tests.loki_push import pushed
from tocsin.api.body import read_body
from tocsin.api.problem import Problem
from tocsin.ingest.bodies.bulk_body import BulkFault, take_bulk
from tocsin.ingest.bodies.hec_body import HecIntake, take_events, take_raw
from tocsin.ingest.bodies.loki_body import LokiFault, push_in_json, take_push
from tocsin.ingest.bodies.loki_proto import push_in_protobuf
from tocsin.ingest.bodies.otlp_body import Otlp, take_logs, take_metrics
from tocsin.ingest.bodies.otlp_protobuf import take_proto_logs, take_proto_metrics
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.cutting.evtx_cutter import cut_evtx
from tocsin.ingest.cutting.files import read_file
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.cutting.recognition import Shape, recognize
from tocsin.ingest.decode import decode
from tocsin.ingest.records.otlp_value import OtlpFault
from tocsin.ingest.syslog.gelf_datagrams import GelfDatagrams, may_be_gelf
from tocsin.ingest.syslog.syslog_escape import escape, unescape
from tocsin.ingest.syslog.syslog_framing import StreamFraming
from tocsin.model.record import Framing, RawBatch, Unreadable

NOW = datetime(2026, 7, 1, tzinfo=UTC)
LIMIT = 1 << 20
_BODY_LIMIT = 1 << 16
_MAKER = Maker("fuzz", "fuzz", NOW)


@dataclass(frozen=True, slots=True)
class Decoder:
    """``check`` raises for a case that is neither decoded nor refused with a reason."""

    name: str
    seeds: Sequence[bytes]
    check: Callable[[bytes], None]


def account(batches: Iterable[RawBatch]) -> tuple[int, int]:
    """Decode; records and unreadable ones, which together are all lines that are not blank."""
    records = unreadable = 0
    for batch in batches:
        found = decode(batch)
        assert len(found.records) == len(found.lines) == len(found.ordinals)
        assert all(item.reason for item in found.unreadable)
        if batch.framing not in (Framing.ZEEK_TSV, Framing.W3C, Framing.FRAGMENT):
            lines = batch.payload.split(b"\n")
            if batch.framing is Framing.SYSLOG:
                lines = [unescape(line) for line in lines]
            expected = sum(bool(line.strip()) for line in lines)
            assert len(found.records) + len(found.unreadable) == expected
        records += len(found.records)
        unreadable += len(found.unreadable)
    return records, unreadable


def check_text(case: bytes) -> None:
    """A body of any kind: what is cut holds all lines of the body."""
    batches = split_lines(case, "fuzz", NOW)
    account(batches)
    body = case.removeprefix(b"\xef\xbb\xbf")
    if recognize(body) is Shape.LINES and all(b.framing is Framing.LINES for b in batches):
        cut = [line for batch in batches for line in batch.payload.split(b"\n") if line.strip()]
        assert cut == [line for line in body.split(b"\n") if line.strip()]


def check_syslog(case: bytes) -> None:
    assert unescape(escape(case)) == case
    account([RawBatch("fuzz", escape(case), NOW, Framing.SYSLOG)])


def check_framing(case: bytes) -> None:
    """However the stream is torn, the same messages come out of it."""
    whole, torn = StreamFraming(), StreamFraming()
    one = [*whole.feed(case), *whole.finish()]
    step = 1 + len(case) % 7
    many = [
        message for at in range(0, len(case), step) for message in torn.feed(case[at : at + step])
    ]
    assert one == [*many, *torn.finish()]


def check_gelf_datagrams(case: bytes) -> None:
    """Datagrams, two bytes of length before each: every byte of them comes out or was in a message.

    Twins of a chunk that is there are all that may vanish.
    """
    datagrams, at = [], 0
    while at < len(case):
        size = int.from_bytes(case[at : at + 2])
        datagrams.append(case[at + 2 : at + 2 + size])
        at += 2 + size
    door = GelfDatagrams(most_bytes=4096)
    given: set[bytes] = set()
    for number, datagram in enumerate(datagrams):
        sender = (f"192.0.2.{number % 2}", 1)
        if not may_be_gelf(datagram):
            continue
        given.add(datagram)
        for message, is_whole, _ in door.take(datagram, sender):
            is_joined = datagram[:2] == b"\x1e\x0f"  # chunks that are all here, of no message
            assert is_whole or is_joined or message in given
            if is_whole:
                account([RawBatch("fuzz", escape(message), NOW, Framing.SYSLOG)])
    for chunk, is_whole, _ in door.close():
        assert not is_whole
        assert chunk in given
    assert not len(door)


def check_windows(case: bytes) -> None:
    account([RawBatch("fuzz", case, NOW, Framing.EVTX)])


def _check_hec(found: HecIntake) -> None:
    records, unreadable = account(found.batches)
    assert records == found.events
    assert bool(unreadable) == (found.fault is not None)


def check_hec_events(case: bytes) -> None:
    _check_hec(take_events(case, _MAKER))


def check_hec_raw(case: bytes) -> None:
    about = {"host": "h", "sourcetype": "s"}
    found = take_raw(case, about, _MAKER)
    _check_hec(found)
    assert found.events == sum(bool(line.strip()) for line in case.split(b"\n"))


def check_bulk(case: bytes) -> None:
    try:
        found = take_bulk(case, "fuzz", _MAKER)
    except BulkFault:
        return
    records, unreadable = account(found.batches)
    refused = sum(1 for action in found.actions if action.reason)
    assert records + unreadable + refused == len(found.actions)
    assert len(found.reasons) == refused + unreadable


def _check_otlp(take: Callable[[bytes], Otlp], case: bytes) -> None:
    try:
        found = take(case)
    except OtlpFault:
        return
    records, unreadable = account(found.batches)
    assert (records, unreadable) == (found.records, found.refused)
    assert bool(found.reason) == bool(found.refused)


def _check_loki(read: Callable[[bytes], Mapping[str, Any]], case: bytes) -> None:
    try:
        found = take_push(read(case), _MAKER)
    except LokiFault:
        return
    lines = sum(batch.payload.count(b"\n") + 1 for batch in found)
    assert account(found) == (lines, 0)


def check_evtx(case: bytes) -> None:
    for cut in cut_evtx(io.BytesIO(case), _MAKER):
        if isinstance(cut, Unreadable):
            assert cut.reason
        else:
            account([cut])


def check_file(case: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=_scratch()) as file:
        file.write(case)
        file.flush()
        for cut, _ in read_file(Path(file.name), "fuzz", NOW):
            if isinstance(cut, Unreadable):
                assert cut.reason
            else:
                account([cut])


@cache
def _scratch() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


@dataclass(frozen=True, slots=True)
class PackedBody:
    """Unpacked a body is no larger than allowed, or refused as the caller's fault."""

    name: str
    seeds: Sequence[bytes]
    encoding: bytes

    def check(self, cases: Sequence[bytes]) -> None:
        asyncio.run(self._check(cases))

    async def _check(self, cases: Sequence[bytes]) -> None:
        for case in cases:
            await self._check_one(case)

    async def _check_one(self, case: bytes) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": case, "more_body": False}

        headers = [(b"content-encoding", self.encoding)]
        request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
        refused: Problem | None = None
        body = b""
        try:
            body = await read_body(request, _BODY_LIMIT)
        except Problem as problem:
            refused = problem
        assert len(body) <= _BODY_LIMIT
        assert refused is None or (refused.status in (400, 413) and str(refused))


def decoders() -> list[Decoder]:
    lines = samples.text_lines()
    records = samples.json_records()
    dumped = [json.dumps(record).encode() for record in records]
    syslog = samples.syslog_messages()
    bodies = [b"\n".join(dumped[at : at + 4]) for at in range(0, len(dumped), 4)]
    counted = [b"".join(b"%d %s" % (len(one), one) for one in syslog[:3]), b"\n".join(syslog[:3])]
    formats = samples.formats()
    made = [Decoder(name, seeds, check_text) for name, seeds in formats.items()]
    return [
        *made,
        Decoder("text", lines, check_text),
        Decoder("ndjson", [*dumped, *bodies], check_text),
        Decoder("json_array", samples.arrays(records), check_text),
        Decoder("syslog", syslog, check_syslog),
        Decoder("syslog_stream", [*counted, *syslog], check_framing),
        Decoder("gelf_datagrams", samples.gelf_datagrams(), check_gelf_datagrams),
        Decoder("windows_json", samples.windows_events(), check_windows),
        Decoder("evtx", samples.evtx_files(), check_evtx),
        Decoder("hec_event", samples.hec_bodies(records), check_hec_events),
        Decoder("hec_raw", [*lines[:200], *bodies[:50]], check_hec_raw),
        Decoder("bulk", samples.bulk_bodies(records), check_bulk),
        *_otlp(),
        Decoder("loki_json", samples.loki_bodies(), lambda case: _check_loki(push_in_json, case)),
        Decoder(
            "loki_protobuf",
            [pushed(samples.LOKI_STREAMS)],
            lambda case: _check_loki(push_in_protobuf, case),
        ),
        _packed_file(),
    ]


def _otlp() -> list[Decoder]:
    logs, metrics = samples.otlp_logs(), samples.otlp_metrics()
    takers: dict[str, tuple[list[bytes], Callable[[bytes], Otlp]]] = {
        "otlp_logs_json": (
            [json.dumps(logs).encode()],
            lambda case: take_logs(case, _MAKER),
        ),
        "otlp_metrics_json": (
            [json.dumps(metrics).encode()],
            lambda case: take_metrics(case, _MAKER),
        ),
        "otlp_logs_protobuf": (
            [
                samples.in_protobuf(ExportLogsServiceRequest, logs),
                samples.in_protobuf(ExportLogsServiceRequest, samples.many_otlp_logs()),
            ],
            lambda case: take_proto_logs(case, _MAKER),
        ),
        "otlp_metrics_protobuf": (
            [samples.in_protobuf(ExportMetricsServiceRequest, metrics)],
            lambda case: take_proto_metrics(case, _MAKER),
        ),
    }
    return [
        Decoder(name, seeds, lambda case, take=take: _check_otlp(take, case))  # type: ignore[misc]
        for name, (seeds, take) in takers.items()
    ]


def _bodies() -> list[bytes]:
    dumped = [json.dumps(record).encode() for record in samples.json_records()]
    return [b"\n".join(dumped[at : at + 4])[:2000] for at in range(0, 40, 4)]


def packed_bodies() -> list[PackedBody]:
    bombs = [b"\0" * (64 * _BODY_LIMIT), b'{"a":' * 100_000, b"\n" * (_BODY_LIMIT + 1)]
    given = [*_bodies(), *bombs]
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": lambda one: gzip.compress(one, mtime=0),
        "deflate": zlib.compress,
        "zstd": zstandard.compress,
        "snappy": lambda one: bytes(pa.Codec("snappy").compress(one, asbytes=True)),
    }
    return [
        PackedBody(f"{name}_body", [pack(one) for one in given], name.encode())
        for name, pack in packers.items()
    ]


def _packed_file() -> Decoder:
    bodies = _bodies()
    zipped = [gzip.compress(one, mtime=0) for one in bodies]
    return Decoder("packed_file", [*zipped, *map(zstandard.compress, bodies)], check_file)
