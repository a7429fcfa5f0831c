"""``tocsin rules health`` and ``fields``: nothing is silently dead."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.detect.rule_texts import ID, rule_text

Tocsin = Callable[..., Ran]
OTHER = "5f0b7f3e-0000-4000-8000-0000000000aa"
EVENT = {
    "EventID": 1,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Provider_Name": "Microsoft-Windows-Sysmon",
    "Computer": "ws-07",
    "TimeCreated": "2026-01-05T10:00:00Z",
    "Image": "C:\\x.exe",
}


@pytest.fixture
def home_with_rules(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOCSIN_DETECT__SHIPPED_PACK", "false")
    rules = home / "rules"
    rules.mkdir(parents=True)
    (rules / "able.yml").write_text(rule_text("  s: {Image: a}\n  condition: s"))
    unable = rule_text("  s: {Wanted: a}\n  condition: s", rule_id=OTHER)
    (rules / "unable.yml").write_text(unable.replace("A rule", "Another rule"))
    (rules / "refused.yml").write_text("title: Broken\ndetection: {condition: x}\n")
    return rules


def test_every_rule_says_whether_it_can_match(
    tocsin: Tocsin, home_with_rules: Path, tmp_path: Path
) -> None:
    before = tocsin("rules", "health", "--json").json
    assert before["counts"] == {"no_source": 2, "refused": 1, "can_match": 1, "noted": 0}
    events = tmp_path / "events.ndjson"
    events.write_text(json.dumps(EVENT))
    assert tocsin("ingest", events, "--source", "ws-07").code == 0
    told = tocsin("rules", "health", "--json")
    assert told.code == 0
    by_id = {one["id"]: one["reach"] for one in told.json["rules"] if one["kind"] != "health"}
    assert by_id[ID]["sources"] == ["ws-07"]
    assert by_id[OTHER]["obstacle"] == "unseen_field"
    assert by_id[OTHER]["reason"] == "needs Wanted, never seen from ws-07"
    refused = told.json["refused"][0]
    assert refused["path"].endswith("refused.yml")
    assert refused["line"] > 0
    shown = tocsin("rules", "health", "--strict")
    assert shown.code == 1
    assert "NOT LOADED" in shown.out
    assert tocsin("rules", "health", "a RULE", "--strict").code == 0
    assert tocsin("rules", "health", "Another rule", "--strict").code == 1
    assert tocsin("rules", "health", "no such rule").code == 2


def test_missing_fields_are_ranked_by_what_they_would_wake(
    tocsin: Tocsin, home_with_rules: Path, tmp_path: Path
) -> None:
    events = tmp_path / "events.ndjson"
    events.write_text(json.dumps(EVENT))
    tocsin("ingest", events, "--source", "ws-07")
    told = tocsin("rules", "fields", "--json").json
    (lane,) = told["seen"]
    assert "Image" in told["seen"][lane]["ws-07"]
    assert told["gaps"] == [{"lane": lane, "field": "Wanted", "wakes": [OTHER], "asking": [OTHER]}]
    assert "Wanted" in tocsin("rules", "fields", "--lane", lane, "--source", "ws-07").out
    assert "nothing has come in" in tocsin("rules", "fields", "--lane", "no.lane").err
    assert "nothing has come in" in tocsin("rules", "fields", "--source", "nobody").err
