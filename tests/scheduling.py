"""Which tests one worker runs together, and in which order: what takes longest begins.

A module's tests share what the module set up, the console's share a lived-in house and
Playwright's loop, which stays on one worker, and four modules share the public rules, which take
longer to read than most modules run. (Groups by mark, ``--dist loadgroup``, fall apart
without a word under pytest 9.2: pytest-xdist#1386.) How long each took in a whole run is kept in
``durations.json``; only the order counts. To write it anew:

    make test ARGS=--junitxml=run.xml
    .venv/bin/python -m tests.scheduling run.xml
"""

import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
from xdist.scheduler import LoadScopeScheduling

CONSOLE = "tests/console"
CORPUS = "tests/detect: public rules"
OF_CORPUS = frozenset(
    {
        "tests/detect/matching/test_engine_equals_oracle.py",
        "tests/detect/reading/test_pairs_of_attacks.py",
        "tests/detect/reading/test_pairs_of_recordings.py",
        "tests/detect/test_real_logs.py",
    }
)
UNKNOWN_SLOW_S = 10.0
"""Of a module not yet in ``durations.json``, if it says that it is slow."""
_SHORTEST_S = 2.0
_DURATIONS = Path(__file__).with_name("durations.json")


def scope_of(nodeid: str) -> str:
    """The module of a test, the console, or the modules that ask for the public rules.

    >>> scope_of("tests/console/test_looks.py::test_a_page[queue]")
    'tests/console'
    """
    module = nodeid.partition("::")[0]
    if module in OF_CORPUS:
        return CORPUS
    return CONSOLE if module.startswith(f"{CONSOLE}/") else module


def longest_first(items: list[pytest.Item], took_s: Mapping[str, float]) -> None:
    """Sort by how long the tests' scope took; those not in ``took_s`` stay in their order."""
    known = dict(took_s)
    for item in items:
        if item.get_closest_marker("slow"):
            known.setdefault(scope_of(item.nodeid), UNKNOWN_SLOW_S)
    items.sort(key=lambda item: -known.get(scope_of(item.nodeid), 0.0))


def durations() -> dict[str, float]:
    """Seconds by scope in the last run that was kept."""
    kept: dict[str, float] = json.loads(_DURATIONS.read_bytes())
    return kept


def durations_of(junit: Path) -> dict[str, float]:
    """Seconds by scope in a run's JUnit file, the longest first, without the short ones."""
    took: Counter[str] = Counter()
    for case in ElementTree.parse(junit).iter("testcase"):  # noqa: S314 - pytest's own file
        module = case.get("classname", "").replace(".", "/") + ".py"
        took[scope_of(module)] += float(case.get("time", "0"))  # type: ignore[assignment]
    return {scope: round(s, 1) for scope, s in took.most_common() if s >= _SHORTEST_S}


class ModuleScheduling(LoadScopeScheduling):
    """Hands out modules in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)  # type: ignore[arg-type]

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


if __name__ == "__main__":
    _DURATIONS.write_text(json.dumps(durations_of(Path(sys.argv[1])), indent=1) + "\n")
