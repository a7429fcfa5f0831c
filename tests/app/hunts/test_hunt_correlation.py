"""Stateful rules look over all files of a hunt in order of time, whatever order they are read in."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.app.hunts.test_hunting import GUESSED, hunt, plan, put
from tocsin.app.hunts import hunt_evidence
from tocsin.app.rules.hunt_selection import selected
from tocsin.detect.hunt import HuntHit, iso_time, ndjson_line
from tocsin.detect.reading.ruleset import RuleSet, load_rules

MANY = """\
title: Many passwords are guessed
id: 11111111-93a5-4a52-8f0e-5b7f6f9b2c22
status: test
level: high
tags: [attack.credential-access, attack.t1110.001]
correlation:
  type: event_count
  rules: [6f1c1b58-5a1b-4a73-9d5e-0a8f7d9f1a11]
  group-by: [src_ip]
  timespan: 1m
  condition: {gte: 6}
"""
NEVER = MANY.replace("11111111", "22222222").replace("gte: 6", "gte: 1000")

ABSENT = """\
title: A guess is not followed by a login
id: 33333333-93a5-4a52-8f0e-5b7f6f9b2c22
level: high
absence:
  rules: [6f1c1b58-5a1b-4a73-9d5e-0a8f7d9f1a11, 44444444-93a5-4a52-8f0e-5b7f6f9b2c22]
  group-by: [src_ip]
  timespan: 30s
---
title: A login
id: 44444444-93a5-4a52-8f0e-5b7f6f9b2c22
level: low
logsource: {product: linux, service: sshd}
detection:
  taken: {message|startswith: Accepted password}
  condition: taken
"""
NEW = """\
title: An address not seen before
id: 55555555-93a5-4a52-8f0e-5b7f6f9b2c22
level: low
logsource: {product: linux, service: sshd}
detection:
  taken: {message|startswith: Accepted password}
  condition: taken
new_terms:
  fields: [src_ip]
  window: 30d
  learning: 10s
"""


@pytest.fixture
def ruleset(tmp_path: Path) -> RuleSet:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "guessed.yml").write_text(GUESSED)
    (folder / "many.yml").write_text(MANY)
    (folder / "never.yml").write_text(NEVER)
    loaded = load_rules([folder])
    assert not loaded.problems
    return loaded


def line(second: int, address: str, words: str = "Failed password for root") -> str:
    time = f"Nov 21 03:{second // 60:02}:{second % 60:02}"
    return f"{time} jump-01 sshd[900]: {words} from {address} port 40001 ssh2"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Guesses of one address on two machines' logs in turns, each file alone below the count."""
    folder = tmp_path / "logs"
    folder.mkdir()
    noise = [line(at, "198.51.100.7", "Accepted password for deploy") for at in range(0, 600, 7)]
    mine = [line(300 + at * 5, "203.0.113.9") for at in range(8)]
    spread = [line(at * 60, "203.0.113.77") for at in range(9)]
    put(folder / "z.log", "\n".join(sorted([*noise, *mine[0::2], *spread[0::2]])).encode())
    put(folder / "a.log", "\n".join(sorted([*noise, *mine[1::2], *spread[1::2]])).encode())
    return folder


def correlated(hits: list[HuntHit]) -> list[HuntHit]:
    return [hit for hit in hits if hit.correlation]


def measured(hit: HuntHit) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(hit.correlation)
    return found


def test_times_of_two_files_interleave(logs: Path, ruleset: RuleSet) -> None:
    hits, summary = hunt(plan(logs), ruleset)
    (hit,) = correlated(hits)
    assert hits[-1] == hit
    told = measured(hit)
    assert told["type"] == "event_count"
    assert told["group"] == {"src_ip": "203.0.113.9"}
    assert (told["measured"], told["event_count"]) == (8.0, 8)
    assert told["because"].startswith("event_count 8")
    assert {Path(event["file"]).name for event in told["events"]} == {"a.log", "z.log"}
    times = [event["time"] for event in told["events"]]
    assert times == sorted(times)
    assert (told["first"], told["last"]) == (times[0], times[-1])
    assert iso_time(hit.time_us) == told["last"]
    assert summary.by_rule["11111111-93a5-4a52-8f0e-5b7f6f9b2c22"].hits == 1
    assert summary.hits == len(hits)
    for event in told["events"]:
        lines = Path(event["file"]).read_text().splitlines()
        assert "203.0.113.9" in lines[int(event["record_id"]) - 1]
    assert json.loads(hit.event)["src_ip"] == "203.0.113.9"


def test_a_line_of_a_correlation_has_the_fixed_shape_and_more(logs: Path, ruleset: RuleSet) -> None:
    (hit,) = correlated(hunt(plan(logs), ruleset)[0])
    rule = ruleset.rule(hit.rule_id)
    assert rule is not None
    assert list(json.loads(ndjson_line(rule, hit))) == [
        "rule_id",
        "rule_title",
        "level",
        "tags",
        "time",
        "source",
        "record_id",
        "file",
        "event",
        "correlation",
    ]


@pytest.mark.parametrize("task", [500, 3_000])
def test_neither_cutting_nor_turns_change_the_verdict(
    logs: Path, ruleset: RuleSet, task: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = correlated(hunt(plan(logs), ruleset)[0])
    monkeypatch.setattr(hunt_evidence, "TURN_ROWS", random.Random(task).randint(1, 5))  # noqa: S311
    (cut,) = correlated(hunt(plan(logs, task=task, gathered=task), ruleset)[0])
    assert without_ids(cut) == without_ids(whole)


def without_ids(hit: HuntHit) -> tuple[HuntHit, dict[str, Any]]:
    told = measured(hit)
    for event in told["events"]:
        del event["event_id"]
    return hit._replace(event_id="", correlation=b"", event=b""), told


def test_two_processes_correlate_what_one_does(logs: Path, ruleset: RuleSet) -> None:
    alone, _ = hunt(plan(logs, task=2_000), ruleset)
    both, _ = hunt(plan(logs, task=2_000, jobs=2), ruleset)
    assert both == alone
    assert correlated(both)


def test_a_correlation_alone_hears_its_rules_silently(logs: Path, ruleset: RuleSet) -> None:
    only = selected(ruleset, rules=["Many passwords are guessed"])
    hits, _ = hunt(plan(logs), only)
    assert [hit.rule_id for hit in hits] == ["11111111-93a5-4a52-8f0e-5b7f6f9b2c22"]


def loaded(folder: Path, *texts: str) -> RuleSet:
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.yml").write_text(text)
    found = load_rules([folder])
    assert not found.problems
    return found


def test_what_does_not_come_is_missed_over_all_files(tmp_path: Path) -> None:
    rules = loaded(tmp_path / "rules", GUESSED, ABSENT)
    put(tmp_path / "a.log", f"{line(0, '203.0.113.1')}\n{line(10, '203.0.113.2')}".encode())
    accepted = line(20, "203.0.113.1", "Accepted password for deploy")
    later = line(500, "203.0.113.1", "Accepted password for deploy")
    put(tmp_path / "b.log", f"{accepted}\n{later}".encode())
    for jobs in (1, 2):
        hits, _ = hunt(plan(tmp_path / "b.log", tmp_path / "a.log", jobs=jobs), rules)
        (hit,) = correlated(hits)
        assert hit.rule_id == "33333333-93a5-4a52-8f0e-5b7f6f9b2c22"
        assert measured(hit)["type"] == "absence"
        assert measured(hit)["group"] == {"src_ip": "203.0.113.2"}


def test_what_is_new_is_judged_in_order_of_time(tmp_path: Path) -> None:
    rules = loaded(tmp_path / "rules", NEW)
    words = "Accepted password for deploy"
    put(tmp_path / "z.log", "\n".join(line(at, "203.0.113.1", words) for at in (0, 5, 30)).encode())
    put(
        tmp_path / "a.log",
        "\n".join(line(at, "203.0.113.2", words) for at in (20, 40)).encode(),
    )
    for jobs in (1, 2):
        hits, _ = hunt(plan(tmp_path / "a.log", tmp_path / "z.log", jobs=jobs), rules)
        (hit,) = correlated(hits)
        assert measured(hit)["type"] == "new_terms"
        assert json.loads(hit.event)["src_ip"] == "203.0.113.2"
        assert iso_time(hit.time_us).endswith("03:00:20Z")
