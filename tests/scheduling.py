"""Which tests one worker runs together: a module's, and all of the console's.

What a module set up is then made once, and Playwright's loop stays on one worker. (Groups by mark,
``--dist loadgroup``, fall apart without a word under pytest 9.2: pytest-xdist#1386.)
"""

import pytest
from xdist.scheduler import LoadScopeScheduling

CONSOLE = "tests/console"


def scope_of(nodeid: str) -> str:
    """The module of a test, or the console.

    >>> scope_of("tests/console/test_looks.py::test_a_page[queue]")
    'tests/console'
    """
    module = nodeid.partition("::")[0]
    return CONSOLE if module.startswith(f"{CONSOLE}/") else module


class ModuleScheduling(LoadScopeScheduling):
    """Hands out modules in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: object = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)  # type: ignore[arg-type]

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
