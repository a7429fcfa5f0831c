"""Every shipped rule over several events finds what its own tests play to it, and no more."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import tocsin
from tocsin.app.rule_words import looked_for
from tocsin.detect.correlate.correlator import Correlator
from tocsin.detect.engine import Engine
from tocsin.detect.match_rule import SigmaMatchRule
from tocsin.detect.ruleset import RuleSet, load_rules
from tocsin.detect.sample_batch import batch_of, lane_for
from tocsin.detect.stateful_rule import CorrelationRule, CorrelationType, Sequenced, StatefulRule

RULES = Path(tocsin.__file__).parent / "content" / "rules"
PACK = load_rules([RULES])
TESTS = [(one, test) for one in PACK.stateful for test in one.tests]
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


def played(rule: StatefulRule, test: Sequenced) -> set[str]:
    """Ids of the findings of ``rule`` that stand after its test was played."""
    bases = {key: one for one in bases_of(PACK, rule) for key in (one.name, one.rule.id)}
    engine, correlator = Engine(PACK), Correlator(PACK.stateful)
    standing: set[str] = set()
    moments = [*(at for at, _, _ in test.events), test.events[-1][0] + 1]
    for number, (at, name, event) in enumerate([*test.events, (moments[-1], "", {})]):
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


@pytest.mark.parametrize(
    ("rule", "test"), TESTS, ids=[f"{one.rule.title}: {test.name}" for one, test in TESTS]
)
def test_a_rule_finds_what_its_test_says(rule: StatefulRule, test: Sequenced) -> None:
    assert len(played(rule, test)) == test.findings


def test_the_pack_has_every_kind_and_each_rule_carries_both_tests() -> None:
    told = [one for one in PACK.stateful if one.rule.id not in PACK.silent]
    assert len(told) >= 12
    types = {one.type for one in PACK.stateful if isinstance(one, CorrelationRule)}
    assert types >= {
        CorrelationType.EVENT_COUNT,
        CorrelationType.VALUE_COUNT,
        CorrelationType.TEMPORAL_ORDERED,
        CorrelationType.ABSENCE,
    }
    for one in told:
        expected = {bool(test.findings) for test in one.tests}
        assert expected == {True, False}, one.rule.title
        assert 2 <= len(one.rule.questions) <= 4
        assert one.rule.response


def test_every_rule_can_be_said_in_words() -> None:
    for one in (*PACK.stateful, *PACK.health):
        words = looked_for(one, lambda rule_id: rule_id)
        assert words == words.strip()
        assert "None" not in words
