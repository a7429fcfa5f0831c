"""Running the tests that rules carry, on the way events really go."""

from dataclasses import dataclass
from datetime import timedelta

from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.authoring.sequence_play import START, play
from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.errors import DetectError
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import RuleTest, SigmaMatchRule
from tocsin.detect.rules.oracle import matches
from tocsin.detect.rules.stateful_rule import (
    CorrelationRule,
    CorrelationType,
    Sequenced,
    StatefulRule,
)
from tocsin.model.rule import Rule

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """One test's outcome; ``reason`` says what went wrong, empty when it passed."""

    rule: Rule
    name: str
    line: int
    passed: bool
    reason: str = ""


def run_tests(ruleset: RuleSet) -> list[RuleTestResult]:
    """Each test of each rule, in the order of the rule set.

    The event of a match rule becomes a batch in the rule's own lane; engine and oracle must both
    say what the test expects. The events of a rule that looks at several arrive one by one, in
    the order written, whatever their times; what stands when all windows have closed is counted.
    Only of a heartbeat (an absence of one rule) time ends with the last event: each would be
    missed in the end.
    """
    of_matches = [_matched(one, test) for one in ruleset.rules for test in one.tests]
    of_several = [
        run_sequence(ruleset, one, test) for one in ruleset.stateful for test in one.tests
    ]
    return of_matches + of_several


def _matched(one: SigmaMatchRule, test: RuleTest) -> RuleTestResult:
    source = one.rule.logsource
    lane = lane_for(source.product, source.category, source.service)
    batch = batch_of(lane, [test.event])
    by_engine = bool(Engine(RuleSet((one,))).evaluate(batch))
    by_oracle = matches(one, batch.native_rows([0])[0])
    wanted = "match" if test.must_match else "stay silent"
    if by_engine != by_oracle:
        reason = f"engine and oracle disagree (engine: {by_engine}, oracle: {by_oracle})"
    elif by_engine != test.must_match:
        reason = f"the rule must {wanted} on this event and does not"
    else:
        reason = ""
    return RuleTestResult(one.rule, test.name, test.line, not reason, reason)


def run_sequence(ruleset: RuleSet, one: StatefulRule, test: Sequenced) -> RuleTestResult:
    """One test of a rule that looks at several events."""
    try:
        found = _in_time(one, play(ruleset, one, test.events), test)
    except DetectError as error:
        return RuleTestResult(one.rule, test.name, test.line, False, str(error))
    reason = ""
    if len(found) != test.findings:
        reason = f"{test.findings} findings expected, {len(found)} found{_told(found)}"
    return RuleTestResult(one.rule, test.name, test.line, not reason, reason)


def _in_time(one: StatefulRule, found: list[Correlated], test: Sequenced) -> list[Correlated]:
    if not isinstance(one, CorrelationRule) or one.type is not CorrelationType.ABSENCE:
        return found
    if len(one.rules) > 1:
        return found
    end = START + timedelta(seconds=max((at for at, _, _ in test.events), default=0))
    return [each for each in found if each.time + one.timespan <= end]


def _told(found: list[Correlated]) -> str:
    """The findings there were, each with its group and measure."""
    shown = [
        f"{', '.join(f'{name}={text}' for name, text in one.group) or 'all'} ({one.because})"
        for one in found[:_SHOWN]
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f": {'; '.join(shown)}{more}" if shown else ""
