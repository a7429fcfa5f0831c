"""Every conformance case holds: Sigma 2.1 as written, and what goes beyond it."""

from pathlib import Path

import pytest

from tests.conformance.case import Case, cases
from tests.conformance.verdicts import judged, loaded, verdicts

CASES = cases()
MATCHING = [case for case in CASES if case.match or case.silent]
REFUSED = [case for case in CASES if case.refused and not case.eql]


@pytest.mark.parametrize("case", MATCHING, ids=lambda case: case.id)
def test_events_match_or_do_not(case: Case, tmp_path: Path) -> None:
    one = judged(case, loaded(case, tmp_path))
    assert verdicts(case, one, case.match) == [True] * len(case.match), case.says
    assert verdicts(case, one, case.silent) == [False] * len(case.silent), case.says


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
