"""Log records in protobuf read together are what each of them comes to by itself."""

import math
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from tocsin.ingest.bodies import otlp_protobuf
from tocsin.ingest.bodies.otlp_body import Otlp
from tocsin.ingest.bodies.otlp_protobuf import take_proto_logs
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.records.otlp_value import OtlpFault


class Pairs(list[Any]):
    """An object as pairs, whose keys may come again."""


EXAMPLES = 30
MAKER = Maker("otlp/test", "test", datetime(2026, 7, 1, tzinfo=UTC))
NAMES = st.sampled_from(["a", "b", 'quo"te', "", "tab\t", "é", "k" * 130]) | st.text(max_size=6)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
COUNTS = st.sampled_from([0, 1, 127, 128, 2**32 - 1]) | st.integers(0, 2**32 - 1)
SEVERITIES = [SeverityNumber.Name(number) for number in (0, 9, 24)]
TIMES = st.sampled_from([0, 1_700_000_000_500_000_000]) | st.integers(0, 2**64 - 1)
IDS = st.binary(max_size=2) | st.binary(min_size=16, max_size=16)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    INTEGERS,
    st.floats(),
    st.text(max_size=200),
    st.binary(max_size=5),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=3).map(Pairs)
    ),
    max_leaves=8,
)


def any_value(value: Any) -> AnyValue:
    told = AnyValue()
    match value:
        case None:
            pass
        case bool():
            told.bool_value = value
        case int():
            told.int_value = value
        case float():
            told.double_value = value
        case str():
            told.string_value = value
        case bytes():
            told.bytes_value = value
        case Pairs():
            told.kvlist_value.SetInParent()
            told.kvlist_value.values.extend(key_value(*pair) for pair in value)
        case list():
            told.array_value.SetInParent()
            told.array_value.values.extend(any_value(one) for one in value)
    return told


def key_value(key: str, value: Any) -> KeyValue:
    return KeyValue(key=key, value=any_value(value))


@st.composite
def log_records(draw: st.DrawFn) -> LogRecord:
    record = LogRecord(
        time_unix_nano=draw(TIMES),
        observed_time_unix_nano=draw(TIMES),
        severity_number=draw(st.sampled_from(SEVERITIES)),
        severity_text=draw(st.sampled_from(["", "INFO", 'odd "\n'])),
        event_name=draw(st.sampled_from(["", "login"])),
        trace_id=draw(IDS),
        span_id=draw(IDS),
        flags=draw(COUNTS),
        dropped_attributes_count=draw(COUNTS),
        attributes=[
            key_value(*pair) for pair in draw(st.lists(st.tuples(NAMES, VALUES), max_size=4))
        ],
    )
    if draw(st.booleans()):
        record.body.CopyFrom(any_value(draw(VALUES)))
    return record


@st.composite
def requests(draw: st.DrawFn) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    for service in draw(st.lists(st.sampled_from(["", "shop", "till"]), max_size=3)):
        of_resource = request.resource_logs.add()
        if service:
            of_resource.resource.attributes.append(key_value("service.name", service))
        for version in draw(st.lists(st.sampled_from(["", "2.0"]), max_size=2)):
            of_scope = of_resource.scope_logs.add()
            of_scope.scope.version = version
            of_scope.log_records.extend(draw(st.lists(log_records(), max_size=4)))
    return request


def both_ways(body: bytes) -> tuple[Otlp, Otlp]:
    """Read together and one by one, however few there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(otlp_protobuf, "FEWEST_RECORDS", 1)
        together = take_proto_logs(body, MAKER)
        patch.setattr(otlp_protobuf, "FEWEST_RECORDS", math.inf)
        return together, take_proto_logs(body, MAKER)


@settings(max_examples=EXAMPLES, deadline=None)
@given(requests(), st.sampled_from([60, 4 << 20]))
def test_read_together_they_are_what_each_is_by_itself(
    request: ExportLogsServiceRequest, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(otlp_protobuf, "_AT_ONCE", at_once)
        together, one_by_one = both_ways(request.SerializeToString())
    assert together == one_by_one


@settings(max_examples=EXAMPLES, deadline=None)
@given(requests(), st.data())
def test_bytes_put_in_or_taken_out_change_both_ways_alike(
    request: ExportLogsServiceRequest, data: st.DataObject
) -> None:
    body = bytearray(request.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 1))] = data.draw(st.binary(min_size=1, max_size=1))
    try:
        together, one_by_one = both_ways(bytes(body))
    except OtlpFault:
        return
    assert together == one_by_one


def lines_of(records: list[LogRecord]) -> list[Any]:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.extend(records)
    together, one_by_one = both_ways(request.SerializeToString())
    assert together == one_by_one
    payload = b"\n".join(batch.payload for batch in together.batches)
    return [orjson.loads(line) for line in payload.split(b"\n")]


def test_records_with_very_many_attributes_are_read_beside_others() -> None:
    many = [key_value(f"k{number}", number) for number in range(1_000)]
    plain = LogRecord(body=any_value("plain"))
    lines = lines_of([plain, LogRecord(attributes=many), plain])
    assert [line["body"] for line in lines] == ["plain", None, "plain"]
    assert len(lines[1]["otel"]["attributes"]) == 1_000


def test_of_a_key_that_comes_again_the_last_value_counts() -> None:
    twice = Pairs([("a", 1), ("b", 2), ("a", 3)])
    lines = lines_of(
        [LogRecord(body=any_value(twice)), LogRecord(body=any_value(Pairs(twice[:2])))]
    )
    assert [line["body"] for line in lines] == [{"a": 3, "b": 2}, {"a": 1, "b": 2}]


def test_a_body_that_comes_in_two_pieces_is_one() -> None:
    pieces = [LogRecord(body=any_value(Pairs([pair]))) for pair in (("a", 1), ("b", 2))]
    merged = LogRecord.FromString(b"".join(piece.SerializeToString() for piece in pieces))
    assert [line["body"] for line in lines_of([merged])] == [{"a": 1, "b": 2}]
