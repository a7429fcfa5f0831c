"""Tests that follow from those a rule carries: a needed field is missing, events arrive in disorder."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tocsin.detect.authoring.rule_tests import RuleTestResult, run_sequence
from tocsin.detect.authoring.sample_batch import batch_of, lane_for
from tocsin.detect.explaining.reach import lacking_fields
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import RuleTest, SigmaMatchRule
from tocsin.detect.rules.matcher import KEYWORD, matchers_in
from tocsin.detect.rules.oracle import matches
from tocsin.detect.rules.stateful_rule import CorrelationRule, Sequenced
from tocsin.model.field_path import values_at
from tocsin.model.rule import RuleProblem


def run_derived(ruleset: RuleSet) -> list[RuleTestResult]:
    """Only those that fail: a rule that works does so by itself.

    A match rule must stay silent on each event it matches once a field it needs is taken away. A
    correlation must say the same of its events when the last one arrives first.
    """
    of_matches = [failed for one in ruleset.rules for failed in _without_fields(one)]
    of_several = [
        failed
        for one in ruleset.stateful
        if isinstance(one, CorrelationRule)
        for failed in _out_of_order(ruleset, one)
    ]
    return of_matches + of_several


def not_derivable(ruleset: RuleSet) -> list[RuleProblem]:
    """Rules with tests of which none, carried or derived, asks about a missing field or disorder."""
    of_matches = [
        RuleProblem(one.rule.path, _ASK_ABSENCE, one.tests[0].line, one.rule.id, one.rule.title)
        for one in ruleset.rules
        if one.tests and not _asks_about_absence(one)
    ]
    of_several = [
        RuleProblem(one.rule.path, _ASK_DISORDER, one.tests[0].line, one.rule.id, one.rule.title)
        for one in ruleset.stateful
        if isinstance(one, CorrelationRule)
        and one.tests
        and not any(_reversed(test) for test in one.tests)
    ]
    return of_matches + of_several


_ASK_ABSENCE = (
    "no test asks what happens when a field is missing, and none follows from the others: add one "
    "that expects silent on an event without a field the condition reads"
)
_ASK_DISORDER = (
    "no test has events out of order, and none follows from the others: add one with two events "
    "or more, of which a later one is written first"
)


def _without_fields(one: SigmaMatchRule) -> Iterator[RuleTestResult]:
    """One batch a rule: making an engine costs more than looking at its events."""
    derived = [pair for test in one.tests if test.must_match for pair in _lessened(one, test)]
    if not derived:
        return
    source = one.rule.logsource
    lane = lane_for(source.product, source.category, source.service)
    batch = batch_of(lane, [less.event for less, _ in derived])
    hits = Engine(RuleSet((one,))).evaluate(batch)
    found = {row for hit in hits for row in hit.rows}
    records = batch.native_rows(range(len(derived)))
    for row, ((less, field), record) in enumerate(zip(derived, records, strict=True)):
        by_engine, by_oracle = row in found, matches(one, record)
        if by_engine != by_oracle:
            told = f"engine and oracle disagree (engine: {by_engine}, oracle: {by_oracle})"
        elif by_engine:
            told = f"the rule matches without {field}, which its condition needs"
        else:
            continue
        yield RuleTestResult(one.rule, less.name, less.line, False, told)


def _lessened(one: SigmaMatchRule, test: RuleTest) -> Iterator[tuple[RuleTest, str]]:
    """The test without each field in turn that the rule can't match without."""
    fields = _read_by(one)
    present = frozenset(name for name in fields if values_at(test.event, name) is not None)
    for field in sorted(present):
        if lacking_fields(one.condition, present - {field}) is None:
            continue
        less = _without(test.event, field)
        if less is not None:
            yield replace(test, name=f"{test.name}, without {field}", event=less), field


def _asks_about_absence(one: SigmaMatchRule) -> bool:
    fields = _read_by(one)
    if not fields:
        return True  # keywords are looked for in every field: none can be missing
    if any(values_at(test.event, name) is None for test in one.tests for name in fields):
        return True
    return any(test.must_match and any(_lessened(one, test)) for test in one.tests)


def _read_by(one: SigmaMatchRule) -> frozenset[str]:
    found = (matcher.field for matcher in matchers_in(one.condition))
    return frozenset(field for field in found if field and field != KEYWORD)


def _without(event: Mapping[str, object], field: str) -> dict[str, object] | None:
    """The event without the field; None when it lies in a list."""
    if field in event:
        return {name: value for name, value in event.items() if name != field}
    head, _, rest = field.partition(".")
    inner = event.get(head)
    if not rest or not isinstance(inner, dict):
        return None
    less = _without(inner, rest)
    return None if less is None else {**event, head: less}


def _out_of_order(ruleset: RuleSet, one: CorrelationRule) -> Iterator[RuleTestResult]:
    for test in one.tests:
        if disordered := _reversed(test):
            result = run_sequence(ruleset, one, disordered)
            if not result.passed:
                yield result


def _reversed(test: Sequenced) -> Sequenced | None:
    """The same events, the last one first; None when that makes no difference."""
    if len({at for at, _, _ in test.events}) < 2:
        return None
    return replace(test, name=f"{test.name}, out of order", events=test.events[::-1])
