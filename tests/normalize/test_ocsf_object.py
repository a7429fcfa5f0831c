"""Dotted columns become one nested OCSF event."""

from datetime import UTC, datetime

from tocsin.model.lane import Lane
from tocsin.normalize.ocsf_object import to_ocsf

LANE = Lane("demo", "shape", "demo")
TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)


def test_paths_nest_and_the_envelope_is_added() -> None:
    event = to_ocsf({"class_uid": 3002, "user.name": "maja", "user.uid": "7"}, TIME, LANE)
    assert event["user"] == {"name": "maja", "uid": "7"}
    assert event["time"] == 1767323045678
    assert event["metadata"] == {
        "version": "1.8.0",
        "product": {"name": "demo"},
        "log_source": "demo.shape",
        "profiles": [],
    }


def test_lists_become_members() -> None:
    row = {"class_uid": 4003, "answers.rdata": ["a", "b"], "answers.type": "A"}
    assert to_ocsf(row, TIME, LANE)["answers"] == [{"rdata": "a", "type": "A"}, {"rdata": "b"}]


def test_required_things_that_are_unknown_say_so() -> None:
    event = to_ocsf({"class_uid": 1001, "category_uid": 1, "file.path": "C:\\a\\b.txt"}, TIME, LANE)
    assert event["file"] == {"path": "C:\\a\\b.txt", "name": "b.txt", "type_id": 0}
    assert event["device"] == {"name": "unknown", "type_id": 0}
    assert event["actor"] == {"app_name": "unknown"}
    assert event["metadata"]["profiles"] == ["host"]


def test_a_hash_knows_its_algorithm() -> None:
    row = {"class_uid": 1001, "category_uid": 1, "file.hashes.value": "a" * 64}
    assert to_ocsf(row, TIME, LANE)["file"]["hashes"] == [{"value": "a" * 64, "algorithm_id": 3}]


def test_a_finding_keeps_endpoints_as_evidence() -> None:
    row = {"class_uid": 2004, "category_uid": 2, "src_endpoint.ip": "192.0.2.1"}
    event = to_ocsf(row, TIME, LANE)
    assert event["evidences"] == [{"src_endpoint": {"ip": "192.0.2.1"}}]
    assert "src_endpoint" not in event


def test_what_a_plain_event_has_no_place_for_is_unmapped() -> None:
    row = {"class_uid": 0, "category_uid": 0, "user.name": "a", "unmapped.time_quality": "missing"}
    event = to_ocsf(row, TIME, LANE)
    assert event["unmapped"] == {"time_quality": "missing", "user": {"name": "a"}}
