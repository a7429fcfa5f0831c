"""Sample events of cloud and SaaS logs go to their lane, keep every field, and are found again."""

import json
import lzma
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tocsin.ingest.decode import decode
from tocsin.model.event import EventBatch
from tocsin.model.identifier import event_ids
from tocsin.model.record import Origin, RawBatch
from tocsin.normalize.check import lost_values
from tocsin.normalize.normalizer import Normalizer
from tocsin.store.engines.parquet.parquet_events import ParquetEvents
from tocsin.store.engines.state.sqlite_state import SqliteState
from tocsin.store.query import EventQuery

RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)

ALWAYS = {
    "AWS.CloudTrail": ("aws", ("eventSource", "eventName", "awsRegion")),
    "Okta.SystemLog": ("okta", ("eventType", "published", "actor")),
    "GitHub.Audit": ("github", ("action", "actor")),
    "Amazon.EKS.Audit": ("kubernetes", ("auditID", "verb")),
    "Windows.EventLogs": ("windows", ("EventID", "Channel")),
}
"""The log types that connectors read, and fields their vendors put into every event."""

SOMETIMES = {
    "AWS.GuardDuty": {"guardduty"},
    "Azure.Audit": {"azure"},
    "Azure.MonitorActivity": {"azure"},
    "Crowdstrike.EventStreams": {"crowdstrike"},
    "Duo.Authentication": {"duo"},
    "GCP.AuditLog": {"gcp", "google_workspace"},
    "GSuite.ActivityEvent": {"google_workspace"},
    "Microsoft365.Audit.AzureActiveDirectory": {"m365"},
    "OneLogin.Events": {"onelogin"},
    "Osquery.Differential": {"osquery"},
    "Slack.AuditLogs": {"slack"},
}
"""Log types whose samples often lack what their vendor puts into every event."""

SPELLED = {
    name.lower(): name
    for name in (
        "eventType", "displayMessage", "authenticationContext", "debugContext", "securityContext",
        "legacyEventType", "awsRegion", "eventSource", "eventName", "eventTime", "eventID",
        "eventVersion", "recipientAccountId", "userIdentity", "requestParameters",
        "responseElements", "sourceIPAddress", "userAgent", "errorCode", "errorMessage",
    )
}  # fmt: skip
"""The vendors' spelling of names that the samples' data lake wrote in lower case."""


def _as_sent(event: dict[str, Any]) -> dict[str, Any]:
    """The event as its vendor sends it: without the data lake's own fields and lower case."""
    return {
        SPELLED.get(name, name): value
        for name, value in event.items()
        if not name.startswith("p_") and value is not None
    }


@pytest.fixture(scope="module")
def samples(test_data: Path) -> dict[str, list[dict[str, Any]]]:
    """The sample events by their log type."""
    path = test_data / "panther-detection-tests" / "detections.jsonl.xz"
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        detections = [json.loads(line) for line in lines]
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for detection in detections:
        if len(detection["LogTypes"] or ()) == 1:
            events = [test.get("event") for test in detection["tests"] or ()]
            found[detection["LogTypes"][0]] += [_as_sent(e) for e in events if isinstance(e, dict)]
    return {log_type: events for log_type, events in found.items() if events}


Mapped = list[tuple[dict[str, Any], EventBatch, int]]
"""Each event with the batch and the row it came to."""


def _mapped(normalizer: Normalizer, events: list[dict[str, Any]], position: int) -> Mapped:
    payload = b"\n".join(json.dumps(event).encode() for event in events)
    decoded = decode(RawBatch("samples", payload, RECEIVED))
    assert decoded.unreadable == []
    assert len(decoded.records) == len(events)
    origin = Origin("samples", RECEIVED, "test", position)
    ids = event_ids(origin.received_at, origin.spool, origin.position, decoded.ordinals)
    by_id = dict(zip(ids, events, strict=True))
    return [
        (by_id[identifier], batch, row)
        for batch in normalizer.normalize(decoded, origin)
        for row, identifier in enumerate(batch.event_ids.to_pylist())
    ]


@pytest.fixture(scope="module")
def mapped(samples: dict[str, list[dict[str, Any]]], normalizer: Normalizer) -> dict[str, Mapped]:
    return {
        log_type: _mapped(normalizer, events, position)
        for position, (log_type, events) in enumerate(samples.items())
    }


def test_whole_events_of_the_log_types_we_read_go_to_their_lanes_with_every_value(
    mapped: dict[str, Mapped], capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    strayed, lost = [], []
    recognized = 0
    for log_type, (connector, always) in ALWAYS.items():
        for event, batch, row in mapped[log_type]:
            if batch.lane.connector != connector and all(name in event for name in always):
                strayed.append((log_type, batch.lane.id))
            lost += lost_values(event, batch.native_rows([row])[0])
        right = sum(batch.lane.connector == connector for _, batch, _ in mapped[log_type])
        told.append(f"{log_type} {right} of {len(mapped[log_type])}")
        recognized += right
    with capsys.disabled():
        print(  # noqa: T201
            f"\ncloud samples recognized: {', '.join(told)} (the others lack fields their vendor sends)"
        )
    assert strayed == []
    assert lost == []
    assert recognized / sum(len(mapped[log_type]) for log_type in ALWAYS) > 0.95


def test_events_are_taken_for_nothing_they_are_not(mapped: dict[str, Mapped]) -> None:
    strayed = Counter(
        (log_type, batch.lane.id)
        for log_type, found in mapped.items()
        if log_type not in ALWAYS
        for _, batch, _ in found
        if batch.lane.connector not in {"unknown", *SOMETIMES.get(log_type, ())}
    )
    assert strayed == {}
    read = {log_type for log_type in SOMETIMES if _has_its_own(mapped[log_type])}
    assert len(read) >= len(SOMETIMES) - 1
    assert len(mapped) > 50


def _has_its_own(found: Mapped) -> bool:
    return any(batch.lane.connector != "unknown" for _, batch, _ in found)


def test_what_went_in_is_found_by_its_fields(mapped: dict[str, Mapped], tmp_path: Path) -> None:
    asked = {"AWS.CloudTrail": "eventName", "Okta.SystemLog": "eventType", "GitHub.Audit": "action"}
    expected = Counter(
        (field, str(event[field]).casefold())
        for log_type, field in asked.items()
        for event, _, _ in mapped[log_type]
        if field in event
    )
    assert len(expected) > 90
    state = SqliteState(tmp_path / "state.db")
    events = ParquetEvents(tmp_path / "events", state)
    try:
        batches = {id(batch): batch for name in asked for _, batch, _ in mapped[name]}
        segment = events.write(list(batches.values()))
        with state.begin() as tx:
            events.publish(tx, segment)
        for (field, value), count in sorted(expected.items())[::9]:
            assert events.search(EventQuery(f'native.{field}:"{value}"')).total == count, value
    finally:
        events.close()
        state.close()
