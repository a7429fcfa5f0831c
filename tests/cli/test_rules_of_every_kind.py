"""``tocsin rules`` with correlations, filters, pipelines and EQL."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.detect.rule_texts import ID, rule_text

Tocsin = Callable[..., Ran]
OVER = "5f0b7f3e-0000-4000-8000-00000000000c"
FILTER = "5f0b7f3e-0000-4000-8000-00000000000f"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    base = rule_text(
        "  s: {Image: a}\n  condition: s", extra="name: a\nreferences: [https://x.example]\n"
    )
    over = (
        f"title: Several\nid: {OVER}\nstatus: test\nlevel: high\ndescription: d\n"
        "tags: [attack.t1110]\n"
        "correlation: {type: event_count, rules: [a], timespan: 1h, condition: {gte: 2}}\n"
    )
    kept = (
        f"title: Ours\nid: {FILTER}\ndescription: d\nlogsource: {{product: windows}}\n"
        "filter: {rules: [a], s: {User: svc}, condition: not s}\n"
    )
    for name, text in (("a", base), ("b", over), ("c", kept)):
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


def test_the_list_tells_kind_filters_and_what_a_rule_takes(tocsin: Tocsin, rules: Path) -> None:
    by_id = {one["id"]: one for one in tocsin("rules", "list", rules, "--json").json}
    assert set(by_id) == {ID, OVER}
    assert (by_id[ID]["kind"], by_id[ID]["silent"]) == ("sigma", True)
    assert by_id[ID]["references"] == ["https://x.example"]
    assert [one["title"] for one in by_id[ID]["filters"]] == ["Ours"]
    assert (by_id[OVER]["kind"], by_id[OVER]["rules"]) == ("correlation", [ID])
    assert by_id[OVER]["logsource"]["product"] == "windows"
    assert "Several" in tocsin("rules", "list", rules, "--kind", "correlation").out


def test_lint_takes_pipelines_and_asks_for_tests_only_on_demand(
    tocsin: Tocsin, rules: Path, tmp_path: Path
) -> None:
    assert tocsin("rules", "lint", rules, "--json").json == []
    asked = tocsin("rules", "lint", rules, "--tests", "--json")
    assert len(asked.json) == 2
    pipeline = tmp_path / "p.yml"
    pipeline.write_text("transformations: [{type: nonsense}]")
    told = tocsin("rules", "lint", rules, "--pipeline", pipeline, "--json")
    assert ["nonsense" in one["reason"] for one in told.json] == [True]
    assert tocsin("rules", "list", rules, "--pipeline", tmp_path / "gone").code == 3


def test_eql_is_imported_to_a_file_that_lints(tocsin: Tocsin, tmp_path: Path) -> None:
    query = tmp_path / "query.eql"
    query.write_text('sequence with maxspan=1m [file where a : "x"] [process where true]')
    printed = tocsin("rules", "import-eql", query, "--title", "Two steps", "--level", "high")
    assert printed.code == 0, printed.err
    assert "type: temporal_ordered" in printed.out
    target = tmp_path / "imported" / "rule.yml"
    target.parent.mkdir()
    assert tocsin("rules", "import-eql", query, "--output", target).code == 0
    assert tocsin("rules", "import-eql", query, "--output", target).code == 3
    kinds = [one["kind"] for one in tocsin("rules", "list", target.parent, "--json").json]
    assert sorted(kinds) == ["correlation", "sigma", "sigma"]


def test_eql_that_cannot_be_carried_over_is_refused(tocsin: Tocsin) -> None:
    told = tocsin("rules", "import-eql", "process where length(a) > 1")
    assert told.code == 2
    assert "line 1, column 15" in told.err
