"""Recorded attacks, from the file to the verdict, against two other opinions."""

import json
import lzma
import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tocsin.connectors.catalog import mapping_paths
from tocsin.detect.engine import Engine
from tocsin.detect.oracle import matches
from tocsin.detect.ruleset import RuleSet
from tocsin.ingest.decode import decode
from tocsin.ingest.files import read_paths
from tocsin.model.event import EventBatch
from tocsin.model.record import Origin, RawBatch
from tocsin.normalize.mapping import load_mapping
from tocsin.normalize.normalizer import Normalizer

pytestmark = pytest.mark.slow

LOOKED_INTO = {
    "3a9b8c1e-5b2e-4f7a-9d1c-2a7f3b6e1c55": "Sysmon 12 tells creation and deletion of keys apart by"
    " EventType; the other engine takes every 12 for a deletion",
    "bafd07c6-3ea5-454a-b4be-058fbb073de7": "the other engine has no field references",
    "c7c8aa1c-5aff-408e-828b-998e3620b341": "the other engine looks for two backslashes in the JSON"
    " text of a list, where every one is written twice",
    "ed74fe75-7594-4b4b-ae38-e38e3fd2eb23": "Security 5156 answers for network connections here",
}
"""Rules on which the reference engine differs, and why we keep our verdict."""


@pytest.fixture(scope="session")
def rules(sigma_rules: RuleSet) -> RuleSet:
    """The rules that are in use: neither retired nor with placeholders."""
    corpus = {"rules", "rules-emerging-threats", "rules-threat-hunting"}
    kept = (one for one in sigma_rules.rules if corpus & set(Path(one.rule.path).parts))
    return RuleSet(tuple(kept))


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive, "r:xz") as packed:
        packed.extractall(folder, filter="data")
    return folder


def batches(file: Path, normalizer: Normalizer) -> Iterator[EventBatch]:
    for cut in read_paths([file], None, datetime(2026, 1, 1, tzinfo=UTC)):
        if isinstance(cut, RawBatch):
            origin = Origin(cut.source, cut.received_at, "test", 0, place=str(file))
            yield from normalizer.normalize(decode(cut), origin)


def normalizer() -> Normalizer:
    return Normalizer([load_mapping(path) for path in mapping_paths()])


def counted(folder: Path, rules: RuleSet) -> Counter[tuple[str, str]]:
    """Hits by rule id and file (relative to the folder)."""
    engine, shapes = Engine(rules), normalizer()
    found: Counter[tuple[str, str]] = Counter()
    for file in sorted(folder.rglob("*.evtx")):
        for batch in batches(file, shapes):
            for hit in engine.evaluate(batch):
                found[hit.rule.id, str(file.relative_to(folder))] += len(hit.rows)
    return found


def reference(path: Path) -> dict[tuple[str, str], int]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {(row["rule_id"], row["file"]): row["hits"] for row in rows if row.get("rule_id")}


def test_every_rule_with_a_sample_fires_on_it_as_often_as_its_authors_say(
    test_data: Path, tmp_path: Path, rules: RuleSet
) -> None:
    source = test_data / "sigma-regression"
    found = counted(unpacked(source / "samples.tar.xz", tmp_path), rules)
    lines = (source / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    expected = [json.loads(line) for line in lines]
    short = {
        row["rule_path"]: (found[row["rule_id"], row["sample"]], row["reference_count"])
        for row in expected
        if found[row["rule_id"], row["sample"]] < (row["match_count_min"] or 1)
        or found[row["rule_id"], row["sample"]] != row["reference_count"]
    }
    assert expected
    assert not short


def test_every_disagreement_with_a_second_engine_has_been_looked_into(
    test_data: Path, tmp_path: Path, rules: RuleSet
) -> None:
    source = test_data / "evtx-attack-samples"
    found = counted(unpacked(source / "evtx.tar.xz", tmp_path), rules)
    expected = reference(source / "sigma_reference_hits.jsonl.xz")
    known = {rule_id for rule_id, _ in expected} | set(LOOKED_INTO)
    differing = {
        rule_id
        for rule_id, file in {*found, *expected}
        if rule_id in known and found[rule_id, file] != expected.get((rule_id, file), 0)
    }
    assert differing <= set(LOOKED_INTO)
    assert sum(found[key] == hits for key, hits in expected.items()) >= 400


def test_recorded_attacks_get_the_oracles_verdict_event_by_event(
    test_data: Path, tmp_path: Path, rules: RuleSet
) -> None:
    folder = unpacked(test_data / "evtx-attack-samples" / "evtx.tar.xz", tmp_path)
    engine, shapes = Engine(rules), normalizer()
    compared = 0
    for file in sorted(folder.rglob("*.evtx"))[::9]:
        for batch in batches(file, shapes):
            hits = {hit.rule.id: set(hit.rows) for hit in engine.evaluate(batch)}
            rows = sorted(
                {*range(0, len(batch), 5), *(row for hit in hits.values() for row in hit)}
            )
            records = batch.native_rows(rows[:60])
            for one in rules.rules:
                if batch.lane.accepts(one.rule.logsource):
                    for row, record in zip(rows, records, strict=False):
                        assert matches(one, record) == (row in hits.get(one.rule.id, ()))
                        compared += 1
    assert compared > 20_000
