"""Modules that share what is dear to make run on one worker."""

import re

from tests.places import REPOSITORY
from tests.scheduling import CORPUS, OF_CORPUS, scope_of

_ASKS = re.compile(r"\b(?:corpus|sigma_rules): RuleSet")


def test_whoever_asks_for_the_public_rules_runs_on_the_worker_that_has_them() -> None:
    asking = {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        if _ASKS.search(path.read_text(encoding="utf-8"))
    }
    assert asking == OF_CORPUS
    assert {scope_of(f"{module}::test_one") for module in asking} == {CORPUS}
