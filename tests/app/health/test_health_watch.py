"""Health rules tell a trouble once, when it has lasted, and again when it comes back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.app.health.blindness import blinded_by, with_blindness
from tocsin.app.health.health_measures import Measured
from tocsin.app.health.health_watch import judge, mark_told, value_in_words
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.stateful_rule import Bound, Comparison
from tocsin.model.finding import Finding
from tocsin.model.lane import Lane, LogSource
from tocsin.model.rule import Rule, RuleKind
from tocsin.model.severity import Level
from tocsin.model.source import SourceLedger
from tocsin.store.engines.state.sqlite_state import SqliteState

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def health_rule(
    metric: str = "rate_share",
    comparison: Comparison = Comparison.LESS,
    value: float = 0.3,
    *,
    lasting_s: float = 600,
    subject: str = "source",
    only: tuple[str, ...] = (),
) -> HealthRule:
    rule = Rule(
        id="rule-health",
        title="Source sends far less than usual",
        level=Level.MEDIUM,
        logsource=LogSource(),
        kind=RuleKind.HEALTH,
        path="own/drop.yml",
    )
    lasting = timedelta(seconds=lasting_s)
    return HealthRule(rule, metric, (Bound(comparison, value),), lasting, subject, only, 7)


def of_source(value: float, name: str = "syslog/fw-1", metric: str = "rate_share") -> Measured:
    return Measured("source", name, metric, value)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    store = SqliteState(tmp_path / "state.db")
    yield store
    store.close()


def look(
    state: SqliteState, rule: HealthRule, *measured: Measured, after_s: float = 0, tell: bool = True
) -> list[Finding]:
    with state.begin() as tx:
        found = judge(tx, [rule], measured, NOW + timedelta(seconds=after_s))
        if tell:
            mark_told(tx, found)
    return found


def test_a_trouble_is_told_once_it_has_lasted(state: SqliteState) -> None:
    rule = health_rule()
    assert look(state, rule, of_source(0.1)) == []
    assert look(state, rule, of_source(0.1), after_s=599) == []
    (found,) = look(state, rule, of_source(0.12), after_s=600)
    assert found.entities[0].key == "source:syslog/fw-1"
    assert ": 12% (" in str(found.fields["because"])
    assert "less than 30%" in str(found.fields["because"])
    assert look(state, rule, of_source(0.1), after_s=1200) == []


def test_a_trouble_that_ends_in_time_is_not_told(state: SqliteState) -> None:
    rule = health_rule()
    look(state, rule, of_source(0.1))
    look(state, rule, of_source(0.9), after_s=300)
    assert look(state, rule, of_source(0.1), after_s=700) == []


def test_a_trouble_that_comes_back_is_another_finding(state: SqliteState) -> None:
    rule = health_rule(lasting_s=0)
    (first,) = look(state, rule, of_source(0.1))
    look(state, rule, of_source(0.9), after_s=300)
    (second,) = look(state, rule, of_source(0.1), after_s=600)
    assert first.finding_id != second.finding_id


def test_what_was_not_told_comes_again_with_its_id(state: SqliteState) -> None:
    rule = health_rule(lasting_s=0)
    (first,) = look(state, rule, of_source(0.1), tell=False)
    (again,) = look(state, rule, of_source(0.05), after_s=60)
    assert first.finding_id == again.finding_id


@pytest.mark.parametrize(
    ("only", "told"), [((), 2), (("syslog/fw-*",), 1), (("SYSLOG/FW-?",), 1), (("other",), 0)]
)
def test_a_rule_is_narrowed_by_wildcards(
    state: SqliteState, only: tuple[str, ...], told: int
) -> None:
    rule = health_rule(lasting_s=0, only=only)
    found = look(state, rule, of_source(0.1), of_source(0.1, "syslog/mail[1]"))
    assert len(found) == told


def test_all_bounds_must_hold(state: SqliteState) -> None:
    rule = health_rule(lasting_s=0)
    between = HealthRule(
        rule.rule, rule.metric, (*rule.bounds, Bound(Comparison.GREATER, 0.0)), timedelta(0)
    )
    assert look(state, between, of_source(0.0)) == []
    assert len(look(state, between, of_source(0.1))) == 1


def test_a_platform_finding_is_about_this_machine(state: SqliteState) -> None:
    rule = health_rule("free_share", Comparison.LESS, 0.1, lasting_s=0, subject="disk")
    (found,) = look(state, rule, Measured("disk", "/data", "free_share", 0.04))
    assert found.entities[0].kind.value == "host"
    assert str(found.fields["because"]).startswith("/data: free share")


def ledger(name: str, *lanes: str, silent: bool = False) -> SourceLedger:
    return SourceLedger(
        name, "default", 1, 1, 0, 0, 1, NOW, NOW, NOW, lanes, NOW if silent else None
    )


LANES = [Lane("linux", "sshd", "linux", services=("sshd",)), Lane("zeek", "dns", "zeek", ("dns",))]


def match_rule(name: str, logsource: LogSource, *techniques: str) -> Rule:
    return Rule(name, name, Level.HIGH, logsource, techniques=techniques)


RULES = [
    match_rule("ssh", LogSource(product="linux", service="sshd"), "T1110", "T1021"),
    match_rule("dns", LogSource(category="dns"), "T1071"),
    match_rule("dns too", LogSource(product="zeek", category="dns"), "T1021"),
]


def test_only_what_no_other_source_feeds_is_blinded() -> None:
    jump, sensor = ledger("jump", "linux.sshd"), ledger("sensor", "zeek.dns")
    alone = blinded_by(jump, [jump, sensor], LANES, RULES)
    assert [rule.id for rule in alone.rules] == ["ssh"]
    assert alone.techniques == ("T1110",)
    twin = ledger("twin", "linux.sshd")
    assert blinded_by(jump, [jump, sensor, twin], LANES, RULES).rules == ()
    silent = ledger("twin", "linux.sshd", silent=True)
    assert len(blinded_by(jump, [jump, silent], LANES, RULES).rules) == 1


def test_a_health_finding_says_what_it_blinds(state: SqliteState) -> None:
    (found,) = look(state, health_rule(lasting_s=0), of_source(0.1))
    told = with_blindness(found, blinded_by(ledger("jump", "linux.sshd"), [], LANES, RULES))
    assert told.fields["blinded_rule_titles"] == ["ssh"]
    assert told.fields["blinded_techniques"] == ["T1021", "T1110"]
    assert "No other source feeds 1 rule: “ssh”. ATT&CK: T1021, T1110." in str(told.ocsf["message"])


@pytest.mark.parametrize(
    ("metric", "value", "words"),
    [
        ("free_share", 0.125, "12.5%"),
        ("free_share", 0.3, "30%"),
        ("silence_share", 13.373, "13.4 times"),
        ("lag_s", 20_378.4, "5 h 39 min"),
        ("lag_s", 59.9, "59 s"),
        ("free_bytes", 1.5e9, "1,500.0 MB"),
        ("paused_rules", 3.0, "3"),
    ],
)
def test_a_measured_value_is_told_in_its_unit(metric: str, value: float, words: str) -> None:
    assert value_in_words(metric, value) == words
