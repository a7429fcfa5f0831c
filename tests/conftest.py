"""Fixtures every room's tests share."""

import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.made_once import made_once
from tests.postgres_server import PostgresServer
from tests.scheduling import ModuleScheduling, durations, longest_first

REPOSITORY = Path(__file__).resolve().parent.parent

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of what is tested
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real test data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TOCSIN_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "MANIFEST.jsonl").is_file():
        pytest.skip(f"real test data is not at {folder}; set TOCSIN_TEST_DATA to its folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def what_houses_begin_with_is_made_once() -> Iterator[None]:
    with made_once():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server that gives each test a database of its own; skips where there is none."""
    with PostgresServer() as server:
        yield server


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take long, so that no worker is left alone with one."""
    longest_first(items, durations())


def pytest_collection_finish() -> None:
    """Modules and tests stay to the end: looking through them for garbage finds none."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ModuleScheduling:
    return ModuleScheduling(config, log)


COMPARED = pytest.StashKey[Counter[str]]()
"""Pairs of rule and event on which the engine was held to the oracle in this run."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.stash[COMPARED] = Counter()
    gc.set_threshold(20_000, 20, 20)  # a corpus of rules is millions of objects, looked through
    config.pluginmanager.register(_Counts(config.stash[COMPARED]))


class _Counts:
    """Adds up what tests recorded, whichever worker ran them."""

    def __init__(self, counted: "Counter[str]") -> None:
        self._counted = counted

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name.startswith(("pairs", "cases")) and isinstance(value, int):
                    self._counted[name] += value


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    counted = config.stash[COMPARED]
    total = counted["pairs"] + counted["pairs_made"]
    if total:
        terminalreporter.write_line(
            f"engine against oracle: {total:,} pairs of rule and event compared "
            f"({counted['pairs']:,} of real rules and recorded events, {counted['pairs_hit']:,} of "
            f"those hits; {counted['pairs_made']:,} made up); {counted['pairs_elsewhere']:,} more "
            "are of another log source and never evaluated"
        )
    if counted["cases_fuzzed"]:
        terminalreporter.write_line(f"rule texts mutated and read: {counted['cases_fuzzed']:,}")
