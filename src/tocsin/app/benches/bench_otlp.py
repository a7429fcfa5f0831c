"""Records as OpenTelemetry's exporters send them, for the benches."""

from collections.abc import Iterable
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

_TIME_NS = 1_700_000_000_500_000_000


def otlp_request(source: str, lines: Iterable[bytes]) -> bytes:
    """An ``ExportLogsServiceRequest``: each line a body, every field of an object a pair in it."""
    request = ExportLogsServiceRequest()
    of_resource = request.resource_logs.add()
    _fill(of_resource.resource.attributes.add(key="service.name").value, source)
    records = of_resource.scope_logs.add().log_records
    for line in lines:
        is_object = line.startswith(b"{")
        body = orjson.loads(line) if is_object else line.decode("utf-8", "replace")
        _fill(records.add(time_unix_nano=_TIME_NS).body, body)
    return bytes(request.SerializeToString())


def _fill(told: AnyValue, value: Any) -> None:
    match value:
        case bool():
            told.bool_value = value
        case int():
            told.int_value = value
        case float():
            told.double_value = value
        case str():
            told.string_value = value
        case list():
            told.array_value.SetInParent()
            for one in value:
                _fill(told.array_value.values.add(), one)
        case dict():
            told.kvlist_value.SetInParent()
            for key, one in value.items():
                _fill(told.kvlist_value.values.add(key=key).value, one)
