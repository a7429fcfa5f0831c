"""``tocsin rules explain``: on a file, on JSON, on an event of the store, for rules of both kinds."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.detect.rule_texts import ID, rule_text

Tocsin = Callable[..., Ran]
SEVERAL = "5f0b7f3e-0000-4000-8000-00000000000c"


def _event(second: int, **more: object) -> dict[str, object]:
    return {
        "EventID": 1,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "Computer": "ws-07",
        "TimeCreated": f"2026-01-05T10:00:{second:02}Z",
        **more,
    }


@pytest.fixture
def rules(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOCSIN_DETECT__SHIPPED_PACK", "false")
    folder = home / "rules"
    folder.mkdir(parents=True)
    (folder / "a.yml").write_text(
        rule_text("  s:\n    Image|endswith: \\x.exe\n  condition: s", extra="name: a\n")
    )
    (folder / "b.yml").write_text(
        f"title: Several\nid: {SEVERAL}\nstatus: test\nlevel: high\n"
        "correlation:\n  type: event_count\n  rules: [a]\n  group-by: [Computer]\n"
        "  timespan: 1m\n  condition: {gte: 3}\n"
    )
    return folder


def test_a_match_and_a_miss_say_which_part_on_which_value(
    tocsin: Tocsin, rules: Path, tmp_path: Path
) -> None:
    found = tocsin("rules", "explain", ID, json.dumps(_event(0, Image="C:\\x.exe")), "--json")
    assert found.code == 0
    assert found.json["parts"]["by"] == ["Image|endswith: \\x.exe"]
    file = tmp_path / "events.ndjson"
    lines = [json.dumps(_event(0, Image="C:\\x.exe")), json.dumps(_event(1, Image="C:\\y.exe"))]
    file.write_text("\n".join(lines))
    missed = tocsin("rules", "explain", "a rule", file, "--number", 2)
    assert missed.code == 1
    assert "Image|endswith: \\x.exe does not hold: Image is “C:\\y.exe”" in missed.out
    assert "there is no event 3" in tocsin("rules", "explain", ID, file, "--number", 3).err


def test_an_event_of_another_lane_is_never_seen_though_its_values_fit(
    tocsin: Tocsin, rules: Path
) -> None:
    foreign = json.dumps({"Image": "C:\\x.exe", "anything": 1})
    found = tocsin("rules", "explain", rules / "a.yml", foreign, "--json")
    assert (found.code, found.json["matches"], found.json["parts"]["held"]) == (1, False, True)
    assert "never sees this event" in found.json["blamed"][0]
    assert "no connector knows events like this one" in found.json["blamed"][0]


def test_a_rule_over_several_events_tells_its_group_and_what_the_window_held(
    tocsin: Tocsin, rules: Path, tmp_path: Path
) -> None:
    file = tmp_path / "events.ndjson"
    records = [_event(number, Image="C:\\x.exe") for number in range(4)]
    records += [_event(3, Image="C:\\x.exe", Computer="elsewhere"), _event(59, Image="no")]
    file.write_text("\n".join(json.dumps(record) for record in records))
    assert tocsin("ingest", file, "--source", "ws-07").code == 0
    events = tocsin("search", "native.Computer:ws-07", "--json").json["events"]
    last = next(one for one in events if one["time"].startswith("2026-01-05T10:00:03"))
    found = tocsin("rules", "explain", SEVERAL, last["event_id"], "--json")
    assert found.code == 0
    assert [one["values"] for one in found.json["grouped"]] == [["ws-07"]]
    assert found.json["bases"][0]["matches"] is True
    assert found.json["window"] == [
        "5 events were stored of its log sources in the 1 minute up to it",
        "4 of them count as “A rule” in the same group",
        "the rule asks for at least 3",
    ]
    findings = tocsin("search", "lane:tocsin.finding AND native.rule_id:*", "--json").json["events"]
    one = next(each for each in findings if each["native"]["event_id"] == last["event_id"])
    of_finding = tocsin("rules", "explain", SEVERAL, one["event_id"], "--json")
    assert of_finding.json == found.json, "a finding stands for the event it was found on"
    ungrouped = _event(0, Image="C:\\x.exe") | {"Computer": None}
    missed = tocsin("rules", "explain", SEVERAL, json.dumps(ungrouped))
    assert missed.code == 1
    assert "no value in Computer, by which it groups" in missed.out


def test_what_can_not_be_explained_is_said(tocsin: Tocsin, rules: Path) -> None:
    event = json.dumps(_event(0))
    assert "no such rule; did you mean “A rule”" in tocsin("rules", "explain", "a rul", event).err
    assert "not valid JSON" in tocsin("rules", "explain", ID, "{").err
    assert "a JSON object is needed" in tocsin("rules", "explain", ID, "[1]").err
    assert "no event of that id" in tocsin("rules", "explain", ID, "no-such-event").err
    (rules / "c.yml").write_text("title: Broken\nid: broken\ndetection: {condition: x}\n")
    assert "not loaded" in tocsin("rules", "explain", rules / "c.yml", event).err
