"""Requests of OpenTelemetry's in protobuf, as the objects its JSON encoding has (OTLP 1.x)."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import orjson
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tocsin.ingest.records.otlp_value import OtlpFault

_Request = TypeVar("_Request", bound=Message)


def logs_request(body: bytes) -> ExportLogsServiceRequest:
    """Raises OtlpFault when the bytes are none."""
    return _parsed(ExportLogsServiceRequest(), body)


def log_line(record: LogRecord, about: Mapping[str, orjson.Fragment]) -> bytes:
    """The line a log record is kept as; ``about`` is what its resource and scope say."""
    otel: dict[str, Any] = {
        "timeUnixNano": record.time_unix_nano,
        "observedTimeUnixNano": record.observed_time_unix_nano,
        "severityNumber": record.severity_number,
        "severityText": record.severity_text,
        "eventName": record.event_name,
        "traceId": record.trace_id.hex(),
        "spanId": record.span_id.hex(),
        "flags": record.flags,
        "attributes": plain_pairs(record.attributes),
    }
    told = {name: value for name, value in otel.items() if value}
    return orjson.dumps({"body": _plain(record.body), "otel": {**told, **about}})


def plain_pairs(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """An object of the pairs; of a key that comes again the last value counts."""
    return {pair.key: _plain(pair.value) for pair in pairs}


def _plain(value: AnyValue) -> Any:
    """Text, number, truth value, list, object or None; bytes are base64."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "int_value":
            return value.int_value
        case "double_value":
            return _double(value.double_value)
        case "bool_value":
            return value.bool_value
        case "bytes_value":
            return b64encode(value.bytes_value).decode("ascii")
        case "array_value":
            return [_plain(one) for one in value.array_value.values]
        case "kvlist_value":
            return plain_pairs(value.kvlist_value.values)
    return None


def metrics_request(body: bytes) -> dict[str, Any]:
    """An ``ExportMetricsServiceRequest``; raises OtlpFault when the bytes are none."""
    request = _parsed(ExportMetricsServiceRequest(), body)
    return {
        "resourceMetrics": [
            {
                "resource": _resource(of_resource.resource),
                "scopeMetrics": [
                    {
                        "scope": _scope(of_scope.scope),
                        "metrics": [_metric(metric) for metric in of_scope.metrics],
                    }
                    for of_scope in of_resource.scope_metrics
                ],
            }
            for of_resource in request.resource_metrics
        ]
    }


def _parsed(request: _Request, body: bytes) -> _Request:
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise OtlpFault(f"the body is no {type(request).__name__} in protobuf: {error}") from error
    return request


def _resource(resource: Resource) -> dict[str, Any]:
    return {"attributes": _pairs(resource.attributes)}


def _scope(scope: InstrumentationScope) -> dict[str, Any]:
    return {
        "name": scope.name,
        "version": scope.version,
        "attributes": _pairs(scope.attributes),
    }


def _pairs(pairs: Iterable[KeyValue]) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _value(pair.value)} for pair in pairs]


def _value(value: AnyValue) -> dict[str, Any]:
    match value.WhichOneof("value"):
        case "string_value":
            return {"stringValue": value.string_value}
        case "int_value":
            return {"intValue": value.int_value}
        case "double_value":
            return {"doubleValue": _double(value.double_value)}
        case "bool_value":
            return {"boolValue": value.bool_value}
        case "bytes_value":
            return {"bytesValue": b64encode(value.bytes_value).decode("ascii")}
        case "array_value":
            values = [_value(one) for one in value.array_value.values]
            return {"arrayValue": {"values": values}}
        case "kvlist_value":
            return {"kvlistValue": {"values": _pairs(value.kvlist_value.values)}}
    return {}


def _double(value: float) -> float | str:
    """JSON has no numbers for what is none."""
    if value - value == 0.0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _metric(metric: Metric) -> dict[str, Any]:
    told: dict[str, Any] = {"name": metric.name, "unit": metric.unit}
    match metric.WhichOneof("data"):
        case "gauge":
            points = [_number_point(point) for point in metric.gauge.data_points]
            told["gauge"] = {"dataPoints": points}
        case "sum":
            points = [_number_point(point) for point in metric.sum.data_points]
            told["sum"] = {"dataPoints": points}
        case "histogram":
            points = [_spread_point(point, _HISTOGRAM) for point in metric.histogram.data_points]
            told["histogram"] = {"dataPoints": points}
        case "exponential_histogram":
            of_kind = metric.exponential_histogram.data_points
            points = [_spread_point(point, _EXPONENTIAL) for point in of_kind]
            told["exponentialHistogram"] = {"dataPoints": points}
        case "summary":
            points = [_spread_point(point, _SUMMARY) for point in metric.summary.data_points]
            told["summary"] = {"dataPoints": points}
    return told


def _number_point(point: Any) -> dict[str, Any]:
    told = _point(point)
    match point.WhichOneof("value"):
        case "as_double":
            told["asDouble"] = _double(point.as_double)
        case "as_int":
            told["asInt"] = point.as_int
    return told


_HISTOGRAM = {
    **{"count": "count", "sum": "sum", "min": "min", "max": "max"},
    **{"bucket_counts": "bucketCounts", "explicit_bounds": "explicitBounds"},
}
_EXPONENTIAL = {
    **{"count": "count", "sum": "sum", "min": "min", "max": "max", "scale": "scale"},
    **{"zero_count": "zeroCount", "zero_threshold": "zeroThreshold"},
}
_SUMMARY = {"count": "count", "sum": "sum", "quantile_values": "quantileValues"}
_OPTIONAL = frozenset({"min", "max"})


def _spread_point(point: Any, fields: dict[str, str]) -> dict[str, Any]:
    told = _point(point)
    for name, shown in fields.items():
        if name in _OPTIONAL and not point.HasField(name):
            continue
        value = getattr(point, name)
        if name == "quantile_values":
            value = [{"quantile": one.quantile, "value": _double(one.value)} for one in value]
        elif isinstance(value, float):
            value = _double(value)
        elif not isinstance(value, int):
            value = [_double(one) if isinstance(one, float) else one for one in value]
        told[shown] = value
    return told


def _point(point: Any) -> dict[str, Any]:
    return {"timeUnixNano": point.time_unix_nano, "attributes": _pairs(point.attributes)}
