"""``tocsin rules coverage``: what is covered at which stage, and the gaps that are near."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.detect.rule_texts import ID, rule_text
from tocsin.app.coverage.attack_facts import tactics_by_technique, tactics_for
from tocsin.triage.attack import TACTICS

Tocsin = Callable[..., Ran]
OTHER = "5f0b7f3e-0000-4000-8000-0000000000aa"
TESTS = """\
tocsin:
  tests:
    - {name: It is, expect: match, event: {Image: a}}
    - {name: It is not, expect: silent, event: {Image: b}}
"""


@pytest.fixture
def filled(home: Path, tmp_path: Path, tocsin: Tocsin, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOCSIN_DETECT__SHIPPED_PACK", "false")
    rules = home / "rules"
    rules.mkdir(parents=True)
    (rules / "able.yml").write_text(rule_text("  s: {Image: a}\n  condition: s", extra=TESTS))
    unable = rule_text("  s: {Wanted: a}\n  condition: s", rule_id=OTHER)
    (rules / "unable.yml").write_text(
        unable.replace("A rule", "Another").replace("t1059.001", "t1003.004")
    )
    events = tmp_path / "events.ndjson"
    event = {
        "EventID": 1,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "Computer": "ws-07",
        "TimeCreated": "2026-01-05T10:00:00Z",
        "Image": "a",
    }
    events.write_text(json.dumps(event))
    assert tocsin("ingest", events, "--source", "ws-07").code == 0
    return rules


def test_stages_are_told_by_technique_and_gaps_say_what_they_wait_for(
    tocsin: Tocsin, filled: Path, tmp_path: Path
) -> None:
    file = tmp_path / "layers.json"
    told = tocsin("rules", "coverage", "--days", 3650, "--navigator", file, "--json").json
    by_id = {one["technique"]: one for one in told["techniques"]}
    stages = ("enabled", "data", "tested", "seen")
    assert [by_id["T1059.001"][stage] for stage in stages] == [1, 1, 1, 1]
    assert [by_id["T1003.004"][stage] for stage in stages] == [1, 0, 0, 0]
    gaps = {one["technique"]: one for one in told["gaps"]}
    assert "T1059.001" not in gaps
    assert OTHER in gaps["T1003.004"]["rules"]
    assert "Wanted, never seen from ws-07" in gaps["T1003.004"]["because"]
    assert "1 known rule, your own" in gaps["T1003.004"]["known"]
    assert gaps["T1003.004"]["shown"] == "your Windows process events would show it (1 source)"
    not_in_force = [one for one in gaps.values() if one["rules"] and OTHER not in one["rules"]]
    assert not_in_force, "shipped rules that are off should be offered"
    assert "not in force" in not_in_force[0]["because"]
    layers = json.loads(file.read_text())
    assert [one["name"].rpartition(": ")[2] for one in layers] == [
        "enabled",
        "data present",
        "tested",
        "seen",
    ]
    for layer in layers:
        assert layer["versions"]["layer"] == "4.5"
        assert layer["versions"]["attack"] == "19"
        assert layer["domain"] == "enterprise-attack"
        for one in layer["techniques"]:
            assert re.fullmatch(r"T\d{4}(\.\d{3})?", one["techniqueID"])
            assert one["tactic"] in TACTICS
            assert 0 < one["score"] <= layer["gradient"]["maxValue"]
    shown = tocsin("rules", "coverage")
    assert "Credential Access" in shown.out
    assert "pieces of software" in shown.out
    assert ID not in shown.err


def test_facts_name_a_tactic_of_every_technique_the_pack_is_about() -> None:
    facts = tactics_by_technique()
    assert facts["T1059.001"] == ("execution",)
    assert facts["T1685.001"] == ("defense-impairment",)
    assert tactics_for("T1059.999") == ("execution",)
    assert tactics_for("T9999", ("attack.impact",)) == ("impact",)
    assert tactics_for("T9999") == ("other",)


def test_a_file_that_can_not_be_written_is_said(tocsin: Tocsin, filled: Path) -> None:
    told = tocsin("rules", "coverage", "--navigator", filled / "no" / "such" / "folder.json")
    assert told.code == 3
    assert "can't be written" in told.err
