"""The line of an event says who did what to which thing, whatever the source left out."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.console.event_line import event_line
from tocsin.store.query import StoredEvent

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def event(ocsf: dict[str, Any], native: dict[str, Any] | None = None) -> StoredEvent:
    return StoredEvent(
        event_id="e",
        time=NOW,
        ingested_at=NOW,
        tenant="default",
        source="windows",
        lane="windows.test",
        ocsf=ocsf,
        native=native or {},
        raw=None,
    )


@pytest.mark.parametrize(
    ("ocsf", "line"),
    [
        (
            {
                "class_uid": 1007,
                "activity_id": 3,
                "actor.process.name": "agent.exe",
                "process.name": "lsass.exe",
            },
            "agent.exe opens lsass.exe",
        ),
        (
            {
                "class_uid": 3002,
                "activity_id": 4,
                "user.name": "amara",
                "service.name": "krbtgt",
                "src_endpoint.ip": "192.0.2.7",
            },
            "asks for a service ticket: amara, krbtgt",
        ),
        (
            {
                "class_uid": 3002,
                "activity_id": 1,
                "status_id": 2,
                "user.name": "root",
                "src_endpoint.ip": "192.0.2.7",
            },
            "failed: signs in: root, 192.0.2.7",
        ),
        (
            {
                "class_uid": 3006,
                "activity_id": 3,
                "actor.user.name": "elin",
                "user.name": "owen",
                "group.name": "Administrators",
            },
            "elin adds to a group: owen, Administrators",
        ),
        (
            {
                "class_uid": 201002,
                "activity_id": 2,
                "reg_value.path": "HKLM\\x",
                "reg_value.data": 1,
            },
            "sets HKLM\\x, 1",
        ),
        ({"class_uid": 1001, "activity_id": 4, "file.path": "/etc/shadow"}, "deletes /etc/shadow"),
        ({"class_uid": 1001, "activity_id": 99, "file.path": "/etc/shadow"}, "/etc/shadow"),
        ({"class_uid": 1007, "activity_id": 1, "process.cmd_line": "whoami"}, "whoami"),
        (
            {
                "src_endpoint.ip": "192.0.2.7",
                "dst_endpoint.ip": "192.0.2.8",
                "dst_endpoint.port": 443,
                "message": "a\nb",
            },
            "192.0.2.7 → 192.0.2.8:443  a ⏎ b",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_event_is_told_in_a_line(ocsf: dict[str, Any], line: str) -> None:
    assert event_line(event(ocsf)) == line


def test_what_no_class_tells_begins_with_the_log_and_its_number() -> None:
    ocsf = {"class_uid": 0, "metadata.log_name": "PowerShell", "metadata.event_code": "40961"}
    native = {"Channel": "PowerShell", "Computer": "ws", "EventID": 40961, "Who": "me", "x": [1]}
    assert event_line(event(ocsf, native)) == "PowerShell 40961  Who=me"
    assert event_line(event({}, native)).startswith("Channel=PowerShell  Computer=ws")


def test_text_that_hides_something_is_shown() -> None:
    ocsf = {"class_uid": 1007, "activity_id": 3, "process.name": "a\u202eexe.txt"}
    assert "\u202e" not in event_line(event(ocsf))
