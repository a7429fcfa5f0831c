"""Every conformance case holds: Sigma 2.1 as written, and what goes beyond it."""

from pathlib import Path

import pytest

from tests.conformance.case import Case, cases
from tests.conformance.sequences import (
    as_episode,
    by_the_oracle,
    episode_facts,
    in_every_order,
    is_as_told,
    stateful_rule,
)
from tests.conformance.verdicts import judged, loaded, verdicts
from tocsin.detect.reading.eql_import import sigma_from_eql
from tocsin.detect.reading.eql_tokens import EqlRefused

CASES = cases()
MATCHING = [case for case in CASES if case.match or case.silent]
SEQUENCES = [case for case in CASES if case.found is not None]
REFUSED = [case for case in CASES if case.refused and not case.eql]


@pytest.mark.parametrize("case", MATCHING, ids=lambda case: case.id)
def test_events_match_or_do_not(case: Case, tmp_path: Path) -> None:
    one = judged(case, loaded(case, tmp_path))
    assert verdicts(case, one, case.match) == [True] * len(case.match), case.says
    assert verdicts(case, one, case.silent) == [False] * len(case.silent), case.says


@pytest.mark.parametrize("case", SEQUENCES, ids=lambda case: case.id)
def test_sequences_of_events_come_to_findings(case: Case, tmp_path: Path) -> None:
    ruleset = loaded(case, tmp_path)
    rule = stateful_rule(case, ruleset)
    assert case.found is not None
    for found in in_every_order(ruleset, rule, case.events):
        told = list(case.found)
        for one in found:
            said = next((each for each in told if is_as_told(one, each)), None)
            assert said is not None, f"{case.says}: found {one}, told {told}"
            told.remove(said)
        assert not told, case.says
        plain = by_the_oracle(ruleset, rule, case.events)
        if plain is not None:
            assert sorted(map(as_episode, found)) == sorted(map(episode_facts, plain))


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.id)
def test_what_has_no_sound_meaning_is_refused_at_its_line(case: Case, tmp_path: Path) -> None:
    problems = loaded(case, tmp_path).problems
    told = [(problem.line, problem.reason) for problem in problems]
    assert any(
        problem.line == case.line and case.refused in problem.reason for problem in problems
    ), f"{case.says}: wanted {case.refused!r} at line {case.line}, got {told}"


def test_no_two_cases_say_the_same() -> None:
    said = [(case.feature, case.says) for case in CASES]
    assert len(said) == len(set(said))


@pytest.mark.parametrize("case", [c for c in CASES if c.eql and c.refused], ids=lambda c: c.id)
def test_eql_that_has_no_meaning_here_is_refused(case: Case) -> None:
    with pytest.raises(EqlRefused, match=case.refused):
        sigma_from_eql(case.eql, title="Imported")


@pytest.mark.parametrize("case", [c for c in CASES if c.health], ids=lambda c: c.id)
def test_health_rules_ask_what_is_written(case: Case, tmp_path: Path) -> None:
    ruleset = loaded(case, tmp_path)
    assert not ruleset.problems
    (one,) = ruleset.health
    assert {
        "metric": one.metric,
        "subject": one.subject,
        "lasting_s": one.lasting.total_seconds(),
        "only": list(one.only),
        "bounds": [[bound.comparison.value, bound.value] for bound in one.bounds],
    } == case.health


@pytest.mark.parametrize("case", [c for c in CASES if c.told], ids=lambda c: c.id)
def test_rules_that_others_take_are_silent_unless_they_generate(case: Case, tmp_path: Path) -> None:
    ruleset = loaded(case, tmp_path)
    assert not ruleset.problems
    assert {one.title: one.id not in ruleset.silent for one in ruleset.all_rules()} == case.told
