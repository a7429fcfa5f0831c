"""Windows events recorded by one sender say the same in the shapes that others would have sent."""

import json
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.decode import decode
from tocsin.model.identifier import event_ids
from tocsin.model.record import Framing, Origin, RawBatch
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer

RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)
OF_A_KIND = 2
Event = dict[str, Any]


def nested(event: Event) -> Event:
    """Winlogbeat up to 6, as it was recorded."""
    return event


def within_winlog(event: Event) -> Event:
    """Winlogbeat from 7 on: ECS outside, what Windows says in ``winlog``."""
    names = {
        "event_id": "event_id",
        "log_name": "channel",
        "source_name": "provider_name",
        "computer_name": "computer_name",
        "record_number": "record_id",
        "provider_guid": "provider_guid",
        "task": "task",
        "opcode": "opcode",
        "keywords": "keywords",
        "event_data": "event_data",
        "user_data": "user_data",
        "user": "user",
    }
    winlog = {new: event[old] for old, new in names.items() if old in event}
    winlog["process"] = {"pid": event["process_id"], "thread": {"id": event["thread_id"]}}
    return {
        "@timestamp": event["@timestamp"],
        "message": event["message"],
        "event": {
            "code": str(event["event_id"]),
            "kind": "event",
            "provider": event["source_name"],
        },
        "log": {"level": str(event.get("level", "")).lower()},
        "host": {"name": event["computer_name"]},
        "winlog": winlog,
    }


def flat(event: Event) -> Event:
    """NXLog's ``to_json``: everything side by side."""
    return {
        "EventTime": event["@timestamp"].replace("T", " ").removesuffix("Z"),
        "Hostname": event["computer_name"],
        "EventID": event["event_id"],
        "SourceName": event["source_name"],
        "ProviderGuid": event.get("provider_guid"),
        "RecordNumber": int(event["record_number"]),
        "ExecutionProcessID": event["process_id"],
        "ThreadID": event["thread_id"],
        "Channel": event["log_name"],
        "Message": event["message"],
        "UserID": event.get("user", {}).get("identifier"),
        **event.get("event_data", {}),
        **event.get("user_data", {}),
    }


def rendered(event: Event) -> Event:
    """What a reader of EVTX files makes of it; the rendered message is not in there."""
    system = {
        "Provider": {"#attributes": {"Name": event["source_name"]}},
        "EventID": event["event_id"],
        "TimeCreated": {"#attributes": {"SystemTime": event["@timestamp"]}},
        "EventRecordID": int(event["record_number"]),
        "Execution": {
            "#attributes": {"ProcessID": event["process_id"], "ThreadID": event["thread_id"]}
        },
        "Channel": event["log_name"],
        "Computer": event["computer_name"],
        "Security": {"#attributes": {"UserID": event.get("user", {}).get("identifier")}},
    }
    return {"Event": {"System": system, "EventData": event.get("event_data", {})}}


OTHERS: dict[str, tuple[Callable[[Event], Event], Framing]] = {
    "winlogbeat 7": (within_winlog, Framing.LINES),
    "NXLog": (flat, Framing.LINES),
    "EVTX": (rendered, Framing.EVTX),
}


@pytest.fixture(scope="module")
def events(test_data: Path) -> list[Event]:
    """Some of each channel and event id."""
    counts: Counter[tuple[str, int]] = Counter()
    found: list[Event] = []
    for line in recorded(test_data / "security-datasets" / "datasets" / "atomic" / "windows"):
        event = json.loads(line)
        kind = event["log_name"], event["event_id"]
        needed = {"computer_name", "record_number", "process_id", "thread_id", "message"}
        if counts[kind] < OF_A_KIND and needed <= set(event) and "user_data" not in event:
            counts[kind] += 1
            found.append(event)
    assert len(counts) > 40
    return found


@pytest.fixture(scope="module")
def normalizer() -> Normalizer:
    paths = [path for path in mapping_paths() if path.parent.name == "windows"]
    return Normalizer([load_mapping(path) for path in paths])


def recorded(folder: Path) -> Iterator[bytes]:
    """The lines that winlogbeat 6 wrote."""
    for path in sorted(folder.rglob("*.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member)
                for line in content or ():
                    if b'"event_data"' in line and b'"log_name"' in line:
                        yield line


def said(normalizer: Normalizer, events: list[Event], framing: Framing) -> list[Event]:
    """What each event says in OCSF, its lane and its time beside it."""
    payload = b"\n".join(json.dumps(event).encode() for event in events)
    decoded = decode(RawBatch("twins", payload, RECEIVED, framing))
    assert len(decoded.records) == len(events)
    ids: dict[str, Event] = {}
    for batch in normalizer.normalize(decoded, Origin("twins", RECEIVED, "test", 1)):
        rows = zip(
            batch.event_ids.to_pylist(),
            batch.ocsf.to_pylist(),
            batch.times.to_pylist(),
            strict=True,
        )
        for identifier, row, time in rows:
            kept = {name: value for name, value in row.items() if value is not None}
            ids[identifier] = {"lane": batch.lane.id, "time": time, **kept}
    return [ids[identifier] for identifier in event_ids(RECEIVED, "test", 1, decoded.ordinals)]


@pytest.mark.parametrize("other", OTHERS)
def test_shapes_of_windows_events_say_the_same(
    events: list[Event], normalizer: Normalizer, other: str
) -> None:
    turn, framing = OTHERS[other]
    if framing is Framing.EVTX:
        events = [event | {"message": None} for event in events]
    mine = said(normalizer, events, Framing.LINES)
    theirs = said(normalizer, [turn(event) for event in events], framing)
    differing: dict[str, list[str]] = defaultdict(list)
    for event, one, two in zip(events, mine, theirs, strict=True):
        for name in sorted({*one, *two}):
            if one.get(name) != two.get(name):
                kind = f"{event['log_name']} {event['event_id']}"
                differing[name].append(f"{kind}: {one.get(name)!r}, {other} {two.get(name)!r}")
    assert {name: places[:3] for name, places in differing.items()} == {}
