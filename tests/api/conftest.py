"""A house without the shipped pack, and an engineer who speaks to its API."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.api.sending import Door, close_door, open_door
from tocsin.api.application import create_api
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.model.principal import Role


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Tocsin]:
    """Rules that a test puts into ``home/rules`` before it asks for this are in force."""
    settings = load_settings(
        home=tmp_path / "home", syslog__enabled=False, detect__shipped_pack=False
    )
    opened = open_tocsin(settings)
    yield opened
    opened.close()


@pytest.fixture
def client(house: Tocsin) -> Iterator[TestClient]:
    token = house.access.create_token(
        "engineer", [Role.ENGINEER], lifetime_s=3600, by="test", now=datetime.now(UTC)
    )
    with TestClient(create_api(house), headers={"Authorization": f"Bearer {token}"}) as opened:
        yield opened


@pytest.fixture(scope="module")
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """A door for a module's tests, for bodies of its ``BODY_LIMIT_BYTES`` at most."""
    limit = request.module.BODY_LIMIT_BYTES
    door = open_door(tmp_path_factory.mktemp("home"), http__body_limit_bytes=limit)
    yield door
    close_door(door)


@pytest.fixture
def door(opened: Door) -> Door:
    """A door whose spool is empty: answers do not depend on what other tests sent."""
    opened.house.flow.drain()
    return opened
