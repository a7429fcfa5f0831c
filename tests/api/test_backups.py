"""Backups over the API: how it went, and one now."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tocsin.api.application import create_api
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.model.principal import Role


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Tocsin]:
    settings = load_settings(
        home=tmp_path / "home",
        syslog__enabled=False,
        detect__shipped_pack=False,
        backup__target=str(tmp_path / "vault"),
    )
    opened = open_tocsin(settings)
    yield opened
    opened.close()


@pytest.fixture
def administrator(house: Tocsin) -> Iterator[TestClient]:
    token = house.access.create_token(
        "admin", [Role.ADMINISTRATOR], lifetime_s=3600, by="test", now=datetime.now(UTC)
    )
    with TestClient(create_api(house), headers={"Authorization": f"Bearer {token}"}) as opened:
        yield opened


def test_a_backup_is_asked_for_and_told_of(house: Tocsin, administrator: TestClient) -> None:
    before = administrator.get("/api/v1/backups").json()
    assert (before["records"], before["last_check"], before["under_way"]) == ([], None, None)
    assert administrator.post("/api/v1/backups").status_code == 202
    house.safekeeping.look(datetime.now(UTC))
    after = administrator.get("/api/v1/backups").json()
    (record,) = after["records"]
    assert (record["target"], record["error"]) == (house.settings.backup.target, "")
    assert after["next_at"] > record["good_at"]


def test_who_may_not_is_refused(client: TestClient) -> None:
    assert client.get("/api/v1/backups").status_code == 200
    assert client.post("/api/v1/backups").status_code == 403
