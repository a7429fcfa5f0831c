"""Every shipped rule is whole, can match what we receive, and passes its own tests."""

import re
import uuid
from collections import Counter
from pathlib import Path

import pytest
import yaml

import tocsin
from tocsin.connectors.catalog import mapping_paths
from tocsin.detect.authoring.rule_tests import run_tests
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.model.entity import EntityKind
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer

RULES = Path(tocsin.__file__).parent / "content" / "rules"
FILES = sorted(RULES.rglob("*.yml"))
DOCUMENTS = [
    (
        f"{path.relative_to(RULES).with_suffix('')}#{place}"
        if place
        else str(path.relative_to(RULES).with_suffix("")),
        one,
    )
    for path in FILES
    for place, one in enumerate(
        yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    )
]
"""Every document of the pack by file, and by its place in it from the second on."""
TOLD = [(name, one) for name, one in DOCUMENTS if "tocsin" in one]
"""Those that make findings; the others are building blocks that correlations count."""
MATCHES = [one for _, one in DOCUMENTS if "detection" in one]
TACTICS = {
    *("reconnaissance", "resource-development", "initial-access", "execution", "persistence"),
    *("privilege-escalation", "stealth", "defense-impairment", "credential-access", "discovery"),
    *("lateral-movement", "collection", "command-and-control", "exfiltration", "impact"),
}
CONNECTORS = {
    *("windows", "linux", "aws", "zeek", "suricata", "webserver", "okta", "kubernetes", "github"),
    *("tocsin", "database"),
}


@pytest.fixture(scope="module")
def pack() -> RuleSet:
    return load_rules([RULES])


def test_the_pack_is_large_enough_and_covers_every_connector() -> None:
    assert len(MATCHES) >= 300
    tags = {tag for one in MATCHES for tag in one.get("tags", ())}
    techniques = {tag[8:13] for tag in tags if re.match(r"attack\.t\d{4}", tag)}
    assert len(techniques) >= 100
    assert {path.parent.name for path in FILES} == CONNECTORS
    services = Counter(one["logsource"].get("service") for one in MATCHES)
    assert services["auditd"] >= 2


def test_the_pack_holds_data_only() -> None:
    assert [path for path in RULES.rglob("*") if path.is_file() and path.suffix != ".yml"] == []


def test_every_rule_loads_and_ids_and_titles_are_distinct(pack: RuleSet) -> None:
    assert pack.problems == ()
    assert len(pack.rules) == len(MATCHES)
    assert len({rule.title for rule in pack.all_rules()}) == len(DOCUMENTS)


def test_what_makes_no_findings_is_counted_by_a_rule_that_does(pack: RuleSet) -> None:
    blocks = {one["id"] for name, one in DOCUMENTS if "tocsin" not in one}
    new_terms = {one["id"] for _, one in TOLD if "new_terms" in one}
    assert pack.silent == blocks | new_terms


def test_every_test_inside_every_rule_passes(pack: RuleSet) -> None:
    results = run_tests(pack)
    failed = [f"{r.rule.path}:{r.line} {r.name}: {r.reason}" for r in results if not r.passed]
    assert failed == []
    assert len(results) >= 2 * sum("detection" in one and "new_terms" not in one for _, one in TOLD)


def test_every_rule_is_answered_for_by_a_lane(pack: RuleSet) -> None:
    lanes = Normalizer([load_mapping(path) for path in mapping_paths()]).lanes
    deaf = [
        found.rule.path
        for found in pack.rules
        if not any(lane.accepts(found.rule.logsource) for lane in lanes)
    ]
    assert deaf == []


@pytest.mark.parametrize("rule", [one for _, one in DOCUMENTS], ids=[name for name, _ in DOCUMENTS])
def test_a_rule_is_whole(rule: dict) -> None:
    says_what_it_is(rule)
    if "tocsin" in rule:
        says_what_an_analyst_needs(rule)
        is_tagged_with_tactic_and_technique_or_as_operations(rule)
        guides_and_proves_itself(rule)


def says_what_it_is(rule: dict) -> None:
    assert uuid.UUID(rule["id"]).version == 4
    assert 10 <= len(rule["title"]) <= 100
    assert not rule["title"].endswith(".")
    assert rule["status"] in {"stable", "test", "experimental"}
    assert rule["level"] in {"informational", "low", "medium", "high", "critical"}
    assert rule["author"] == "Tocsin"


def says_what_an_analyst_needs(rule: dict) -> None:
    assert len(rule["description"]) >= 60, "say why it matters"
    assert rule["falsepositives"]


def is_tagged_with_tactic_and_technique_or_as_operations(rule: dict) -> None:
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


def guides_and_proves_itself(rule: dict) -> None:
    ours = rule["tocsin"]
    assert set(ours["entity"]) <= {kind.value for kind in EntityKind}
    assert ours["entity"]
    assert 2 <= len(ours["questions"]) <= 4
    assert all(question.endswith("?") for question in ours["questions"])
    assert ours["response"]
    if "health" not in rule:  # judged by measurements, not by events
        assert {test["expect"] for test in ours["tests"]} == {"match", "silent"}
