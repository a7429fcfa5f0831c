"""Every shipped rule is whole, can match what we receive, and passes its own tests."""

import re
import uuid
from collections import Counter
from pathlib import Path

import pytest
import yaml

import tocsin
from tocsin.connectors.catalog import mapping_paths
from tocsin.detect.rule_tests import run_tests
from tocsin.detect.ruleset import RuleSet, load_rules
from tocsin.model.entity import EntityKind
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer

RULES = Path(tocsin.__file__).parent / "content" / "rules"
FILES = sorted(RULES.rglob("*.yml"))
NAMES = [str(path.relative_to(RULES).with_suffix("")) for path in FILES]
TACTICS = {
    *("reconnaissance", "resource-development", "initial-access", "execution", "persistence"),
    *("privilege-escalation", "stealth", "defense-impairment", "credential-access", "discovery"),
    *("lateral-movement", "collection", "command-and-control", "exfiltration", "impact"),
}
CONNECTORS = {
    *("windows", "linux", "aws", "zeek", "suricata", "webserver", "okta", "kubernetes", "github"),
}


@pytest.fixture(scope="module")
def pack() -> RuleSet:
    return load_rules([RULES])


def test_the_pack_is_large_enough_and_covers_every_connector() -> None:
    assert len(FILES) >= 45
    assert {path.parent.name for path in FILES} == CONNECTORS
    services = Counter(_read(path)["logsource"].get("service") for path in FILES)
    assert services["auditd"] >= 2


def test_the_pack_holds_data_only() -> None:
    assert [path for path in RULES.rglob("*") if path.is_file() and path.suffix != ".yml"] == []


def test_every_rule_loads_and_ids_and_titles_are_distinct(pack: RuleSet) -> None:
    assert pack.problems == ()
    assert len(pack.rules) == len(FILES)
    assert len({found.rule.title for found in pack.rules}) == len(FILES)


def test_every_test_inside_every_rule_passes(pack: RuleSet) -> None:
    results = run_tests(pack)
    failed = [f"{r.rule.path}:{r.line} {r.name}: {r.reason}" for r in results if not r.passed]
    assert failed == []
    assert len(results) >= 2 * len(FILES)


def test_every_rule_is_answered_for_by_a_lane(pack: RuleSet) -> None:
    lanes = Normalizer([load_mapping(path) for path in mapping_paths()]).lanes
    deaf = [
        found.rule.path
        for found in pack.rules
        if not any(lane.accepts(found.rule.logsource) for lane in lanes)
    ]
    assert deaf == []


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_rule_says_what_an_analyst_needs(path: Path) -> None:
    rule = _read(path)
    assert uuid.UUID(rule["id"]).version == 4
    assert 10 <= len(rule["title"]) <= 100
    assert not rule["title"].endswith(".")
    assert len(rule["description"]) >= 60, "say why it matters"
    assert rule["status"] in {"stable", "test", "experimental"}
    assert rule["level"] in {"informational", "low", "medium", "high", "critical"}
    assert rule["author"] == "Tocsin"
    assert rule["falsepositives"]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_rule_is_tagged_with_tactic_and_technique_or_as_operations(path: Path) -> None:
    rule = _read(path)
    tags = rule["tags"]
    if "tocsin.operations" in tags:
        return
    techniques = [tag for tag in tags if re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", tag)]
    tactics = [tag for tag in tags if tag.removeprefix("attack.") in TACTICS]
    assert techniques
    assert tactics
    assert len(techniques) + len(tactics) == len(tags)
    for technique in techniques:
        page = technique.removeprefix("attack.").upper().replace(".", "/")
        assert f"https://attack.mitre.org/techniques/{page}/" in rule["references"]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_rule_guides_and_proves_itself(path: Path) -> None:
    ours = _read(path)["tocsin"]
    assert set(ours["entity"]) <= {kind.value for kind in EntityKind}
    assert ours["entity"]
    assert 2 <= len(ours["questions"]) <= 4
    assert all(question.endswith("?") for question in ours["questions"])
    assert ours["response"]
    assert {test["expect"] for test in ours["tests"]} == {"match", "silent"}


def _read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
