"""Recorded attacks, from the file to the verdict, against two other opinions."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.detect.recordings import batches, evtx, mordor, normalizer
from tests.detect.second_opinions import NOT_READ, explained, opinions, reference
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.oracle import matches

pytestmark = pytest.mark.slow

Hits = Counter[tuple[str, str]]
KNOWN = opinions()


class Counting:
    """An engine over the rules: what it plans for the first files is there for the others."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules, self._engine, self._shapes = rules, Engine(rules), normalizer()

    def __call__(self, files: Iterable[tuple[str, Path]]) -> Hits:
        """Hits by rule id and file; the oracle says yes to each of them."""
        found: Hits = Counter()
        for name, file in files:
            for batch in batches(file, self._shapes):
                for hit in self._engine.evaluate(batch):
                    found[hit.rule.id, name] += len(hit.rows)
                    one = self._rules.by_id(hit.rule.id)
                    assert one is not None
                    assert all(matches(one, record) for record in batch.native_rows(hit.rows)), name
        return found


@pytest.fixture(scope="module")
def counted(corpus: RuleSet) -> Counting:
    return Counting(corpus)


def differing(found: Hits, expected: dict[tuple[str, str], int]) -> set[tuple[str, str]]:
    """Rules and files on which the second engine, where it says anything, counts otherwise."""
    told = {rule_id for rule_id, _ in expected} | set(KNOWN.rules)
    return {
        key for key in {*found, *expected} if key[0] in told and found[key] != expected.get(key, 0)
    }


def unexplained(found: Hits, expected: dict[tuple[str, str], int]) -> set[tuple[str, str]]:
    return {key for key in differing(found, expected) if not explained(*key, KNOWN)}


def test_every_rule_with_a_sample_fires_on_it_as_often_as_its_authors_say(
    test_data: Path, tmp_path: Path, counted: Counting
) -> None:
    source = test_data / "sigma-regression"
    found = counted(evtx(source / "samples.tar.xz", tmp_path))
    lines = (source / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    expected = [json.loads(line) for line in lines]
    short = {
        row["rule_path"]: (found[row["rule_id"], row["sample"]], row["reference_count"])
        for row in expected
        if found[row["rule_id"], row["sample"]] < (row["match_count_min"] or 1)
        or found[row["rule_id"], row["sample"]] != row["reference_count"]
    }
    assert len(expected) == 49
    assert not short
    second = reference(source / "sigma_reference_hits.jsonl.xz")
    assert not unexplained(found, second)
    assert sum(found[key] == hits for key, hits in second.items()) == len(second)


def test_every_difference_on_attack_samples_has_been_looked_into(
    test_data: Path, tmp_path: Path, counted: Counting
) -> None:
    source = test_data / "evtx-attack-samples"
    found = counted(evtx(source / "evtx.tar.xz", tmp_path))
    expected = reference(source / "sigma_reference_hits.jsonl.xz")
    assert not unexplained(found, expected)
    assert sum(found[key] == hits for key, hits in expected.items()) >= 409


def test_every_difference_on_lab_recordings_has_been_looked_into(
    test_data: Path, tmp_path: Path, counted: Counting
) -> None:
    source = test_data / "security-datasets"
    found = counted(mordor(source, tmp_path))
    expected = reference(source / "sigma_reference_hits.jsonl.xz")
    assert not unexplained(found, expected)
    assert sum(found[key] == hits for key, hits in expected.items()) >= 111
    assert not any(file.endswith(NOT_READ) for _, file in expected)
    assert any(file.endswith(NOT_READ) for _, file in found)
