"""Requests of OpenTelemetry's in protobuf, taken apart into one record a line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tocsin.ingest.bodies.otlp_body import Otlp, batches_of, name_of, said_of, take_metrics
from tocsin.ingest.bodies.otlp_lines import record_lines
from tocsin.ingest.bodies.otlp_proto import log_line, logs_request, metrics_request, plain_pairs
from tocsin.ingest.bodies.protobuf_fields import spans_of
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.records.otlp_value import OtlpFault
from tocsin.ingest.request_bounds import RequestBounds

FEWEST_RECORDS = 48
"""Fewer are quicker read one by one."""
_AT_ONCE = 4 << 20
"""Bytes read together; what is worked on stays small."""
_TOP, _SCOPES, _RECORDS = 0x0A, 0x12, 0x12


@dataclass(slots=True)
class _Scope:
    """The records of one scope: where they are in the request, as messages, and whose they are."""

    source: str
    about: dict[str, orjson.Fragment]
    records: Sequence[Any]
    spans: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Part:
    """Some records of a scope that follow each other."""

    scope: _Scope
    start: int
    end: int


def take_proto_logs(body: bytes, maker: Maker) -> Otlp:
    """An ``ExportLogsServiceRequest``; raises OtlpFault when the bytes are none."""
    request = logs_request(body)
    scopes: list[_Scope] = []
    bounds = RequestBounds(OtlpFault)
    for scope in _scopes(request):
        bounds.add(len(scope.records), len(orjson.dumps(scope.about)))
        scopes.append(scope)
    records = sum(len(scope.records) for scope in scopes)
    texts: dict[str, list[bytes]] = {}
    if records >= FEWEST_RECORDS and _find_spans(body, request, scopes):
        for some in _portions(scopes):
            for source, text in _read_together(body, some):
                texts.setdefault(source, []).append(text)
    else:
        for scope in scopes:
            lines = (log_line(record, scope.about) for record in scope.records)
            texts.setdefault(scope.source, []).extend(lines)
    payloads = {name: b"\n".join(lines) for name, lines in texts.items()}
    return Otlp(batches_of(payloads, maker), records, 0)


def take_proto_metrics(body: bytes, maker: Maker) -> Otlp:
    """An ``ExportMetricsServiceRequest`` likewise, a record for each data point."""
    return take_metrics(body, maker, metrics_request)


def _scopes(request: ExportLogsServiceRequest) -> Iterator[_Scope]:
    for of_resource in request.resource_logs:
        resource = plain_pairs(of_resource.resource.attributes)
        source = name_of(resource)
        for of_scope in of_resource.scope_logs:
            scope = of_scope.scope
            told = {"name": scope.name, "version": scope.version}
            told |= {"attributes": plain_pairs(scope.attributes)}
            if of_scope.log_records:
                yield _Scope(source, said_of(resource, told), of_scope.log_records)


def _find_spans(body: bytes, request: ExportLogsServiceRequest, scopes: list[_Scope]) -> bool:
    """Find where the records of each scope are; False where that can't be told."""
    left = iter(scopes)
    for begin, end in spans_of(body, 0, len(body), _TOP) or ():
        for inner, inner_end in spans_of(body, begin, end, _SCOPES) or ():
            spans = spans_of(body, inner, inner_end, _RECORDS)
            scope = next(left, None) if spans else None
            if spans and (scope is None or len(scope.records) != len(spans)):
                return False
            if scope is not None and spans:
                scope.spans = spans
    return next(left, None) is None


def _portions(scopes: Sequence[_Scope]) -> Iterator[list[_Part]]:
    """Records that follow each other in the request, as many as are read together."""
    some: list[_Part] = []
    begun_at: int | None = None
    for scope in scopes:
        start = 0
        for number, (begin, end) in enumerate(scope.spans):
            begun_at = begin if begun_at is None else begun_at
            if end - begun_at >= _AT_ONCE:
                yield [*some, _Part(scope, start, number + 1)]
                some, start, begun_at = [], number + 1, None
        if start < len(scope.spans):
            some.append(_Part(scope, start, len(scope.spans)))
    if some:
        yield some


def _read_together(body: bytes, parts: Sequence[_Part]) -> Iterator[tuple[str, bytes]]:
    """The lines of each part, with the name of its source."""
    about = [orjson.dumps(part.scope.about)[1:-1] for part in parts]
    spans = [span for part in parts for span in part.scope.spans[part.start : part.end]]
    abouts = np.repeat(np.arange(len(parts)), [part.end - part.start for part in parts])
    found = record_lines(body, spans, about, abouts)
    row = 0
    for part in parts:
        here = slice(row, row + part.end - part.start)
        row = here.stop
        left = np.flatnonzero(found.is_left[here]).tolist()
        if not left:
            yield part.scope.source, found.text(here)
            continue
        lines = found.text(here).split(b"\n")
        for number in left:
            lines[number] = log_line(part.scope.records[part.start + number], part.scope.about)
        yield part.scope.source, b"\n".join(lines)
