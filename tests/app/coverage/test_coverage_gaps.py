"""Gaps are ranked by use, by the sources that show them and by known rules, and say so in words."""

import lzma
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.places import REPOSITORY
from tocsin.app.coverage.attack_prevalence import attack_figures, log_sources
from tocsin.app.coverage.coverage_gaps import CoverageGap, HouseView, gaps_of
from tocsin.app.home.shipped import open_normalizer
from tocsin.detect.explaining.reach import Obstacle, Reach
from tocsin.model.lane import Lane, LogSource
from tocsin.model.rule import Rule
from tocsin.model.severity import Level

HOME = Path("/house")
PROCESSES = LogSource(product="windows", category="process_creation")


@pytest.fixture(scope="module")
def lanes() -> list[Lane]:
    return list(open_normalizer().lanes)


def known(number: int, technique: str, path: str = "", level: Level = Level.HIGH) -> Rule:
    return Rule(
        id=f"rule-{number}",
        title=f"Rule {number}",
        level=level,
        path=path,
        tags=(f"attack.{technique.lower()}",),
        techniques=(technique,),
        logsource=PROCESSES,
    )


def gaps(
    lanes: list[Lane], *rules: Rule, verdicts: dict[str, Reach] | None = None
) -> dict[str, CoverageGap]:
    fields = {"windows.process_creation": {"ws-1": frozenset({"Image"}), "ws-2": frozenset()}}
    found = gaps_of({"T1547.001"}, HouseView(rules, verdicts or {}, lanes, fields, HOME))
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    return {one.technique: one for one in found}


def test_a_gap_says_who_uses_it_which_sources_show_it_and_which_rules_are_known(
    lanes: list[Lane],
) -> None:
    pack = f"{HOME}/packs/sigmahq/abc/rule.yml"
    found = gaps(lanes, known(1, "T1059.001", pack), known(2, "T1059.001", pack), known(3, "T1105"))
    powershell = found["T1059.001"]
    facts = attack_figures().techniques["T1059.001"]
    assert powershell.uses == facts.uses
    assert powershell.used == (
        f"used by {facts.groups} groups, {facts.software} pieces of software "
        f"and {facts.campaigns} campaigns"
    )
    assert powershell.shown == "your Windows process events would show it (2 sources)"
    assert powershell.known == "2 known rules, of sigmahq"
    assert powershell.because == "“Rule 1” would find it and is not in force"
    mixed = gaps(lanes, known(1, "T1105", pack), known(2, "T1105", pack), known(3, "T1105"))
    assert mixed["T1105"].known == "3 known rules: 2 of sigmahq and 1 shipped"
    assert found["T1105"].known == "1 known rule, shipped"


def test_more_use_and_more_known_rules_rank_higher(lanes: list[Lane]) -> None:
    found = gaps(lanes, *(known(number, "T1105") for number in range(9)), known(9, "T1082"))
    assert found["T1105"].score > found["T1082"].score > found["T1057"].score
    rare = min(attack_figures().techniques.items(), key=lambda one: one[1].uses)[0]
    told = gaps(lanes, known(1, "T1082"), known(2, rare))
    assert told["T1082"].score > told[rare].score


def test_what_is_used_and_would_be_seen_is_a_gap_though_no_rule_is_known(
    lanes: list[Lane],
) -> None:
    found = gaps(lanes)["T1105"]
    assert (found.rules, found.known) == ((), "no rule is known")
    assert found.tactics == ("command-and-control",)
    assert "tocsin rules new" in found.because


def test_what_is_covered_or_shown_by_nothing_that_sends_is_no_gap(lanes: list[Lane]) -> None:
    found = gaps(lanes, known(1, "T1547.001"))
    assert "T1547.001" not in found
    assert "T1110.003" not in found, "no sign-in is sent"


def test_a_technique_that_got_another_id_has_the_figures_of_the_ids_it_replaces(
    lanes: list[Lane],
) -> None:
    figures = attack_figures().techniques
    old = [figures[one] for one in ("T1562", "T1562.001", "T1562.006")]
    new = figures["T1685"]
    assert max(one.groups for one in old) <= new.groups <= sum(one.groups for one in old)
    found = gaps(lanes)
    assert "T1685" in found
    assert "T1562.001" not in found


def test_a_technique_that_is_newer_than_the_figures_says_so(lanes: list[Lane]) -> None:
    found = gaps(lanes, known(1, "T1687"))["T1687"]
    assert found.uses is None
    assert found.used == "not in ATT&CK 18, so how much it is used is not known"


def test_the_nearest_rule_is_one_that_waits_for_nothing(lanes: list[Lane]) -> None:
    held = Reach("rule-1", Obstacle.UNSEEN_FIELD, "needs OriginalFileName, never seen")
    rules = (known(1, "T1105", level=Level.CRITICAL), known(2, "T1105", level=Level.LOW))
    assert gaps(lanes, *rules, verdicts={"rule-1": held})["T1105"].rules == ("rule-2", "rule-1")
    alone = gaps(lanes, rules[0], verdicts={"rule-1": held})["T1105"]
    assert alone.because == "“Rule 1”: needs OriginalFileName, never seen"


def test_each_log_source_is_one_that_some_connector_sends(lanes: list[Lane]) -> None:
    unknown = {
        key
        for key, one in log_sources().items()
        if not any(lane.accepts(one.asks) for lane in lanes)
    }
    assert unknown == set()
    assert {key for one in attack_figures().techniques.values() for key in one.shown} <= set(
        log_sources()
    )


def test_counting_again_gives_the_shipped_figures(test_data: Path, tmp_path: Path) -> None:
    script = REPOSITORY / "scripts" / "attack_prevalence.py"
    bundle = test_data / "attack-stix" / "enterprise-attack.json.xz"
    again = tmp_path / "prevalence.yml"
    subprocess.run(  # noqa: S603
        [sys.executable, script, bundle, "--attack", "18", "--output", again], check=True
    )
    shipped = REPOSITORY / "src" / "tocsin" / "content" / "attack" / "prevalence.yml"
    assert again.read_text(encoding="utf-8") == shipped.read_text(encoding="utf-8")


def test_what_is_gone_is_not_counted_and_renumbered_users_count_once(tmp_path: Path) -> None:
    def named(kind: str, number: int, **more: object) -> dict[str, object]:
        return {"type": kind, "id": f"{kind}--{number}", "modified": "2025-11-01", **more}

    def technique(number: int, external: str) -> dict[str, object]:
        return named(
            "attack-pattern",
            number,
            external_references=[{"source_name": "mitre-attack", "external_id": external}],
            kill_chain_phases=[{"phase_name": "defense-evasion"}],
        )

    renumbered = ["T1656", "T1672", "T1562", "T1562.001", "T1562.006", "T1562.002", "T1562.008"]
    renumbered += ["T1562.011", "T1562.012", "T1070.001", "T1070.002", "T1562.004", "T1562.007"]
    renumbered += ["T1562.013", "T1562.009", "T1562.010", "T1562.003"]
    objects = [technique(number, one) for number, one in enumerate(renumbered)]
    objects += [named("intrusion-set", 1), named("malware", 1, revoked=True), named("tool", 1)]
    uses = [("intrusion-set--1", 2), ("intrusion-set--1", 3), ("malware--1", 2), ("tool--1", 3)]
    for number, (who, what) in enumerate(uses):
        told = {"source_ref": who, "target_ref": f"attack-pattern--{what}"}
        objects.append(named("relationship", number, relationship_type="uses", **told))
    bundle, written = tmp_path / "bundle.json.xz", tmp_path / "out.yml"
    bundle.write_bytes(lzma.compress(orjson.dumps({"objects": objects})))
    script = REPOSITORY / "scripts" / "attack_prevalence.py"
    subprocess.run(  # noqa: S603
        [sys.executable, script, bundle, "--attack", "18", "--output", written], check=True
    )
    text = written.read_text(encoding="utf-8")
    assert "  T1685: {groups: 1, software: 1, campaigns: 0, " in text
    assert "  T1562: {groups: 1, software: 0, campaigns: 0, " in text
