"""``tocsin rules draft`` says a search as a Sigma rule."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml


def test_a_search_is_said_as_a_rule_and_kept(
    tocsin: Callable[..., Any], tmp_path: Path, home: Path
) -> None:
    record = {
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "EventID": 1,
        "Computer": "ws01",
        "Image": "C:\\Windows\\System32\\whoami.exe",
        "CommandLine": "whoami /all",
    }
    records = tmp_path / "records.ndjson"
    records.write_text(json.dumps(record))
    assert tocsin("ingest", records).code == 0
    asked = ("rules", "draft", "cmd:*/all*", "--title", "Who am I", "--from", "2020-01-01")
    told = tocsin(*asked, "--keep")
    assert told.code == 0, told.err
    rule = yaml.safe_load(told.out)
    assert rule["detection"]["selection"] == {"CommandLine|contains": "/all"}
    assert "kept as a draft" in told.err
    (file,) = (home / "rules" / "drafts").glob("who_am_i_*.yml")
    assert yaml.safe_load(file.read_text()) == rule
    assert tocsin("rules", "draft", "cmd:nothing", "--title", "x").code == 2
