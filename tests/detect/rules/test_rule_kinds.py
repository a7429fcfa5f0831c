"""The kinds of rules beyond Sigma: indicator, new terms, health."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.detect.rule_texts import ID, rule_text
from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.oracle import explain, matches
from tocsin.detect.rules.stateful_rule import Bound, Comparison, NewTermsRule
from tocsin.detect.rules.value_list import ListKind, ValueList, spelled
from tocsin.model.lane import LogSource
from tocsin.model.rule import RuleKind

PLAIN = "  s: {EventID: 3}\n  condition: s"


def load(tmp_path: Path, *texts: str) -> RuleSet:
    """The rule set of files ``0.yml`` and so on, the same with a cold and a warm cache."""
    rules = tmp_path / "rules"
    rules.mkdir(exist_ok=True)
    for at, text in enumerate(texts):
        (rules / f"{at}.yml").write_text(text, encoding="utf-8")
    first = load_rules([rules], cache=tmp_path / "cache")
    assert load_rules([rules], cache=tmp_path / "cache") == first
    return first


def indicator(inside: str, extra: str = "") -> str:
    return f"title: Known bad\nid: {ID}\nindicator: {{{inside}}}\n{extra}"


def fires(found: RuleSet, event: dict[str, object]) -> bool:
    """Whether the only rule matches, by engine and oracle alike."""
    assert not found.problems
    (rule,) = found.rules
    batch = batch_of(lane_for("windows", "network_connection", None), [event])
    by_oracle = matches(rule, batch.native_rows([0])[0])
    assert bool(Engine(found).evaluate(batch)) == by_oracle
    return by_oracle


@pytest.mark.parametrize(
    ("kind", "listed", "good", "bad"),
    [
        ("address", "192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.70", "x", ""]),
        ("address", "192.0.2.0/24", ["192.0.2.1", "192.0.2.255"], ["192.0.3.0", "2001:db8::"]),
        ("address", "2001:DB8:0::1", ["2001:db8::1", "2001:0db8:0:0::1"], ["2001:db8::2"]),
        ("address", "2001:db8::/32", ["2001:db8:ffff::1"], ["2001:db9::", "192.0.2.1"]),
        ("domain", "Evil.example", ["evil.EXAMPLE", "a.b.evil.example."], ["devil.example", "example"]),
        ("domain", "*.evil.example", ["evil.example", "x.evil.example"], ["evil.example.org"]),
        ("hash", "A" * 32, ["a" * 32, f"MD5={'A' * 32},SHA256={'b' * 64}"], ["a" * 33, "a" * 31]),
        ("text", "Bad Thing", ["BAD thing"], ["bad thing ", "bad"]),
    ],
)  # fmt: skip
def test_a_value_is_found_by_what_the_list_is_of(
    tmp_path: Path, kind: str, listed: str, good: list[str], bad: list[str]
) -> None:
    found = load(tmp_path, indicator(f"fields: [A, B], values: ['{listed}'], kind: {kind}"))
    assert found.rules[0].rule.kind is RuleKind.INDICATOR
    assert found.rules[0].rule.logsource == LogSource()
    for value in good:
        assert fires(found, {"B": value}), value
        assert fires(found, {"A": ["other", value]}), value
    for value in bad:
        assert not fires(found, {"A": value}), value


def test_a_list_file_lies_next_to_the_rule(tmp_path: Path) -> None:
    (tmp_path / "rules" / "lists").mkdir(parents=True)
    file = tmp_path / "rules" / "lists" / "bad.txt"
    file.write_text("# from somewhere\n192.0.2.7 # c2\n\nnonsense\n198.51.100.0/24\n", "utf-8")
    text = indicator("fields: Ip, list: lists/bad.txt, kind: address")
    found = load(tmp_path, text)
    assert [(Path(one.path).name, one.line) for one in found.problems] == [("bad.txt", 4)]
    (rule,) = found.rules
    assert matches(rule, {"Ip": "192.0.2.7"})
    assert [one.value for one in explain(rule, {"Ip": "198.51.100.9"})] == ["198.51.100.9"]
    assert explain(rule, {"Ip": "198.51.100.9"})[0].pattern == "Ip|address|listed: 198.51.100.0/24"
    file.write_text("203.0.113.5\n", "utf-8")
    (changed,) = load(tmp_path, text).rules
    assert matches(changed, {"Ip": "203.0.113.5"})
    assert not matches(changed, {"Ip": "192.0.2.7"})


def test_a_detection_and_a_log_source_narrow_the_events(tmp_path: Path) -> None:
    extra = (
        "logsource: {product: windows, category: network_connection}\n"
        "detection:\n  ours: {Initiated: 'true'}\n  condition: ours\n"
        "tocsin:\n  tests:\n    - {expect: match, event: {Ip: 192.0.2.7, Initiated: true}}\n"
    )
    found = load(tmp_path, indicator("fields: Ip, values: [192.0.2.7], kind: address", extra))
    assert fires(found, {"Ip": "192.0.2.7", "Initiated": True})
    assert not fires(found, {"Ip": "192.0.2.7"})
    assert len(found.rules[0].tests) == 1
    assert found.rules[0].rule.logsource.category == "network_connection"


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("fields: [], values: [a], kind: text", "at least one field"),
        ("fields: x, values: [a], kind: colour", "one of address"),
        ("fields: x, values: [a], kind: address", "a is no address"),
        ("fields: x, values: [evil example], kind: domain", "no domain"),
        ("fields: x, values: [abc], kind: hash", "no hash"),
        ("fields: x, kind: text", "either a list"),
        ("fields: x, values: [a], list: b, kind: text", "either a list"),
        ("fields: x, list: gone.txt, kind: text", "can't be used"),
        ("fields: x, values: [a], kind: text, more: 1", "unknown key more"),
    ],
)
def test_an_indicator_that_means_nothing_is_refused(
    tmp_path: Path, inside: str, words: str
) -> None:
    found = load(tmp_path, indicator(inside))
    (problem,) = found.problems
    assert words in problem.reason
    assert (problem.line, problem.rule_id) == (3, ID)
    assert not found.rules


def test_equal_lists_are_equal_and_others_are_not() -> None:
    texts = ["a", "b"]
    one, same = ValueList.of(ListKind.TEXT, texts), ValueList.of(ListKind.TEXT, texts)
    assert one == same
    assert hash(one) == hash(same)
    assert one != ValueList.of(ListKind.DOMAIN, texts)
    assert one != ValueList.of(ListKind.TEXT, ["a"])


def test_odd_addresses_are_not_guessed_at() -> None:
    for text in ("1.2.3", "01.2.3.4", "1.2.3.4.5", "256.1.1.1", "1.2.3.4/33", "::g"):
        assert spelled(text, ListKind.ADDRESS) is None
    assert spelled("10.0.0.1/32", ListKind.ADDRESS) == "10.0.0.1"
    assert spelled("10.0.0.1/8", ListKind.ADDRESS) == "10.0.0.0/8"


def test_new_terms_take_the_hits_of_their_own_detection(tmp_path: Path) -> None:
    extra = (
        "name: fresh\nnew_terms: {fields: [User, Image], window: 30d, learning: 1d, group-by: Host}\n"
        "tocsin:\n  tests:\n    - {expect: 1 finding, events: [{at: 2d, event: {EventID: 3}}]}\n"
    )
    found = load(tmp_path, rule_text(PLAIN, extra=extra))
    assert not found.problems
    (rule,), (stateful,) = found.rules, found.stateful
    assert isinstance(stateful, NewTermsRule)
    assert rule.rule is stateful.rule or rule.rule == stateful.rule
    assert stateful.rule.kind is RuleKind.NEW_TERMS
    assert (stateful.fields, stateful.group_by) == (("User", "Image"), ("Host",))
    assert (stateful.window, stateful.learning) == (timedelta(days=30), timedelta(days=1))
    assert stateful.tests[0].events == ((172800.0, "", {"EventID": 3}),)
    assert found.silent == {ID}
    assert matches(rule, {"EventID": 3})


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("window: 30d", "at least one field"),
        ("fields: x", "window is missing"),
        ("fields: x, window: 1d, learning: 2d", "longer than the window"),
        ("fields: x, window: 1d, more: 1", "unknown key more"),
    ],
)
def test_new_terms_that_mean_nothing_are_refused(tmp_path: Path, inside: str, words: str) -> None:
    found = load(tmp_path, rule_text(PLAIN, extra=f"new_terms: {{{inside}}}\n"))
    (problem,) = found.problems
    assert words in problem.reason
    assert problem.line == 15


def test_learning_is_a_week_or_the_window(tmp_path: Path) -> None:
    for window, learning in (("30d", 7), ("3d", 3)):
        found = load(
            tmp_path, rule_text(PLAIN, extra=f"new_terms: {{fields: x, window: {window}}}\n")
        )
        (one,) = found.stateful
        assert isinstance(one, NewTermsRule)
        assert one.learning == timedelta(days=learning)


def test_a_correlation_cannot_take_new_terms(tmp_path: Path) -> None:
    taken = rule_text(PLAIN, extra="name: n\nnew_terms: {fields: x, window: 1d}\n")
    over = "title: o\ncorrelation: {type: event_count, rules: [n], timespan: 1h, condition: {gte: 2}}\n"
    (problem,) = load(tmp_path, taken, over).problems
    assert "new-terms rule" in problem.reason


def test_a_health_rule_keeps_what_is_written(tmp_path: Path) -> None:
    text = (
        "title: Firewall falls silent\nlevel: high\nstatus: stable\n"
        "health: {metric: silence_s, subject: source, condition: {gt: 600, lte: 9000},"
        " lasting: 5m, only: [fw-*]}\n"
    )
    found = load(tmp_path, text)
    assert not found.problems
    (one,) = found.health
    assert (one.metric, one.subject, one.only) == ("silence_s", "source", ("fw-*",))
    assert set(one.bounds) == {
        Bound(Comparison.GREATER, 600),
        Bound(Comparison.LESS_EQUAL, 9000),
    }
    assert one.lasting == timedelta(minutes=5)
    assert one.rule.kind is RuleKind.HEALTH
    assert found.all_rules() == (one.rule,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("health: {metric: x}", "condition is missing"),
        ("health: {condition: {gt: 1}}", "metric is missing"),
        ("health: {metric: x, condition: {above: 1}}", "unknown key above"),
        ("health: {metric: x, condition: {}}", "at least one"),
        ("health: {metric: x, condition: {gt: 5, lt: 5}}", "never hold"),
        ("health: {metric: x, condition: {gt: 1}, subject: moon}", "one of source"),
        ("health: {metric: x, condition: {gt: 1}, lasting: long}", "no timespan"),
        ("health: {metric: x, condition: {gt: 1}}\ndetection: {s: {a: b}}", "take out detection"),
        ("health: {metric: rate_shares, condition: {gt: 1}}", "did you mean rate_share?"),
        ("health: {metric: free_share, condition: {gt: 1}}", "write subject: disk"),
        ("health: {metric: temperature, condition: {gt: 1}}", "known are events_per_minute"),
        ("health: {metric: rate_share, subject: service, condition: {gt: 1}}", "one of source"),
        ("health: 5", "must be a map"),
        ("health: {metric: x, condition: {gt: 1}}\nabsence: {}", "not both"),
    ],
)
def test_a_health_rule_that_means_nothing_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (problem,) = load(tmp_path, f"title: t\n{text}\n").problems
    assert words in problem.reason
    assert problem.line in (2, 3)
