"""Whether a rule may move to another state: the moves there are, and the rule's own tests."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from tocsin.detect.authoring.derived_tests import run_derived
from tocsin.detect.authoring.rule_tests import RuleTestResult, run_tests
from tocsin.detect.errors import RefusedDecision
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.overlay import MOVES, RUNNING, LifeState, moves_in_words

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Tested:
    """How many tests of its own a rule has, and which fail in words (empty: none)."""

    count: int
    failed: str = ""


def run_own_tests(written: RuleSet, rule_ids: Iterable[str]) -> dict[str, Tested]:
    """The tests of each rule that is loaded, run now."""
    wanted = {one: written.rule(one) for one in rule_ids}
    results: dict[str, list[RuleTestResult]] = {one: [] for one, rule in wanted.items() if rule}
    for result in own_tests(written, results.keys()):
        results[result.rule.id].append(result)
    return {rule_id: _tested(of_rule) for rule_id, of_rule in results.items()}


def _tested(results: list[RuleTestResult]) -> Tested:
    failed = [
        f"{one.name} ({one.rule.path}:{one.line}): {one.reason}"
        for one in results
        if not one.passed
    ]
    more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    return Tested(len(results), "; ".join(failed[:_NAMED]) + more)


def own_tests(ruleset: RuleSet, rule_ids: Collection[str]) -> list[RuleTestResult]:
    """The results of the tests that some rules carry; those of no other are run.

    Of those that follow from them (a missing field, events out of order) the ones that fail.
    """
    alone = replace(
        ruleset,
        rules=tuple(
            one if one.rule.id in rule_ids or not one.tests else replace(one, tests=())
            for one in ruleset.rules
        ),
        stateful=tuple(
            one if one.rule.id in rule_ids or not one.tests else replace(one, tests=())
            for one in ruleset.stateful
        ),
    )
    return run_tests(alone) + run_derived(alone)


def allow_move(
    rule_id: str, before: LifeState, after: LifeState, tested: Mapping[str, Tested]
) -> None:
    """Raise ``RefusedDecision`` for a move that is none, or a rule that fails its tests."""
    if after not in MOVES[before]:
        raise RefusedDecision(
            f"a rule that is {before.value} can't become {after.value}: it may become "
            f"{moves_in_words(before)}"
        )
    if after not in RUNNING:
        return
    if rule_id not in tested:
        raise RefusedDecision(
            f"rule {rule_id} is not loaded, so its tests can't run: see its problem with "
            "tocsin rules lint"
        )
    refuse_failing(tested[rule_id])


def refuse_failing(tested: Tested) -> None:
    """Raise ``RefusedDecision`` when a test of the rule fails."""
    if tested.failed:
        raise RefusedDecision(f"the rule fails its own tests: {tested.failed}")
