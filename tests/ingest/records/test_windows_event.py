"""Windows events, flattened to the names Sigma rules ask for."""

from typing import Any

from tocsin.ingest.records.windows_event import flatten_event


def rendered(system: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    return {
        "Event": {
            "#attributes": {"xmlns": "http://schemas.microsoft.com/win/2004/08/events/event"},
            "System": {
                "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon", "Guid": "5770"}},
                "EventID": 1,
                "Version": 5,
                "Level": 4,
                "TimeCreated": {"#attributes": {"SystemTime": "2026-03-01T10:00:00.1Z"}},
                "EventRecordID": 77,
                "Correlation": None,
                "Execution": {"#attributes": {"ProcessID": 1912, "ThreadID": 996}},
                "Channel": "Microsoft-Windows-Sysmon/Operational",
                "Computer": "pc1",
                "Security": {"#attributes": {"UserID": "S-1-5-18"}},
                **(system or {}),
            },
            **parts,
        }
    }


def flat(**parts: Any) -> dict[str, Any]:
    record = flatten_event(rendered(**parts))
    assert record is not None
    return record


def test_system_fields_keep_their_names_and_attributes_are_joined() -> None:
    assert flat(EventData=None) == {
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "Provider_Guid": "5770",
        "EventID": 1,
        "Version": 5,
        "Level": 4,
        "TimeCreated": "2026-03-01T10:00:00.1Z",
        "EventRecordID": 77,
        "Execution_ProcessID": 1912,
        "Execution_ThreadID": 996,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Computer": "pc1",
        "Security_UserID": "S-1-5-18",
    }


def test_the_process_of_the_event_data_is_the_one_rules_mean() -> None:
    record = flat(EventData={"ProcessId": 4242, "CommandLine": "whoami /all", "RuleName": None})
    assert record["ProcessId"] == 4242
    assert record["CommandLine"] == "whoami /all"
    assert "RuleName" not in record


def test_event_data_never_hides_a_system_field() -> None:
    record = flat(EventData={"Version": "0xa0301", "Channel": "x"})
    assert (record["Version"], record["EventData_Version"]) == (5, "0xa0301")
    assert record["EventData_Channel"] == "x"


def test_qualified_event_ids_are_numbers() -> None:
    record = flat(system={"EventID": {"#attributes": {"Qualifiers": 16384}, "#text": 7045}})
    assert (record["EventID"], record["Qualifiers"]) == (7045, 16384)


def test_unnamed_data_is_a_list_even_when_it_is_one() -> None:
    assert flat(EventData={"Data": {"#text": ["a", "b"]}})["Data"] == ["a", "b"]
    assert flat(EventData={"Data": {"#text": "alone"}, "Binary": None})["Data"] == ["alone"]
    assert flat(EventData={"Data": "alone"})["Data"] == ["alone"]


def test_user_data_is_flattened_past_its_wrapper() -> None:
    record = flat(
        UserData={
            "LogFileCleared": {
                "#attributes": {"xmlns": "http://manifests.microsoft.com"},
                "SubjectUserName": "admin01",
                "Channel": "System",
            }
        }
    )
    assert record["SubjectUserName"] == "admin01"
    assert record["UserData_Channel"] == "System"
    assert not any("xmlns" in name for name in record)


def test_what_is_no_windows_event_is_none() -> None:
    assert flatten_event({"Event": "login"}) is None
    assert flatten_event({"Event": {"System": None}}) is None
    assert flatten_event({"a": 1}) is None
