"""Pages of a house in which nothing has happened: no page calls silence well."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal

from tests.console.conftest import Visitors
from tests.console.living import open_house


@pytest.fixture
def newcomers(tmp_path: Path, portal: BlockingPortal) -> Iterator[Visitors]:
    """Visitors of a house that nothing has ever been sent to."""
    house = open_house(tmp_path / "home")
    made = Visitors(portal, house)
    yield made
    made.close()
    house.close()


def test_where_nothing_came_in_pages_say_so_and_where_to_begin(newcomers: Visitors) -> None:
    engineer, hunter = newcomers("ebba.only"), newcomers("hans.only")
    wall = engineer.get("/health").text
    assert "Nothing comes in yet" in wall
    assert "none has sent anything yet" in wall
    assert "All is well" not in wall
    assert 'href="/sources/add"' in wall
    assert "No source has sent anything yet" in engineer.get("/sources").text
    why = hunter.get("/search/why").text
    assert "Nothing is stored yet" in why
    assert "Nothing in all time either" in hunter.get("/search/why?q=user:bob").text
    both = newcomers("ada.lind").get("/search/why").text
    assert 'href="/sources/add"' in both
