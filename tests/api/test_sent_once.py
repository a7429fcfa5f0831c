"""A body with a name of its sender's is stored once, however often it comes under it."""

import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tocsin.api.application import create_api
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.ingest.sources.seen_ids import SeenIds
from tocsin.model.principal import Role

DOOR = """
[[webhooks]]
name = "forge"
scheme = "github"
secret_file = "{secret}"
"""


def test_what_comes_again_under_its_name_is_not_stored_again(
    house: Tocsin, client: TestClient
) -> None:
    def send(once: str, source: str = "app") -> int:
        answer = client.post(
            "/api/v1/events", content=b'{"n": 1}\n', params={"source": source, "once": once}
        )
        assert answer.status_code == 200
        return int(answer.json()["accepted"])

    assert [send("a"), send("a"), send("b"), send("a", "other"), send(""), send("")] == [
        *(1, 0, 1, 1, 1, 1)
    ]
    house.flow.drain()
    assert house.events.count() == 5


def test_killed_between_the_records_and_their_note_all_of_it_is_stored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left on the disk is what a kill leaves there after the flush, before the note."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    config = tmp_path / "tocsin.toml"
    config.write_text(DOOR.format(secret=secret))
    settings = load_settings(
        config, home=tmp_path / "home", syslog__enabled=False, detect__shipped_pack=False
    )
    told = []
    for is_killed in (True, False):
        house = open_tocsin(settings)
        with monkeypatch.context() as killing:
            if is_killed:
                killing.setattr(SeenIds, "remember", lambda seen, keys: None)
            told.append(_send_each_way(house))
        if not is_killed:
            house.flow.drain()
            assert house.events.count() == 3
        house.close()
    assert told == [(1, 201, False), (0, 409, True)]


def _send_each_way(house: Tocsin) -> tuple[int, int, bool]:
    """A named body, a document with an id, a signed delivery; what the server says of each."""
    token = house.access.create_token(
        "app", [Role.ENGINEER], lifetime_s=3600, by="test", now=datetime.now(UTC)
    )
    delivery = b'{"n": 3}'
    signed = {
        "X-Hub-Signature-256": f"sha256={hmac.new(b's3cret', delivery, hashlib.sha256).hexdigest()}",
        "X-GitHub-Delivery": "d-1",
    }
    with TestClient(create_api(house), headers={"Authorization": f"Bearer {token}"}) as client:
        named = client.post("/api/v1/events?source=app&once=a", content=b'{"n": 1}\n').json()
        document = b'{"create":{"_index":"i","_id":"a"}}\n{"n": 2}\n'
        bulk = client.post("/_bulk", content=document).json()
        hook = client.post("/in/forge", content=delivery, headers=signed).json()
    return named["accepted"], bulk["items"][0]["create"]["status"], hook["repeated"]
