"""Every shipped rule over several events finds what its own tests play to it, and no more."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tocsin
from tocsin.app.rules.rule_words import looked_for
from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.authoring.sequence_play import needed_by
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.stateful_rule import (
    CorrelationRule,
    CorrelationType,
    NewTermsRule,
    Sequenced,
    StatefulRule,
)

RULES = Path(tocsin.__file__).parent / "content" / "rules"
PACK = load_rules([RULES])
TESTS = [(one, test) for one in PACK.stateful for test in one.tests]
TOLD = [
    one for one in PACK.stateful if isinstance(one, NewTermsRule) or one.rule.id not in PACK.silent
]
"""Those that make findings; the others are steps of another."""
START = datetime(2026, 11, 2, 8, tzinfo=UTC)


def bases_of(ruleset: RuleSet, rule: StatefulRule) -> Iterator[SigmaMatchRule]:
    """The match rules a stateful rule takes, through the correlations between."""
    names = rule.rules if isinstance(rule, CorrelationRule) else (rule.rule.id,)
    stateful = {one.rule.id: one for one in ruleset.stateful}
    for name in names:
        found = ruleset.by_id(name)
        if found is not None:
            yield found
        else:
            yield from bases_of(ruleset, stateful[name])


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(PACK)


def played(engine: Engine, rule: StatefulRule, test: Sequenced) -> set[str]:
    """Ids of the findings of ``rule`` that stand some time after its test was played."""
    bases = {key: one for one in bases_of(PACK, rule) for key in (one.name, one.rule.id)}
    correlator = Correlator(needed_by(rule, PACK).stateful)
    standing: set[str] = set()
    end = max(at for at, _, _ in test.events) + _wait_s(rule)
    for number, (at, name, event) in enumerate([*test.events, (end, "", {})]):
        turn = correlator.begin()
        now = START + timedelta(seconds=at)
        if event:
            base = bases[name] if name else next(iter(bases.values()))
            source = base.rule.logsource
            lane = lane_for(source.product, source.category, source.service)
            batch = batch_of(lane, [event], times=[now], first=number)
            turn.take(batch, engine.evaluate(batch))
        for found in turn.finish(now):
            if found.rule.id == rule.rule.id:
                standing.discard(found.supersedes)
                if not found.retracted:
                    standing.add(found.finding_id)
        turn.keep()
    return standing


def _wait_s(rule: StatefulRule) -> float:
    """How long to wait after the last event: until windows are closed, but no heartbeat missed."""
    if isinstance(rule, NewTermsRule):
        return 1
    if rule.type is CorrelationType.ABSENCE and len(rule.rules) == 1:
        return 1
    return 2 * rule.timespan.total_seconds() + 7200


@pytest.mark.parametrize(
    ("rule", "test"), TESTS, ids=[f"{one.rule.title}: {test.name}" for one, test in TESTS]
)
def test_a_rule_finds_what_its_test_says(
    engine: Engine, rule: StatefulRule, test: Sequenced
) -> None:
    assert len(played(engine, rule, test)) == test.findings


def test_the_pack_has_every_kind_over_every_connector() -> None:
    correlations = [one for one in TOLD if isinstance(one, CorrelationRule)]
    assert len(correlations) >= 40
    assert len(TOLD) - len(correlations) >= 12
    assert len([one for one in correlations if one.type is CorrelationType.ABSENCE]) >= 5
    types = {one.type for one in PACK.stateful if isinstance(one, CorrelationRule)}
    assert types >= set(CorrelationType) - {
        CorrelationType.VALUE_AVG,
        CorrelationType.VALUE_PERCENTILE,
    }
    folders = {Path(one.rule.path).parent.name for one in TOLD}
    assert folders >= {
        *("windows", "linux", "zeek", "suricata", "webserver", "aws", "okta", "kubernetes"),
        "github",
    }


@pytest.mark.parametrize("one", TOLD, ids=[one.rule.title for one in TOLD])
def test_a_rule_carries_each_kind_of_test(one: StatefulRule) -> None:
    assert {bool(test.findings) for test in one.tests} == {True, False}
    assert any(lacks_a_field(one, test) for test in one.tests), "no test lacks a field"
    if isinstance(one, CorrelationRule):
        assert any(is_out_of_order(test) for test in one.tests), "no test is out of order"


def lacks_a_field(one: StatefulRule, test: Sequenced) -> bool:
    """Whether an event of the test has not all that its rule groups by and measures."""
    ids = {key: base.rule.id for base in bases_of(PACK, one) for key in (base.name, base.rule.id)}
    aliases = one.aliases if isinstance(one, CorrelationRule) else {}
    for _, name, event in test.events:
        base = ids[name] if name else one.rule.id
        for wanted in (*one.group_by, *one.fields):
            if not has(event, aliases.get(wanted, {}).get(base, wanted)):
                return True
    return False


def has(event: object, dotted: str) -> bool:
    """Whether a field is there, written with dots or nested."""
    if isinstance(event, dict):
        if dotted in event:
            return True
        return any(
            dotted.startswith(f"{key}.") and has(inner, dotted.removeprefix(f"{key}."))
            for key, inner in event.items()
        )
    return False


def is_out_of_order(test: Sequenced) -> bool:
    """Whether an event arrives after one that happened later."""
    moments = [at for at, _, _ in test.events]
    return moments != sorted(moments)


def test_every_rule_can_be_said_in_words() -> None:
    for one in (*PACK.stateful, *PACK.health):
        words = looked_for(one, lambda rule_id: rule_id)
        assert words == words.strip()
        assert "None" not in words
