"""POST /in/<name>: signed requests are on disk when they are answered, others are counted."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tocsin.api.application import create_api
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.pull.pull_book import RefusedCount

DOORS = ("once", "form", "wrong", "broken")
CONFIG = """
[[webhooks]]
name = "chat"
scheme = "slack"
secret_file = "{secret}"

[[webhooks]]
name = "keyless"
secret_env = "TOCSIN_TEST_NO_SUCH_SECRET"
"""
DOOR = """
[[webhooks]]
name = "{name}"
scheme = "github"
secret_file = "{secret}"
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    """One for all: each test has a door, and so a source, of its own."""
    folder = tmp_path_factory.mktemp("webhooks")
    secret = folder / "secret"
    secret.write_text("s3cret\n")
    config = folder / "tocsin.toml"
    doors = [DOOR.format(name=name, secret=secret) for name in DOORS]
    config.write_text(CONFIG.format(secret=secret) + "".join(doors))
    settings = load_settings(
        config, home=folder / "home", syslog__enabled=False, detect__shipped_pack=False
    )
    opened = open_tocsin(settings)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(house: Tocsin) -> Iterator[TestClient]:
    with TestClient(create_api(house)) as opened:
        yield opened


def _github(body: bytes, delivery: str = "d-1", secret: bytes = b"s3cret") -> dict[str, str]:
    mac = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {
        "X-Hub-Signature-256": f"sha256={mac}",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery,
    }


def _events(house: Tocsin, door: str) -> list[str]:
    """The native fields of what came in by a door, as text."""
    house.flow.drain()
    _, rows, _ = house.events.sql(
        "SELECT source, native FROM events WHERE source LIKE 'webhook/%' ORDER BY event_id", 100
    )
    return [str(row[1]) for row in rows if row[0] == f"webhook/{door}"]


def test_a_signed_delivery_is_stored_once_with_what_its_headers_say(
    house: Tocsin, client: TestClient
) -> None:
    body = b'{"ref":"refs/heads/main","n":12345678901234567890}'
    answer = client.post("/in/once", content=body, headers=_github(body))
    assert (answer.status_code, answer.json()) == (200, {"accepted": True, "repeated": False})
    answer = client.post("/in/once", content=body, headers=_github(body))
    assert answer.json() == {"accepted": False, "repeated": True}
    answer = client.post("/in/once", content=body, headers=_github(body, "d-2"))
    assert answer.json()["accepted"]
    first, second = _events(house, "once")
    assert "push" in first
    assert "d-2" in second


def test_a_delivery_is_known_after_a_restart(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    config = tmp_path / "tocsin.toml"
    config.write_text(
        DOOR.format(name="once", secret=secret) + DOOR.format(name="other", secret=secret)
    )
    settings = load_settings(
        config, home=tmp_path / "home", syslog__enabled=False, detect__shipped_pack=False
    )
    body = b'{"ref":"refs/heads/main"}'
    headers = {name.lower(): value for name, value in _github(body).items()}
    for is_repeated in (False, True):
        house = open_tocsin(settings)
        try:
            assert house.webhooks.take("once", headers, body, "x").is_repeated is is_repeated
        finally:
            house.close()
    house = open_tocsin(settings)
    try:
        assert not house.webhooks.take("other", headers, body, "x").is_repeated
    finally:
        house.close()


def test_a_form_holds_its_payload(house: Tocsin, client: TestClient) -> None:
    body = b"payload=%7B%22action%22%3A%22opened%22%7D"
    headers = {**_github(body), "Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/in/form", content=body, headers=headers).status_code == 200
    assert "opened" in _events(house, "form")[0]


def test_who_signs_wrong_is_told_why_and_counted(house: Tocsin, client: TestClient) -> None:
    body = b'{"action":"opened"}'
    for secret in (b"wrong", b"wrong again"):
        answer = client.post("/in/wrong", content=body, headers=_github(body, "x", secret))
        assert answer.status_code == 401
        assert "wrong signature" in answer.json()["detail"]
    assert client.post("/in/wrong", content=body).status_code == 401
    assert client.post("/in/nobody", content=body).status_code == 404
    assert _events(house, "wrong") == []
    told = {"wrong signature": 2, "not signed": 1}
    door = next(one for one in house.intakes() if one.name == "webhook/wrong")
    assert door.refused == told
    house.webhooks.close()  # as a stop does
    assert RefusedCount(house.state, "webhook/wrong").by_reason() == told


def test_slack_s_question_is_answered(client: TestClient) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    told = str(int(time.time()))
    mac = hmac.new(b"s3cret", b"v0:%s:%s" % (told.encode(), body), hashlib.sha256).hexdigest()
    headers = {"X-Slack-Signature": f"v0={mac}", "X-Slack-Request-Timestamp": told}
    answer = client.post("/in/chat", content=body, headers=headers)
    assert answer.json() == {"challenge": "abc"}


def test_without_its_secret_nobody_is_let_in(client: TestClient) -> None:
    answer = client.post("/in/keyless", content=b"{}")
    assert answer.status_code == 503
    assert "TOCSIN_TEST_NO_SUCH_SECRET" in answer.json()["detail"]


def test_what_is_no_json_is_kept(house: Tocsin, client: TestClient) -> None:
    body = b'{"cut'
    answer = client.post("/in/broken", content=body, headers=_github(body))
    assert answer.status_code == 200
    assert _events(house, "broken") == []
    with house.state.read() as tx:
        assert house.sources.quarantined(tx, "webhook/broken").total == 1
