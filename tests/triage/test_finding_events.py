"""Findings become events that can be searched for."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding, MatchedField
from tocsin.model.identifier import event_id
from tocsin.normalize.ocsf_object import to_ocsf
from tocsin.triage.finding_events import findings_batch

Make = Callable[..., Finding]


def test_a_finding_is_an_ocsf_detection_finding(finding: Make, noon: datetime) -> None:
    alice = Entity(EntityKind.USER, "alice")
    batch = findings_batch([finding(7, related=(alice,))], noon)
    (ocsf,) = batch.ocsf_rows([0])
    assert batch.lane.id == "tocsin.finding"
    assert (ocsf["class_uid"], ocsf["type_uid"], ocsf["category_uid"]) == (2004, 200401, 2)
    assert (ocsf["severity_id"], ocsf["finding_info.uid"]) == (4, "finding-rule-1-ws01-7")
    assert (ocsf["device.hostname"], ocsf["user.name"]) == ("ws01", "alice")


def test_the_native_fields_say_what_was_recognized(finding: Make, noon: datetime) -> None:
    batch = findings_batch([finding(7)], noon)
    (native,) = batch.native_rows([0])
    assert native["rule_title"] == "Title of rule-1"
    assert native["event_id"] == "event-00007"
    assert native["entities"] == ["host:ws01"]
    assert native["matched"] == [
        {
            "name": "CommandLine",
            "value": "powershell -enc AAA",
            "pattern": "CommandLine|contains: -enc",
        }
    ]


def test_event_ids_repeat_for_the_same_finding(finding: Make, noon: datetime) -> None:
    findings = [finding(number) for number in range(50)]
    first, again = findings_batch(findings, noon), findings_batch(findings, datetime.now(UTC))
    assert first.event_ids.to_pylist() == again.event_ids.to_pylist()
    assert len(set(first.event_ids.to_pylist())) == 50
    one_by_one = [event_id(each.time, each.finding_id, 0, 0) for each in findings]
    assert first.event_ids.to_pylist() == one_by_one


def test_columns_have_equal_length_and_none_is_empty(finding: Make, noon: datetime) -> None:
    batch = findings_batch([finding(0, host=None), finding(1, host=None)], noon)
    assert "device.hostname" not in batch.ocsf.schema.names
    for part in (batch.native, batch.ocsf):
        assert part.num_rows == len(batch) == 2
        assert all(column.null_count < 2 for column in part.columns)


def test_no_findings_make_an_empty_batch(noon: datetime) -> None:
    assert len(findings_batch([], noon)) == 0


def test_broken_unicode_becomes_its_escape(finding: Make, noon: datetime) -> None:
    broken = finding(0)
    object.__setattr__(broken, "matched", (MatchedField("a", "\ud800", "p"),))
    (native,) = findings_batch([broken], noon).native_rows([0])
    assert native["matched"] == [{"name": "a", "value": "\\ud800", "pattern": "p"}]


def test_the_message_says_whom_a_finding_is_about(finding: Make, noon: datetime) -> None:
    one = finding(0)
    nobody = dataclasses.replace(one, entities=())
    rows = findings_batch([one, nobody], noon).ocsf_rows([0, 1])
    assert rows[0]["message"] == f"{one.rule_title}: {one.entities[0].name}"
    assert rows[1]["message"] == one.rule_title


@pytest.mark.parametrize("year", [1601, 9999])
def test_odd_years_are_kept(finding: Make, noon: datetime, year: int) -> None:
    moment = datetime(year, 1, 1, tzinfo=UTC)
    batch = findings_batch([finding(0, time=moment)], noon)
    assert batch.times.to_pylist() == [moment]


def test_tenants_are_not_mixed(finding: Make, noon: datetime) -> None:
    with pytest.raises(ValueError, match="several tenants"):
        findings_batch([finding(0), finding(1, tenant="other")], noon)


def test_the_event_is_valid_ocsf(finding: Make, noon: datetime) -> None:
    related = (
        Entity(EntityKind.USER, "alice"),
        Entity(EntityKind.ADDRESS, "192.0.2.1"),
        Entity(EntityKind.CLOUD_ACCOUNT, "123456789012"),
    )
    batch = findings_batch([finding(7, related=related)], noon)
    event = to_ocsf(batch.ocsf_rows([0])[0], noon, batch.lane)
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(event["metadata"]["version"]))
    checked = schema.get_class_schema("detection_finding", event["metadata"]["profiles"])
    faults = [fault.message for fault in Draft202012Validator(checked).iter_errors(event)]
    assert faults == []


@pytest.mark.parametrize(
    ("supersedes", "retracted", "type_uid"),
    [("", False, 200401), ("finding-before", False, 200402), ("finding-before", True, 200403)],
)
def test_a_verdict_on_several_events_names_them_and_is_valid_ocsf(
    finding: Make, noon: datetime, supersedes: str, retracted: bool, type_uid: int
) -> None:
    told = dataclasses.replace(
        finding(7),
        since=noon - timedelta(minutes=5),
        evidence=("event-1", "event-2"),
        event_count=12,
        supersedes=supersedes,
        retracted=retracted,
        because="12 failed sign-ins of alice within 5 minutes",
    )
    batch = findings_batch([told, finding(8)], noon)
    row = batch.ocsf_rows([0])[0]
    event = to_ocsf(row, noon, batch.lane)
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(event["metadata"]["version"]))
    checked = schema.get_class_schema("detection_finding", event["metadata"]["profiles"])
    assert [fault.message for fault in Draft202012Validator(checked).iter_errors(event)] == []
    assert (event["type_uid"], event["count"]) == (type_uid, 12)
    assert event["message"] == "12 failed sign-ins of alice within 5 minutes"
    assert [one["uid"] for one in event["finding_info"]["related_events"]] == ["event-1", "event-2"]
    assert event["end_time"] - event["start_time"] == 307_000
    (native,) = batch.native_rows([0])
    assert (native["event_count"], native["retracted"]) == (12, retracted)
    assert "because" not in batch.native_rows([1])[0]
