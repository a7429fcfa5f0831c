"""Running the tests that rules carry, on the way events really go."""

from dataclasses import dataclass

from tocsin.detect.engine import Engine
from tocsin.detect.match_rule import RuleTest, SigmaMatchRule
from tocsin.detect.oracle import matches
from tocsin.detect.ruleset import RuleSet
from tocsin.detect.sample_batch import batch_of, lane_for
from tocsin.model.rule import Rule


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """One test's outcome; ``reason`` says what went wrong, empty when it passed."""

    rule: Rule
    name: str
    line: int
    passed: bool
    reason: str = ""


def run_tests(ruleset: RuleSet) -> list[RuleTestResult]:
    """Each test of each rule: the event becomes a batch in the rule's own lane.

    Engine and oracle must both say what the test expects.
    """
    return [_run(one, test) for one in ruleset.rules for test in one.tests]


def _run(one: SigmaMatchRule, test: RuleTest) -> RuleTestResult:
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
