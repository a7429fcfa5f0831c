"""Processing pipelines of pySigma change rules before they are compiled."""

from pathlib import Path

import pytest

from tests.detect.rule_texts import rule_text
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.matcher import matchers_in
from tocsin.detect.rules.oracle import matches
from tocsin.detect.rules.stateful_rule import CorrelationRule, NewTermsRule

A = "5f0b7f3e-0000-4000-8000-00000000000a"
RENAMES = """
name: ours
priority: 10
vars:
  admins: [root, 'adm*']
transformations:
  - id: names
    type: field_name_mapping
    mapping: {Image: process.path, User: user.name}
    rule_conditions:
      - {type: logsource, category: process_creation}
  - type: value_placeholders
"""


def load(tmp_path: Path, pipelines: list[str], *texts: str) -> RuleSet:
    """The rule set of files through the pipelines, the same with a cold and a warm cache."""
    rules = tmp_path / "rules"
    rules.mkdir(exist_ok=True)
    for at, text in enumerate(texts):
        (rules / f"{at}.yml").write_text(text, encoding="utf-8")
    files = []
    for at, text in enumerate(pipelines):
        files.append(tmp_path / f"pipeline{at}.yml")
        files[-1].write_text(text, encoding="utf-8")
    first = load_rules([rules], cache=tmp_path / "cache", pipelines=files)
    assert load_rules([rules], cache=tmp_path / "cache", pipelines=files) == first
    return first


def base(detection: str, extra: str = "name: a\n") -> str:
    return rule_text(f"  s: {{{detection}}}\n  condition: s", rule_id=A, extra=extra)


def test_fields_are_renamed_and_placeholders_get_their_values(tmp_path: Path) -> None:
    found = load(tmp_path, [RENAMES], base("Image: cmd.exe, 'User|expand': '%admins%'"))
    assert not found.problems
    (rule,) = found.rules
    assert {one.field for one in matchers_in(rule.condition)} == {"process.path", "user.name"}
    assert matches(rule, {"process": {"path": "CMD.exe"}, "user": {"name": "adm_1"}})
    assert not matches(rule, {"process": {"path": "cmd.exe"}, "user": {"name": "eve"}})
    assert not matches(rule, {"Image": "cmd.exe", "User": "root"})


@pytest.mark.parametrize("modifiers", ["expand", "re|expand"])
def test_a_placeholder_without_a_value_is_refused_with_the_pipeline_that_would_give_it_one(
    tmp_path: Path, modifiers: str
) -> None:
    rule = base(f"'User|{modifiers}': '%admins%'")
    (problem,) = load(tmp_path, [], rule).problems
    assert "--pipeline" in problem.reason
    assert problem.line
    told = problem.reason.partition("the file being: ")[2]
    filled = told.replace("[VALUE]", "[root]")
    found = load(tmp_path, [filled], rule)
    assert not found.problems, "what it tells to write works"
    assert matches(found.rules[0], {"User": "root"})


def test_a_log_source_can_be_changed_and_conditions_added(tmp_path: Path) -> None:
    pipeline = (
        "transformations:\n"
        "  - {type: change_logsource, product: linux, service: auditd}\n"
        "  - {type: add_condition, conditions: {type: EXECVE}}\n"
    )
    (rule,) = load(tmp_path, [pipeline], base("Image: x")).rules
    assert (rule.rule.logsource.product, rule.rule.logsource.service) == ("linux", "auditd")
    assert matches(rule, {"Image": "x", "type": "execve"})
    assert not matches(rule, {"Image": "x"})


def test_pipelines_go_by_their_priority(tmp_path: Path) -> None:
    later = "priority: 20\ntransformations: [{type: field_name_mapping, mapping: {b: c}}]\n"
    sooner = "priority: 5\ntransformations: [{type: field_name_mapping, mapping: {Image: b}}]\n"
    (rule,) = load(tmp_path, [later, sooner], base("Image: x")).rules
    assert [one.field for one in matchers_in(rule.condition)] == ["c"]


def test_the_cache_keeps_each_set_of_pipelines_apart(tmp_path: Path) -> None:
    text = base("Image: x")
    plain = load(tmp_path, [], text)
    renamed = load(tmp_path, [RENAMES], text)
    other = load(tmp_path, [RENAMES.replace("process.path", "exe")], text)
    fields = [matchers_in(one.rules[0].condition)[0].field for one in (plain, renamed, other)]
    assert fields == ["Image", "process.path", "exe"]


def test_correlations_read_the_fields_of_each_rule_as_it_calls_them(tmp_path: Path) -> None:
    elsewhere = rule_text("  s: {x: y}\n  condition: s", extra="name: b\n").replace(
        "category: process_creation", "service: security"
    )
    over = (
        "title: c\ncorrelation:\n  type: value_count\n  rules: [a, b]\n  timespan: 1h\n"
        "  group-by: [User, who, Host]\n  aliases: {who: {a: Image, b: Image}}\n"
        "  condition: {field: User, gte: 2}\n"
    )
    found = load(tmp_path, [RENAMES], base("Image: x"), elsewhere, over)
    assert not found.problems
    (rule,) = found.stateful
    assert isinstance(rule, CorrelationRule)
    ours, theirs = rule.rules
    assert rule.aliases == {
        "User": {ours: "user.name", theirs: "User"},
        "who": {ours: "process.path", theirs: "Image"},
    }


def test_new_terms_and_indicators_follow_the_names(tmp_path: Path) -> None:
    terms = base("Image: x", "new_terms: {fields: [User, Image], window: 9d, group-by: Host}\n")
    indicator = (
        "title: i\nlogsource: {category: process_creation}\n"
        "indicator: {fields: Image, values: [bad.exe], kind: text}\n"
    )
    found = load(tmp_path, [RENAMES], terms, indicator)
    assert not found.problems
    (rule,) = found.stateful
    assert isinstance(rule, NewTermsRule)
    assert (rule.fields, rule.group_by) == (("user.name", "process.path"), ("Host",))
    assert matches(found.rules[1], {"process": {"path": "BAD.exe"}})


def test_a_filter_is_changed_as_part_of_the_rule_it_is_put_on(tmp_path: Path) -> None:
    wide = (
        "title: f\nlogsource: {product: windows}\n"
        "filter: {rules: any, s: {User: svc}, condition: not s}\n"
    )
    found = load(tmp_path, [RENAMES], base("Image: x"), wide)
    assert not found.problems
    (rule,) = found.rules
    assert len(rule.filters) == 1
    assert not matches(rule, {"process": {"path": "x"}, "user": {"name": "svc"}})
    assert matches(rule, {"process": {"path": "x"}, "User": "svc"})


@pytest.mark.parametrize(
    ("pipeline", "words", "line"),
    [
        ("transformations: [", "not valid YAML", 1),
        ("- a", "must be a map", 1),
        ("name: x\nnonsense: 1\n", "nonsense", 0),
        ("transformations: [{type: no_such}]", "no_such", 0),
        ("transformations: 5", "", 0),
        ("name: x\npostprocessing: [{type: embed, prefix: a}]", "text of queries", 2),
        ("a: " + "[" * 100, "within each other", 1),
        ("a: &a [*a]", "", 0),
        ("transformations: [{type: file_placeholders, filepath: /etc/passwd}]", "", 0),
    ],
)
def test_with_a_broken_pipeline_no_rule_is_loaded(
    tmp_path: Path, pipeline: str, words: str, line: int
) -> None:
    found = load(tmp_path, [pipeline], base("Image: x"))
    assert found.rules == ()
    (problem,) = found.problems
    assert Path(problem.path).name == "pipeline0.yml"
    assert words in problem.reason
    assert problem.line == line


def test_a_pipeline_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = load_rules([tmp_path], pipelines=[tmp_path / "gone.yml"])
    assert "gone.yml" in found.problems[0].path


@pytest.mark.parametrize(
    ("pipeline", "detection", "words"),
    [
        ("transformations: [{type: rule_failure, message: not here}]", "a: b", "not here"),
        ("transformations: [{type: field_name_mapping, mapping: {b: c}}]", "'a|fieldref|cased': b", "cased field reference"),
        ("transformations: [{type: query_expression_placeholders, expression: '{field} x {id}'}]", "'a|expand': '%x%'", "not supported"),
        ("vars: {y: z}\ntransformations: [{type: value_placeholders}]", "'a|expand': '%x%'", "x"),
        ("transformations: [{type: drop_detection_item}]", "a: b", ""),
    ],
)  # fmt: skip
def test_a_rule_that_a_pipeline_cannot_take_is_refused(
    tmp_path: Path, pipeline: str, detection: str, words: str
) -> None:
    found = load(tmp_path, [pipeline], base(detection))
    (problem,) = found.problems
    assert Path(problem.path).name == "0.yml"
    assert words in problem.reason
    assert found.rules == ()
