"""Fixtures every room's tests share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real test data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TOCSIN_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "MANIFEST.jsonl").is_file():
        pytest.skip(f"real test data is not at {folder}; set TOCSIN_TEST_DATA to its folder")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a module's tests on one worker, and all of the console's (Playwright's loop runs there)."""
    for item in items:
        folder = item.path.parent
        group = "console" if folder.name == "console" else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
