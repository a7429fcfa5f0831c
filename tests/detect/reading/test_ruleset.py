"""Loading folders of rules, with and without what was compiled before."""

from pathlib import Path

import pytest

from tests.detect.rule_texts import ID, rule_text
from tocsin.detect.reading import rule_reading
from tocsin.detect.reading.reading_on_demand import Pipelines
from tocsin.detect.reading.rule_reading import read_rules
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.rule_draft import Read

SECOND = "5f0b7f3e-0000-4000-8000-000000000002"
DETECTION = (
    "  s:\n    Image|endswith: ['\\a.exe', 'b*c', 'd?e']\n    EventID: 4624\n    Ip|cidr: 10.0.0.0/8\n"
    "    Other|re|i: x+\n    When|hour|gte: 3\n    Gone: null\n  k: [word, 5]\n"
    "  condition: s or not k"
)
TESTS = "tocsin:\n  tests:\n    - {name: n, expect: match, event: {EventID: 1, a: [1, b]}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rules = tmp_path / "rules"
    (rules / "deep").mkdir(parents=True)
    (rules / "a.yml").write_text(rule_text(DETECTION, extra=TESTS), encoding="utf-8")
    (rules / "deep" / "b.yaml").write_text(rule_text(DETECTION, rule_id=SECOND), encoding="utf-8")
    (rules / "broken.yml").write_text("title: ]", encoding="utf-8")
    (rules / "readme.md").write_text("not a rule", encoding="utf-8")
    return rules


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that had to be parsed."""
    names: list[str] = []

    def counting(text: str, path: str, pipelines: Pipelines = ()) -> list[Read]:
        names.append(Path(path).name)
        return read_rules(text, path, pipelines)

    monkeypatch.setattr(rule_reading, "read_rules", counting)
    return names


def test_a_folder_is_read_with_all_below_it_and_progress_is_told(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = load_rules([folder], on_progress=lambda done, total: seen.append((done, total)))
    assert [one.rule.id for one in found.rules] == [ID, SECOND]
    assert [(Path(p.path).name, p.line) for p in found.problems] == [("broken.yml", 1)]
    assert seen[0] == (0, 3)
    assert seen[-1] == (3, 3)
    assert found.by_id(SECOND) is found.rules[1]
    assert found.by_id("unknown") is None


def test_a_second_load_parses_nothing_and_gives_the_same(
    folder: Path, tmp_path: Path, parsed: list[str]
) -> None:
    first = load_rules([folder], cache=tmp_path / "cache")
    assert sorted(parsed) == ["a.yml", "b.yaml", "broken.yml"]
    parsed.clear()
    assert load_rules([folder], cache=tmp_path / "cache") == first
    assert parsed == []
    assert first == load_rules([folder])


def test_only_a_changed_file_is_parsed_again(
    folder: Path, tmp_path: Path, parsed: list[str]
) -> None:
    load_rules([folder], cache=tmp_path / "cache")
    parsed.clear()
    changed = rule_text("  s: {Image: new}\n  condition: s")
    (folder / "a.yml").write_text(changed, encoding="utf-8")
    found = load_rules([folder], cache=tmp_path / "cache")
    assert parsed == ["a.yml"]
    assert found.rules[0].rule.source_text == changed


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"form": 1, "entries": {"x": 1}}', b'{"form": 0}']
)
def test_a_damaged_cache_costs_time_and_nothing_else(
    folder: Path, tmp_path: Path, damage: bytes
) -> None:
    expected = load_rules([folder], cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(damage)
    assert load_rules([folder], cache=tmp_path / "cache") == expected


def test_entries_of_another_shape_are_compiled_again(folder: Path, tmp_path: Path) -> None:
    expected = load_rules([folder], cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b'"endswith"', b'"beginswith"'))
    assert load_rules([folder], cache=tmp_path / "cache") == expected


def test_a_cache_that_cannot_be_written_is_done_without(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert load_rules([folder], cache=tmp_path / "file").rules


def test_of_rules_with_one_id_the_one_in_use_wins(tmp_path: Path) -> None:
    detection = "  s: {Image: a}\n  condition: s"
    retired = rule_text(detection).replace("status: test", "status: deprecated")
    (tmp_path / "a.yml").write_text(retired, encoding="utf-8")
    (tmp_path / "b.yml").write_text(rule_text(detection), encoding="utf-8")
    found = load_rules([tmp_path])
    assert [Path(one.rule.path).name for one in found.rules] == ["b.yml"]
    (problem,) = found.problems
    assert Path(problem.path).name == "a.yml"
    assert "b.yml" in problem.reason


def test_what_is_no_file_or_no_text_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "latin.yml").write_bytes(b"title: caf\xe9\n")
    found = load_rules([tmp_path, tmp_path / "nowhere"])
    assert not found.rules
    reasons = {Path(problem.path).name: problem.reason for problem in found.problems}
    assert "UTF-8" in reasons["latin.yml"]
    assert "no such file" in reasons["nowhere"]


def test_no_folders_make_an_empty_rule_set() -> None:
    assert load_rules([]) == RuleSet()
