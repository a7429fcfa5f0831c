"""Bodies of senders' protocols: whatever comes, it is kept or refused whole, never half lost."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.ingest.bodies.bulk_body import BulkFault, take_bulk
from tocsin.ingest.bodies.hec_body import take_events, take_raw
from tocsin.ingest.bodies.otlp_body import take_logs, take_metrics
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.decode import decode
from tocsin.ingest.records.otlp_value import OtlpFault
from tocsin.model.record import RawBatch

MAKER = Maker("hec/x", "test", datetime(2026, 1, 1, tzinfo=UTC))
plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12)
values: st.SearchStrategy[Any] = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(["event", "time", "host", "sourcetype", "fields", "index", "other"])
scraps = st.sampled_from(
    [b"{", b"}", b'"', b"\\", b"[", b"]", b",", b":", b"\n", b"a", b" ", b"\xff"]
)
noise = st.lists(scraps, max_size=30).map(b"".join) | st.binary(max_size=60)


def counts(batches: list[RawBatch]) -> tuple[int, int]:
    """Records and unreadable ones."""
    decoded = [decode(batch) for batch in batches]
    return sum(len(one.records) for one in decoded), sum(len(one.unreadable) for one in decoded)


@given(
    st.lists(st.dictionaries(names, values, max_size=4), min_size=1, max_size=8),
    st.sampled_from(["", " ", "\n", "\r\n"]),
    st.sampled_from([None, 2]),
)
@example([{}, {}], " ", None)
def test_every_hec_event_is_a_record_or_in_quarantine(
    events: list[dict[str, Any]], between: str, indent: int | None
) -> None:
    body = between.join(json.dumps(event, indent=indent) for event in events)
    found = take_events(body.encode(), MAKER)
    records, unreadable = counts(found.batches)
    assert records == found.events
    assert records + unreadable == len(events)
    assert (found.fault is None) == (unreadable == 0)


def test_a_line_that_is_cut_off_costs_no_other() -> None:
    found = take_events(b'{"event":"a"\n{"event":"b"}\n{"event":"c"}', MAKER)
    assert (found.events, found.fault_at) == (2, 0)


def test_a_large_body_of_one_shape_is_split_by_sourcetype() -> None:
    events = [
        {"time": n, "sourcetype": f"kind{n % 2}", "event": {"n": n, "text": "x" * 50}}
        for n in range(2_000)
    ]
    found = take_events(b"".join(map(orjson.dumps, events)), MAKER)
    kept = [(batch.source, record) for batch in found.batches for record in decode(batch).records]
    assert len(kept) == found.events == 2_000
    assert all(source == f"hec/x/{record['hec']['sourcetype']}" for source, record in kept)  # type: ignore[index]


@given(noise)
def test_noise_for_hec_is_kept(body: bytes) -> None:
    found = take_events(body, MAKER)
    records, unreadable = counts(found.batches)
    assert records == found.events
    assert (records + unreadable > 0) == bool(body.strip())


@given(noise, st.dictionaries(st.sampled_from(["host", "sourcetype"]), st.text(max_size=9)))
def test_every_raw_line_is_a_record(body: bytes, about: dict[str, str]) -> None:
    found = take_raw(body, about, MAKER)
    records, unreadable = counts(found.batches)
    assert records + unreadable == sum(1 for line in body.split(b"\n") if line.strip())


verbs = st.sampled_from(["index", "create", "delete", "update"])
abouts = st.fixed_dictionaries(
    {}, optional={"_index": st.sampled_from(["a", "b-2026.01.01"]), "_id": st.text(max_size=4)}
)
documents = st.dictionaries(st.text(max_size=6), values, max_size=3).map(orjson.dumps) | st.binary(
    min_size=1, max_size=20
).filter(lambda line: bool(line.strip()) and b"\n" not in line)


@given(st.lists(st.tuples(verbs, abouts, documents), min_size=1, max_size=10))
def test_every_bulk_item_is_answered_for(items: list[tuple[str, dict[str, str], bytes]]) -> None:
    body = b""
    for verb, about, document in items:
        body += orjson.dumps({verb: about}) + b"\n"
        if verb != "delete":
            body += document + b"\n"
    bulk = take_bulk(body, "", MAKER)
    assert [action.verb for action in bulk.actions] == [verb for verb, _, _ in items]
    records, unreadable = counts(bulk.batches)
    assert records == len(items) - len(bulk.reasons)
    refused = sum(1 for action in bulk.actions if action.reason)
    assert unreadable == len(items) - records - refused


@given(noise | values.map(orjson.dumps))
def test_noise_for_bulk_is_refused_or_kept(body: bytes) -> None:
    try:
        bulk = take_bulk(body, "i", MAKER)
    except BulkFault:
        return
    assert sum(counts(bulk.batches)) <= len(bulk.actions)


kinds = ["stringValue", "intValue", "doubleValue", "boolValue", "arrayValue", "kvlistValue", "x"]
any_values = st.recursive(
    st.dictionaries(st.sampled_from(kinds), values, max_size=1) | values,
    lambda inner: st.fixed_dictionaries(
        {"arrayValue": st.fixed_dictionaries({"values": st.lists(inner, max_size=3)})}
    ),
    max_leaves=4,
)
records_of_otlp = (
    st.fixed_dictionaries({}, optional={"body": any_values, "timeUnixNano": values}) | values
)


@given(st.lists(records_of_otlp, max_size=6))
def test_every_otlp_record_is_counted(records: list[Any]) -> None:
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    found = take_logs(orjson.dumps(body), MAKER)
    assert found.records + found.refused == len(records)
    assert counts(found.batches) == (found.records, found.refused)


@given(values, noise)
def test_noise_for_otlp_is_refused_or_kept(value: Any, body: bytes) -> None:
    for content in (body, orjson.dumps(value), orjson.dumps({"resourceLogs": [value]})):
        for take in (take_logs, take_metrics):
            try:
                found = take(content, MAKER)
            except OtlpFault:
                continue
            assert counts(found.batches) == (found.records, found.refused)
