"""What our own evaluators make of a conformance case: plain, by columns, and over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.conformance.case import Case
from tocsin.detect.authoring.sample_batch import batch_of
from tocsin.detect.matching.engine import Engine
from tocsin.detect.reading.ruleset import RuleSet, load_rules
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.oracle import matches


def loaded(case: Case, folder: Path) -> RuleSet:
    """The case's rule file, read the way every rule file is."""
    path = folder / "rule.yml"
    path.write_text(case.text, encoding="utf-8")
    if not case.pipeline:
        return load_rules([path])
    pipeline = folder / "pipeline.yml"
    pipeline.write_text(case.pipeline, encoding="utf-8")
    return load_rules([path], pipelines=[pipeline])


def judged(case: Case, ruleset: RuleSet) -> SigmaMatchRule:
    """The match rule the case is about."""
    assert not ruleset.problems, ruleset.problems
    named = [one for one in ruleset.rules if case.title in ("", one.rule.title)]
    assert len(named) == 1, f"{len(named)} rules are called {case.title!r}"
    return named[0]


def verdicts(case: Case, one: SigmaMatchRule, events: Sequence[dict[str, Any]]) -> list[bool]:
    """The verdict on each event, on which three ways agree: plain, by columns, all in one batch.

    A rule never says yes to events of a log source that is not its own.
    """
    found = []
    engine = Engine(RuleSet((one,)))
    accepted = case.lane.accepts(one.rule.logsource)
    for event in events:
        batch = batch_of(case.lane, [event])
        by_engine = bool(engine.evaluate(batch))
        assert by_engine == (accepted and matches(one, batch.native_rows([0])[0])), event
        assert by_engine == (accepted and matches(one, event)), event
        found.append(by_engine)
    return found
