"""A request of OpenTelemetry's for logs or metrics, taken apart into one record a line."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from tocsin.ingest.bodies.json_request import json_request
from tocsin.ingest.bodies.sent_names import clean_name
from tocsin.ingest.cutting.cutting import Maker, line_groups
from tocsin.ingest.cutting.wrapped import opened_lines
from tocsin.ingest.records.otlp_value import (
    OtlpFault,
    attributes,
    list_in,
    object_in,
    plain_value,
    whole_number,
)
from tocsin.ingest.request_bounds import RequestBounds
from tocsin.model.record import Framing, RawBatch

_KEPT = (
    *("timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText"),
    *("eventName", "traceId", "spanId", "flags"),
)
_NUMBERS = ("count", "sum", "min", "max", "scale", "zeroCount", "zeroThreshold")
_LISTS = ("bucketCounts", "explicitBounds", "quantileValues")
RequestReader = Callable[[bytes], dict[str, Any]]
_METRICS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


@dataclass(frozen=True, slots=True)
class Otlp:
    """Batches for the spool, one source a service, and how many records were refused.

    Refused records are in the batches, too, and end in quarantine; ``reason`` is the first one's.
    """

    batches: list[RawBatch]
    records: int
    refused: int
    reason: str = ""


def _as_it_stands(body: bytes) -> dict[str, Any]:
    return json_request(body, OtlpFault)


def take_logs(body: bytes, maker: Maker) -> Otlp:
    """An ``ExportLogsServiceRequest`` in JSON; raises OtlpFault."""
    return _take(_as_it_stands(body), maker, "resourceLogs", "scopeLogs", _log_lines)


def take_metrics(body: bytes, maker: Maker, read: RequestReader = _as_it_stands) -> Otlp:
    """An ``ExportMetricsServiceRequest`` in JSON, or what ``read`` reads: a record a data point."""
    return _take(read(body), maker, "resourceMetrics", "scopeMetrics", _metric_lines)


_UNSOUND = (OtlpFault, RecursionError, TypeError)
"""TypeError is what orjson raises for what is nested too deeply to be written."""


class _Lines:
    """Lines of one source, and what was refused."""

    def __init__(self, bounds: RequestBounds) -> None:
        self.bounds = bounds
        self.lines: list[bytes] = []
        self.refused = 0
        self.reason = ""

    def refuse(self, item: Any, error: Exception) -> None:
        self.reason = self.reason or str(error)
        self.refused += 1
        self.lines.append(_dumped({"refused": item, "reason": str(error)}))


Taker = Callable[[dict[str, Any], dict[str, orjson.Fragment], _Lines], None]


def _take(request: dict[str, Any], maker: Maker, top: str, inner: str, take: Taker) -> Otlp:
    by_source: dict[str, _Lines] = {}
    bounds = RequestBounds(OtlpFault)
    for of_resource in _objects(request, top):
        resource = attributes(list_in(object_in(of_resource, "resource"), "attributes"))
        lines = by_source.setdefault(name_of(resource), _Lines(bounds))
        for of_scope in _objects(of_resource, inner):
            scope = object_in(of_scope, "scope")
            own = attributes(list_in(scope, "attributes"))
            take(of_scope, said_of(resource, scope | {"attributes": own}), lines)
    return _made(by_source, maker)


def _dumped(refused: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(refused)
    except TypeError:
        return json.dumps(refused).encode("utf-8", "replace")


def _objects(holder: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    for number, one in enumerate(list_in(holder, name)):
        if not isinstance(one, dict):
            raise OtlpFault(f"{name}[{number}] is no object")
        yield one


def name_of(resource: dict[str, Any]) -> str:
    """The name of the source a resource stands for; empty where it has none."""
    for key in ("service.name", "host.name"):
        name = resource.get(key)
        if isinstance(name, str) and clean_name(name):
            return clean_name(name)
    return ""


def said_of(resource: dict[str, Any], scope: dict[str, Any]) -> dict[str, orjson.Fragment]:
    """What a line holds of its resource's attributes and of its scope: nothing that is empty."""
    told = {name: scope[name] for name in ("name", "version", "attributes") if scope.get(name)}
    both = {"resource": resource, "scope": told}
    return {name: orjson.Fragment(orjson.dumps(one)) for name, one in both.items() if one}


def _log_lines(of_scope: dict[str, Any], about: dict[str, orjson.Fragment], lines: _Lines) -> None:
    records = list_in(of_scope, "logRecords")
    lines.bounds.add(len(records), len(orjson.dumps(about)))
    for record in records:
        try:
            lines.lines.append(_log_line(record, about))
        except _UNSOUND as error:
            lines.refuse(record, error)


def _log_line(record: Any, about: dict[str, orjson.Fragment]) -> bytes:
    if not isinstance(record, dict):
        raise OtlpFault("a log record is no object")
    otel: dict[str, Any] = {name: record[name] for name in _KEPT if record.get(name)}
    for name in ("timeUnixNano", "observedTimeUnixNano"):
        if name in otel:
            otel[name] = whole_number(otel[name])
    own = attributes(list_in(record, "attributes"))
    if own:
        otel["attributes"] = own
    return orjson.dumps({"body": plain_value(record.get("body")), "otel": otel | about})


def _metric_lines(
    of_scope: dict[str, Any], about: dict[str, orjson.Fragment], lines: _Lines
) -> None:
    said = len(orjson.dumps(about))
    for metric in list_in(of_scope, "metrics"):
        try:
            kind, points = _points(metric)
        except OtlpFault as error:
            lines.refuse(metric, error)
            continue
        of_metric = len(metric["name"]) + len(str(metric.get("unit")))
        lines.bounds.add(len(points), said + of_metric)
        for point in points:
            try:
                lines.lines.append(_metric_line(metric, kind, point, about))
            except _UNSOUND as error:
                lines.refuse(point, error)


def _points(metric: Any) -> tuple[str, list[Any]]:
    if not isinstance(metric, dict) or not isinstance(metric.get("name"), str):
        raise OtlpFault("a metric has no name")
    kind = next((kind for kind in _METRICS if kind in metric), None)
    if kind is None:
        raise OtlpFault(f"metric {metric['name']!r:.100} is of no known kind")
    return kind, list_in(object_in(metric, kind), "dataPoints")


def _metric_line(
    metric: dict[str, Any], kind: str, point: Any, about: dict[str, orjson.Fragment]
) -> bytes:
    if not isinstance(point, dict):
        raise OtlpFault(f"a data point of {metric['name']!r:.100} is no object")
    told: dict[str, Any] = {"name": metric["name"], "kind": kind}
    if metric.get("unit"):
        told["unit"] = metric["unit"]
    if point.get("asDouble") is not None:
        told["value"] = plain_value({"doubleValue": point["asDouble"]})
    elif point.get("asInt") is not None:
        told["value"] = whole_number(point["asInt"])
    told |= {name: point[name] for name in (*_NUMBERS, *_LISTS) if point.get(name) is not None}
    own = attributes(list_in(point, "attributes"))
    if own:
        told["attributes"] = own
    otel: dict[str, Any] = {}
    if point.get("timeUnixNano"):
        otel["timeUnixNano"] = whole_number(point["timeUnixNano"])
    return orjson.dumps({"body": {"metric": told}, "otel": otel | about})


def _made(by_source: dict[str, _Lines], maker: Maker) -> Otlp:
    payloads = {name: b"\n".join(lines.lines) for name, lines in by_source.items()}
    refused = sum(lines.refused for lines in by_source.values())
    records = sum(len(lines.lines) for lines in by_source.values()) - refused
    reason = next((lines.reason for lines in by_source.values() if lines.reason), "")
    return Otlp(batches_of(payloads, maker), records, refused, reason)


def batches_of(payloads: Mapping[str, bytes], maker: Maker) -> list[RawBatch]:
    """Lines by the name of their source as batches for the spool."""
    batches: list[RawBatch] = []
    for name, payload in payloads.items():
        named = replace(maker, source=f"{maker.source}/{name}") if name else maker
        number = 1
        for lines, count in line_groups(opened_lines(payload, "body")):
            batches.append(named.batch(lines, number, Framing.OTLP))
            number += count
    return batches
