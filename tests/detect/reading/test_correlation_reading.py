"""Reading correlation and absence documents: what is kept, and what is refused where."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.detect.rule_texts import rule_text
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.stateful_rule import (
    Bound,
    Comparison,
    CorrelationRule,
    CorrelationType,
)
from tocsin.model.lane import LogSource
from tocsin.model.rule import RuleKind
from tocsin.model.severity import Level

A = "5f0b7f3e-0000-4000-8000-00000000000a"
B = "5f0b7f3e-0000-4000-8000-00000000000b"
C = "5f0b7f3e-0000-4000-8000-00000000000c"
D = "5f0b7f3e-0000-4000-8000-00000000000d"
DETECTION = "  s: {Image: a}\n  condition: s"
COUNT = "type: event_count, rules: [a], group-by: [User], timespan: 1h, condition: {gte: 10}"


def base(name: str, rule_id: str) -> str:
    return rule_text(DETECTION, rule_id=rule_id, extra=f"name: {name}\n")


def correlation(inside: str, rule_id: str = C, extra: str = "") -> str:
    return f"title: Several\nid: {rule_id}\ncorrelation: {{{inside}}}\n{extra}"


def load(tmp_path: Path, *texts: str) -> RuleSet:
    """The rule set of files ``0.yml``, ``1.yml`` and so on."""
    for at, text in enumerate(texts):
        (tmp_path / f"{at}.yml").write_text(text, encoding="utf-8")
    return load_rules([tmp_path])


def only(found: RuleSet) -> CorrelationRule:
    assert not found.problems
    (rule,) = found.stateful
    assert isinstance(rule, CorrelationRule)
    return rule


def test_a_correlation_keeps_all_that_is_written(tmp_path: Path) -> None:
    text = (
        f"title: Spray\nid: {C}\nname: spray\nlevel: high\nstatus: test\n"
        "tags: [attack.t1110.003]\n"
        "correlation:\n"
        "  type: value_count\n"
        "  rules: [a, " + B + "]\n"
        "  group-by: [source, Computer]\n"
        "  timespan: 90m\n"
        "  generate: true\n"
        "  aliases:\n    source: {a: IpAddress, b: src_ip}\n"
        "  condition: {field: [User, Domain], gt: 5, lte: 10}\n"
        "tocsin:\n  questions: [Who?]\n"
        "  tests:\n"
        "    - name: two\n      expect: 2 findings\n      events:\n"
        "        - {at: 0, rule: a, event: {User: x}}\n"
        "        - {at: 5m, rule: b, event: {User: y}}\n"
    )
    found = load(tmp_path, base("a", A), base("b", B), text)
    one = only(found)
    assert one.rule.kind is RuleKind.CORRELATION
    assert (one.rule.id, one.rule.level, one.name) == (C, Level.HIGH, "spray")
    assert one.rule.techniques == ("T1110.003",)
    assert one.rule.logsource == LogSource("windows", "process_creation")
    assert one.type is CorrelationType.VALUE_COUNT
    assert one.rules == (A, B)
    assert one.timespan == timedelta(minutes=90)
    assert one.group_by == ("source", "Computer")
    assert one.aliases == {"source": {A: "IpAddress", B: "src_ip"}}
    assert one.fields == ("User", "Domain")
    assert one.bounds == (Bound(Comparison.LESS_EQUAL, 10), Bound(Comparison.GREATER, 5))
    assert one.generate
    assert found.silent == frozenset()
    assert one.tests[0].findings == 2
    assert one.tests[0].events == ((0.0, "a", {"User": "x"}), (300.0, "b", {"User": "y"}))
    assert found.rule(C) is one.rule


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("10s", timedelta(seconds=10)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
        ("1w", timedelta(days=7)),
        ("1M", timedelta(seconds=2629746)),
        ("1y", timedelta(seconds=31556952)),
    ],
)
def test_every_unit_of_a_timespan_is_read(tmp_path: Path, text: str, span: timedelta) -> None:
    found = load(tmp_path, base("a", A), correlation(COUNT.replace("1h", text)))
    assert only(found).timespan == span


@pytest.mark.parametrize("kind", [k for k in CorrelationType if k is not CorrelationType.ABSENCE])
def test_every_type_of_sigma_is_read(tmp_path: Path, kind: CorrelationType) -> None:
    condition = "gte: 2"
    if kind.startswith("value"):
        condition += ", field: Size"
    if kind is CorrelationType.VALUE_PERCENTILE:
        condition += ", percentile: 95"
    inside = f"type: {kind}, rules: [a, b], timespan: 1h, condition: {{{condition}}}"
    one = only(load(tmp_path, base("a", A), base("b", B), correlation(inside)))
    assert one.type is kind
    assert one.percentile == (95 if kind is CorrelationType.VALUE_PERCENTILE else 50)


def test_a_temporal_correlation_needs_no_condition(tmp_path: Path) -> None:
    inside = "type: temporal, rules: [a, b], timespan: 1h, group-by: User"
    one = only(load(tmp_path, base("a", A), base("b", B), correlation(inside)))
    assert (one.bounds, one.group_by) == ((), ("User",))


def test_absence_is_read_like_a_correlation(tmp_path: Path) -> None:
    text = (
        f"title: No backup\nid: {C}\nabsence: {{rules: [a, b], group-by: [Host], timespan: 1d}}\n"
    )
    one = only(load(tmp_path, base("a", A), base("b", B), text))
    assert (one.type, one.rule.kind) == (CorrelationType.ABSENCE, RuleKind.ABSENCE)
    assert (one.rules, one.timespan) == ((A, B), timedelta(days=1))


def test_what_is_taken_gives_no_findings_unless_someone_asks(tmp_path: Path) -> None:
    chained = f"type: temporal_ordered, rules: [{C}, b], timespan: 1h, generate: true"
    outer = correlation(chained, D)
    found = load(tmp_path, outer, base("a", A), base("b", B), correlation(COUNT))
    assert not found.problems
    assert {one.rule.id for one in found.stateful} == {C, D}
    assert found.silent == {A}


def test_a_chained_correlation_is_silent_without_generate(tmp_path: Path) -> None:
    outer = correlation(f"type: temporal_ordered, rules: [{C}, b], timespan: 1h", D)
    found = load(tmp_path, outer, base("a", A), base("b", B), correlation(COUNT))
    assert found.silent == {A, B, C}


def test_generate_at_the_top_of_the_document_counts(tmp_path: Path) -> None:
    found = load(tmp_path, base("a", A), correlation(COUNT, extra="generate: true\n"))
    assert only(found).generate


def test_a_log_source_not_shared_by_all_is_left_open(tmp_path: Path) -> None:
    other = base("b", B).replace("category: process_creation", "service: system")
    inside = "type: temporal, rules: [a, b], timespan: 1h"
    one = only(load(tmp_path, base("a", A), other, correlation(inside)))
    assert one.rule.logsource == LogSource("windows")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("rules: [a]", "rules: [a, nobody]"), "nobody"),
        (("rules: [a]", "rules: []"), "at least one rule"),
        (("rules: [a]", f"rules: [a, {A}]"), "same rule"),
        (("rules: [a]", "rules: [a, a]"), "twice"),
        (("rules: [a]", f"rules: [{C}]"), "names itself"),
        (("timespan: 1h", "timespan: 1x"), "no timespan"),
        (("timespan: 1h", "timespan: 0m"), "no timespan"),
        (("timespan: 1h", "timespan: 90"), "no timespan"),
        (("timespan: 1h", "timespan: 999999y"), "ten years"),
        (("timespan: 1h, ", ""), "missing"),
        (("gte: 10", "above: 10"), "unknown key above"),
        (("gte: 10", "gte: many"), "number"),
        (("gte: 10", "gte: .nan"), "number"),
        (("gte: 10", "gt: 10, lt: 5"), "never hold"),
        (("gte: 10", "field: x, gte: 1"), "measures no field"),
        (("gte: 10", "gte: 1, percentile: 5"), "no percentile"),
        (("gte: 10", "field: x"), "at least one"),
        ((", condition: {gte: 10}", ""), "needs a condition"),
        (("{gte: 10}", "a and not b"), "absence"),
        (("type: event_count, ", ""), "type is missing"),
        (("event_count", "event_cuont"), "event_cuont"),
        (("event_count", "value_count"), "condition/field"),
        (("event_count", "absence"), "not known"),
        (("group-by: [User]", "group-by: [User, 5]"), "list of texts"),
        (("group-by: [User]", "group_by: [User]"), "unknown key group_by"),
        (("timespan: 1h", "timespan: 1h, aliases: {x: {a: f}}"), "used nowhere"),
        (("timespan: 1h", "timespan: 1h, aliases: {User: {b: f}}"), "none of the correlation's"),
        (("timespan: 1h", "timespan: 1h, aliases: {User: {}}"), "no field for a"),
        (("timespan: 1h", "timespan: 1h, aliases: {User: {a: 5}}"), "must be a text"),
        (("timespan: 1h", "timespan: 1h, generate: maybe"), "true or false"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    text = correlation(COUNT.replace(*change))
    assert change[0] in correlation(COUNT)
    found = load(tmp_path, base("a", A), base("b", B), text)
    (problem,) = found.problems
    assert words in problem.reason
    assert (Path(problem.path).name, problem.line, problem.rule_id) == ("2.yml", 3, C)
    assert found.stateful == ()
    assert found.silent == frozenset()


def test_the_line_is_that_of_the_name_that_is_not_known(tmp_path: Path) -> None:
    text = (
        f"title: Several\nid: {C}\ncorrelation:\n  type: temporal\n  rules:\n    - a\n    - gone\n"
        "  timespan: 1h\n"
    )
    (problem,) = load(tmp_path, base("a", A), text).problems
    assert problem.line == 7


def test_a_rule_that_was_refused_is_named_with_its_place(tmp_path: Path) -> None:
    broken = base("a", A).replace("Image", "Image|unheard")
    found = load(tmp_path, broken, correlation(COUNT.replace("[a]", f"[{A}]")))
    assert [("0.yml:9" in one.reason) for one in found.problems] == [False, True]


def test_cycles_are_refused_and_what_stands_on_them_too(tmp_path: Path) -> None:
    def over(rule_id: str, taken: str) -> str:
        return correlation(
            f"type: event_count, rules: [{taken}], timespan: 1h, condition: {{gte: 2}}", rule_id
        )

    e = "5f0b7f3e-0000-4000-8000-00000000000e"
    found = load(tmp_path, over(C, D), over(D, C), over(e, C), base("a", A))
    assert found.stateful == ()
    assert ["goes round" in one.reason for one in found.problems] == [True, True, False]
    assert "own problem" in found.problems[2].reason
    assert len(found.rules) == 1


def test_names_and_ids_given_twice_are_refused_across_kinds(tmp_path: Path) -> None:
    found = load(tmp_path, base("a", A), base("a", B), correlation(COUNT, A))
    assert [one.rule.id for one in found.rules] == [A]
    assert [
        "name is taken" in one.reason or "id is taken" in one.reason for one in found.problems
    ] == [True, True]
    assert all("0.yml" in one.reason for one in found.problems)


@pytest.mark.parametrize(
    ("test", "words"),
    [
        ("{expect: match}", "needs events"),
        ("{expect: many, events: []}", "must expect"),
        ("{expect: match, events: [{at: 1}]}", "needs an event"),
        ("{expect: match, events: [{at: soon, event: {}}]}", "seconds"),
        ("{expect: match, events: [{at: 1, rule: z, event: {}}]}", "z is no rule"),
        ("{expect: match, events: [{at: 1, event: {}}]}", "say of which rule"),
        ("{expect: match, events: [{at: 1, when: 2, event: {}}]}", "unknown key when"),
    ],
)
def test_tests_that_cannot_be_run_are_refused(tmp_path: Path, test: str, words: str) -> None:
    inside = "type: temporal, rules: [a, b], timespan: 1h"
    text = correlation(inside, extra=f"tocsin:\n  tests:\n    - {test}\n")
    (problem,) = load(tmp_path, base("a", A), base("b", B), text).problems
    assert words in problem.reason
    assert problem.line == 6


def test_the_cache_keeps_every_part(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    text = correlation(
        COUNT.replace("timespan: 1h", "timespan: 1h, aliases: {User: {a: f}}"),
        extra="tocsin:\n  tests:\n    - {expect: match, events: [{at: 1, event: {x: 1}}]}\n",
    )
    (rules / "a.yml").write_text(base("a", A) + "---\n" + text, encoding="utf-8")
    first = load_rules([rules], cache=tmp_path / "cache")
    assert not first.problems
    assert load_rules([rules], cache=tmp_path / "cache") == first
