"""Each command does what its help says, on a data folder of its own."""

import csv
import io
import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.places import REPOSITORY
from tocsin.app.home.home import Home
from tocsin.normalize.mapping import load_mapping

Tocsin = Callable[..., Ran]
AUTH_LOG = """\
Nov 21 03:00:01 jump-01 sshd[900]: Failed password for invalid user admin from 203.0.113.9 port 40001 ssh2
Nov 21 03:00:03 jump-01 sshd[900]: Failed password for root from 203.0.113.9 port 40002 ssh2
Nov 21 03:00:09 jump-01 sshd[902]: Accepted password for deploy from 203.0.113.9 port 40005 ssh2
"""
RULE = """\
title: A password is guessed
id: 6f1c1b58-5a1b-4a73-9d5e-0a8f7d9f1a11
status: test
level: medium
description: For tests.
author: Tocsin
date: 2026-11-21
tags: [attack.credential-access, attack.t1110.001]
logsource: {product: linux, service: sshd}
detection:
  failed: {message|startswith: Failed password}
  condition: failed
"""


@pytest.fixture
def auth_log(tmp_path: Path) -> Path:
    path = tmp_path / "auth.log"
    path.write_text(AUTH_LOG)
    return path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "guess.yml").write_text(RULE)
    return folder


def test_files_go_in_and_are_found(tocsin: Tocsin, auth_log: Path) -> None:
    told = tocsin("ingest", auth_log, "--source", "jump", "--json")
    assert told.code == 0, told.err
    assert (told.json["records"], told.json["unreadable"]) == (3, 0)
    found = tocsin("search", "src_ip:203.0.113.9 AND user:root", "--json").json
    assert found["total"] == 1
    assert found["events"][0]["source"] == "jump"
    counted = tocsin(
        "search", "--sql", "SELECT count(*) AS n FROM events WHERE source = 'jump'", "--json"
    )
    assert counted.json["rows"] == [[3]]
    (ledger,) = tocsin("sources", "list", "--json").json
    assert (ledger["received"], ledger["stored"], ledger["quarantined"]) == (3, 3, 0)


def test_what_cannot_be_read_is_told_with_its_line(tocsin: Tocsin, tmp_path: Path) -> None:
    path = tmp_path / "app.ndjson"
    path.write_bytes(b'{"a": 1}\n{"a": \n{"a": 3}\n')
    told = tocsin("ingest", path, "--json")
    assert told.json["unreadable"] == 1
    assert told.json["problems"][0]["record"] == 2
    assert "app.ndjson" in told.json["problems"][0]["place"]
    kept = tocsin("sources", "quarantine", "--json").json
    assert kept["total"] == 1
    assert kept["records"][0]["excerpt"].startswith('{"a":')


def test_a_missing_file_is_one_clear_line(tocsin: Tocsin, tmp_path: Path) -> None:
    told = tocsin("ingest", tmp_path / "nowhere.log")
    assert told.code == 2
    assert "nowhere.log" in told.err
    assert "Traceback" not in told.err


def test_a_filter_that_may_have_been_meant_otherwise_is_told_of(
    tocsin: Tocsin, auth_log: Path
) -> None:
    tocsin("ingest", auth_log)
    asked = tocsin("search", "user = root")
    assert asked.code == 0
    assert "hint: “user =” is text to look for" in asked.err
    assert asked.err.rstrip().endswith("try: user:root")
    hints = tocsin("search", "user = root", "--json").json["hints"]
    assert [hint["better"] for hint in hints] == ["user:root"]
    assert tocsin("search", "user:root", "--json").json["hints"] == []


def test_a_wrong_query_points_at_its_place(tocsin: Tocsin, auth_log: Path) -> None:
    tocsin("ingest", auth_log)
    told = tocsin("search", "user:(root AND")
    assert told.code == 2
    assert "Traceback" not in told.err
    assert tocsin("search", "--sql", "DROP TABLE events").code == 2
    assert tocsin("search", "--from", "yesterday").code == 3


def test_hunt_prints_the_documented_shape(tocsin: Tocsin, auth_log: Path, rules: Path) -> None:
    told = tocsin("hunt", auth_log, "--rules", rules, "--format", "ndjson")
    assert told.code == 1, told.err
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert len(rows) == 2
    assert sorted(rows[0]) == [
        "event",
        "file",
        "level",
        "record_id",
        "rule_id",
        "rule_title",
        "source",
        "tags",
        "time",
    ]
    assert rows[0]["rule_id"] == "6f1c1b58-5a1b-4a73-9d5e-0a8f7d9f1a11"
    assert rows[0]["file"] == str(auth_log)
    assert rows[0]["event"]["message"].startswith("Failed password")


def test_hunt_needs_no_state(tocsin: Tocsin, auth_log: Path, rules: Path, home: Path) -> None:
    tocsin("hunt", auth_log, "--rules", rules)
    assert not home.exists()


def test_hunt_writes_csv_timeline_and_table(
    tocsin: Tocsin, auth_log: Path, rules: Path, tmp_path: Path
) -> None:
    target = tmp_path / "hits.csv"
    tocsin("hunt", auth_log, "--rules", rules, "--format", "csv", "--output", target)
    assert len(list(csv.DictReader(io.StringIO(target.read_text())))) == 2
    timeline = tocsin("hunt", auth_log, "--rules", rules, "--format", "timeline").out
    assert timeline.count("A password is guessed") == 2
    assert "A password is guessed" in tocsin("hunt", auth_log, "--rules", rules).out


def test_hunt_refuses_mappings_it_can_not_use(
    tocsin: Tocsin, auth_log: Path, rules: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "own" / "door" / "mapping.yml"
    broken.parent.mkdir(parents=True)
    told = tocsin("hunt", auth_log, "--rules", rules, "--mappings", tmp_path / "own")
    assert told.code == 3
    assert "no <connector>/mapping.yml there" in told.err
    broken.write_text("connector: door\nvendor: Example\n")
    told = tocsin("hunt", auth_log, "--rules", rules, "--mappings", tmp_path / "own")
    assert told.code == 3
    assert str(broken) in told.err


def test_hunt_below_the_level_finds_nothing(tocsin: Tocsin, auth_log: Path, rules: Path) -> None:
    told = tocsin("hunt", auth_log, "--rules", rules, "--level", "high", "--format", "ndjson")
    assert (told.code, told.out) == (0, "")


def test_rules_are_listed_linted_and_tested(tocsin: Tocsin, rules: Path) -> None:
    (listed,) = tocsin("rules", "list", rules, "--json").json
    assert listed["techniques"] == ["T1110.001"]
    (rules / "broken.yml").write_text("title: [")
    told = tocsin("rules", "lint", rules, "--json")
    assert told.code == 2
    assert any("broken.yml" in problem["path"] for problem in told.json)
    shipped = tocsin("rules", "test", "--json")
    assert shipped.code == 0, shipped.err
    assert all(result["passed"] for result in shipped.json["results"])


def test_tokens_work_while_no_server_runs(tocsin: Tocsin) -> None:
    told = tocsin("admin", "token", "create", "my-app", "--role", "engineer", "--json")
    assert told.json["token"].startswith("toc_")
    (token,) = tocsin("admin", "token", "list", "--json").json
    assert token["name"] == "my-app"
    assert told.json["token"] not in json.dumps(token)
    assert tocsin("admin", "token", "revoke", token["id"]).code == 0


def test_the_audit_chain_is_verified(tocsin: Tocsin) -> None:
    tocsin("admin", "user", "create", "alice", "--role", "analyst")
    told = tocsin("admin", "audit", "verify", "--json")
    assert told.code == 0
    assert told.json["ok"] is True
    assert told.json["entries"] >= 1


def test_a_folder_in_use_is_told_with_what_to_do(
    tocsin: Tocsin, home: Path, auth_log: Path
) -> None:
    holder = Home(home)
    told = tocsin("ingest", auth_log)
    holder.release()
    assert told.code == 2
    assert "in use" in told.err
    assert "--home" in told.err


def test_a_wrong_setting_ends_with_code_three(tocsin: Tocsin, tmp_path: Path) -> None:
    config = tmp_path / "tocsin.toml"
    config.write_text("[http]\nprot = 1\n")
    told = tocsin("search", "x", "--config", config)
    assert told.code == 3
    assert "http.prot" in told.err


def test_playbooks_are_listed_and_linted(tocsin: Tocsin, tmp_path: Path) -> None:
    assert tocsin("playbook", "list", "--json").json
    assert tocsin("playbook", "lint").code == 0
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    told = tocsin("playbook", "lint", bad)
    assert told.code == 2
    assert "bad.json" in told.out


def test_a_playbook_is_simulated_without_touching_anything(tocsin: Tocsin) -> None:
    shipped = tocsin("playbook", "list", "--json").json[0]["path"]
    told = tocsin("playbook", "simulate", shipped, "203.0.113.9", "--json")
    assert told.code == 0, told.err
    assert told.json


def test_no_command_prints_help_that_teaches(tocsin: Tocsin) -> None:
    told = tocsin("--help")
    assert told.code == 0
    for name in ("demo", "serve", "ingest", "hunt", "search", "rules", "admin"):
        assert name in told.out


def test_a_source_is_tested_before_it_is_sent(
    tocsin: Tocsin, auth_log: Path, tmp_path: Path
) -> None:
    told = tocsin("sources", "test", auth_log, "--json")
    assert told.code == 0, told.err
    assert told.json["lanes"] == {"linux.sshd": 3}
    strange = tmp_path / "strange.log"
    strange.write_text("nobody knows this line\n")
    assert tocsin("sources", "test", strange).code == 2


def test_an_unknown_source_is_drafted_for_a_person_to_finish(
    tocsin: Tocsin, tmp_path: Path
) -> None:
    sample = tmp_path / "door.json"
    record = {"badge": 7, "doorName": "n", "controller": "D-1", "at": "2026-06-30T08:00:00Z"}
    sample.write_text("\n".join(json.dumps(record | {"badge": n}) for n in range(3)))
    told = tocsin("sources", "test", sample, "--draft", tmp_path / "mapping.yml")
    assert told.code == 2
    assert load_mapping(tmp_path / "mapping.yml").time[0].field == "at"
    drafted = tocsin("sources", "test", sample, "--json").json["draft"]
    assert drafted["text"] == (tmp_path / "mapping.yml").read_text()
    again = tocsin("sources", "test", sample, "--draft", tmp_path / "mapping.yml")
    assert (again.code, "name a new file" in again.err) == (3, True)


def test_quarantined_records_are_tried_again(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text('{"a": 1}\n{"cut": "off\n')
    tocsin("ingest", tmp_path / "cut.json", "--source", "door")
    told = tocsin("sources", "replay", "--source", "door", "--since", "now-1h", "--json")
    assert told.code == 2
    assert {name: told.json[name] for name in ("tried", "stored")} == {"tried": 1, "stored": 0}
    assert tocsin("sources", "replay", "--source", "elsewhere").code == 0
    assert tocsin("sources", "owner", "door", "ana").code == 0
    (ledger,) = tocsin("sources", "list", "--json").json
    assert (ledger["owner"], ledger["quarantined"], ledger["waiting"]) == ("ana", 1, 0)
    assert "ana" in tocsin("sources", "list").out


def test_a_connector_is_written_as_contributing_says(tocsin: Tocsin, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "mapping.md").read_text()
    (example,) = re.findall(r"^ +```yaml\n(.*?)^ +```$", page, re.DOTALL | re.MULTILINE)
    folder = tmp_path / "door"
    (folder / "samples").mkdir(parents=True)
    (folder / "mapping.yml").write_text(textwrap.dedent(example))
    record = {"badge": 7, "door": "n", "controller": "D-1", "at": "2026-06-30T08:00:00Z"}
    (folder / "samples" / "swipe.json").write_text(json.dumps(record))
    assert tocsin("sources", "test", folder).code == 2
    assert tocsin("sources", "test", folder, "--write").code == 0
    assert (folder / "samples" / "swipe.ocsf.json").is_file()


def test_a_search_is_kept_asked_by_its_name_and_forgotten(tocsin: Tocsin, auth_log: Path) -> None:
    assert tocsin("ingest", auth_log).code == 0
    assert tocsin("searches", "keep", "Refused", "Failed", "--from", "all").code == 0
    asked = tocsin("search", "--saved", "refused", "--json")
    assert len(json.loads(asked.out)["events"]) == 2
    both = tocsin("search", "source:x", "--saved", "Refused")
    assert "one or the other" in both.err
    unknown = tocsin("search", "--saved", "Refuse")
    assert "there are: Refused" in unknown.err
    assert tocsin("searches", "forget", "Refused").code == 0
    assert json.loads(tocsin("searches", "list", "--json").out) == []
