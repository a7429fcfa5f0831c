"""Rules tell over the API whether they can match, and why they find an event or not."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.app.flow.test_flow import ENCODED
from tocsin.api.application import create_api
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.cutting.lines import split_lines
from tocsin.model.principal import Role

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    folder: Path = tmp_path_factory.mktemp("home")
    opened = open_tocsin(load_settings(home=folder, syslog__enabled=False))
    record = json.dumps(ENCODED).encode()
    opened.spool.append(split_lines(record, source="ws-07", received_at=NOW))
    opened.flow.drain()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(house: Tocsin) -> Iterator[TestClient]:
    token = house.access.create_token("test", [Role.ENGINEER], lifetime_s=3600, by="t", now=NOW)
    with TestClient(create_api(house), headers={"Authorization": f"Bearer {token}"}) as opened:
        yield opened


def test_every_listed_rule_has_its_reach(client: TestClient) -> None:
    rules = client.get("/api/v1/rules").json()["rules"]
    able = [one for one in rules if one["reach"]["can_match"]]
    assert 0 < len(able) < len(rules)
    unable = next(one for one in rules if not one["reach"]["can_match"])
    assert unable["reach"]["reason"]
    one = client.get(f"/api/v1/rules/{unable['id']}").json()
    assert one["reach"] == unable["reach"]
    health = client.get("/api/v1/rules/health").json()
    assert health["counts"]["can_match"] == len(able)
    assert not health["rules"][0]["reach"]["can_match"]
    assert client.get("/api/v1/rules/fields").json()["seen"]


def test_a_rule_is_explained_on_a_stored_event_and_on_a_record(
    client: TestClient, house: Tocsin
) -> None:
    with house.state.read() as tx:
        alert = house.alerts.page(tx).items[0]
    path = f"/api/v1/rules/{alert.rule_id}/explain"
    stored: dict[str, Any] = client.post(
        path, json={"event_id": alert.exemplars[0].event_id}
    ).json()
    given = client.post(path, json={"event": ENCODED}).json()
    assert stored["matches"] is given["matches"] is True
    assert stored["parts"] == given["parts"]
    missed = client.post(path, json={"event": {**ENCODED, "CommandLine": "x", "Image": "y"}})
    assert missed.json()["matches"] is False
    assert missed.json()["blamed"]


def test_what_can_not_be_explained_is_a_problem(client: TestClient, house: Tocsin) -> None:
    rule_id = house.ruleset.rules[0].rule.id
    path = f"/api/v1/rules/{rule_id}/explain"
    assert client.post(path, json={}).status_code == 422
    assert client.post(path, json={"event_id": "gone"}).status_code == 404
    assert client.post("/api/v1/rules/gone/explain", json={"event": {}}).status_code == 404
    health = house.ruleset.health[0].rule.id
    answer = client.post(f"/api/v1/rules/{health}/explain", json={"event": ENCODED})
    assert answer.status_code == 422
    assert "measurements" in answer.json()["detail"]
