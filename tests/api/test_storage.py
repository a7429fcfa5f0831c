"""Programs see what fills the disk, set how long events are kept, and place and lift holds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from tests.kept_events import store_events
from tocsin.api.application import create_api
from tocsin.app.wiring import Tocsin
from tocsin.model.principal import Role


@pytest.fixture
def client(house: Tocsin) -> Iterator[TestClient]:
    """The administrator's, over a store with events of half a year."""
    now = datetime.now(UTC)
    for days, count in ((180, 2), (120, 2), (5, 6), (0.1, 30)):
        store_events(house.events, house.state, now - timedelta(days=days), count)
    store_events(house.events, house.state, now - timedelta(days=3), 20, sources=("web",))
    token = house.access.create_token(
        "root", [Role.ADMINISTRATOR], lifetime_s=3600, by="test", now=now
    )
    with TestClient(create_api(house), headers={"Authorization": f"Bearer {token}"}) as opened:
        yield opened


def left(house: Tocsin) -> int:
    house.storage_watch.look(datetime.now(UTC))
    return house.events.count()


def test_from_a_preview_over_a_hold_to_what_is_deleted(house: Tocsin, client: TestClient) -> None:
    storage = client.get("/api/v1/storage").json()
    assert storage["events"] == 60
    assert [(one["source"], one["events"]) for one in storage["sources"]] == [
        ("sensor", 40),
        ("web", 20),
    ]
    assert storage["sources"][0]["rule"] == "kept for ever"
    assert sum(one["size_bytes"] for one in storage["days"]) == storage["size_bytes"]
    assert storage["forecast"]["is_known"] is True
    assert storage["forecast"]["bytes_a_day"] > 0
    wanted = {"name": "all", "keep_days": 90}
    told = client.post("/api/v1/retention/preview", json=wanted).json()
    assert (told["events"], told["asks"]) == (4, "")
    assert [(one["rule"], one["source"], one["events"]) for one in told["sources"]] == [
        ("all", "sensor", 4)
    ]
    held = {
        "name": "Case 4",
        "reason": "the court asked",
        "sources": ["sensor"],
        "to": (datetime.now(UTC) - timedelta(days=150)).isoformat(),
    }
    hold = client.post("/api/v1/holds", json=held).json()
    assert hold["placed_by"] == "token:root"
    assert client.post("/api/v1/retention/preview", json=wanted).json()["events"] == 2
    assert client.post("/api/v1/retention/rules", json=wanted).status_code == 201
    assert left(house) == 58
    assert client.get("/api/v1/storage").json()["held_bytes"] > 0
    lifted = client.post(f"/api/v1/holds/{hold['id']}/lift", json={"because": "done"}).json()
    assert lifted["lifted_because"] == "done"
    house.storage_watch.look_again()
    assert left(house) == 58, "there is a day to place it again"
    house.storage_watch.look_again()
    house.storage_watch.look(datetime.now(UTC) + timedelta(days=1))
    assert house.events.count() == 56
    assert client.delete("/api/v1/retention/rules", params={"name": "all"}).json() == {
        "removed": "all"
    }
    assert client.get("/api/v1/retention").json()["rules"] == []
    actions = [one["action"] for one in client.get("/api/v1/audit").json()["entries"]]
    assert [one for one in actions if one.startswith(("retention", "hold"))] == [
        "retention.remove",
        "retention.delete",
        "hold.lift",
        "retention.delete",
        "retention.set",
        "hold.place",
    ]


def test_what_a_filter_finds_is_held(house: Tocsin, client: TestClient) -> None:
    held = {"name": "Case 5", "reason": "the court asked", "matching": "native.n:0"}
    assert client.post("/api/v1/holds", json=held).json()["matching"] == "native.n:0"
    wanted = {"name": "all", "keep_days": 90}
    assert client.post("/api/v1/retention/preview", json=wanted).json()["events"] == 2
    wrong = client.post("/api/v1/holds", json={**held, "name": "b", "matching": "usr:lee"})
    assert wrong.status_code == 409
    assert "did you mean user" in wrong.json()["detail"]


def test_what_would_delete_much_must_have_been_seen(house: Tocsin, client: TestClient) -> None:
    wanted = {"name": "all", "keep_days": 1}
    refused = client.post("/api/v1/retention/rules", json=wanted)
    assert refused.status_code == 409
    assert "50% of all, would go at once" in refused.json()["detail"]
    assert client.get("/api/v1/retention").json()["rules"] == []
    sure = client.post("/api/v1/retention/rules", json={**wanted, "seen_events": 30})
    assert sure.status_code == 201, sure.text
    assert left(house) == 30


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "told"),
    [
        ("POST", "retention/rules", {"name": "a", "keep_days": 0}, 422, "keep_days"),
        ("POST", "retention/rules", {"name": "a", "keepdays": 9}, 422, "keepdays"),
        ("POST", "retention/preview", {"name": "", "keep_days": 9}, 422, "name"),
        ("DELETE", "retention/rules?name=none", None, 409, "no rule of retention named"),
        ("POST", "retention/go-on", {"seen_events": -1}, 422, "seen_events"),
        ("POST", "holds", {"name": "a", "reason": ""}, 409, "say why"),
        ("POST", "holds", {"name": "a", "reason": "b", "from": "2026-01-01T00:00:00"}, 422, "from"),
        ("POST", "holds/none/lift", {"because": "b"}, 409, "no hold 'none' in force"),
    ],
)
def test_what_makes_no_sense_is_refused_and_told(
    client: TestClient, method: str, path: str, body: object, status: int, told: str
) -> None:
    answer = client.request(method, f"/api/v1/{path}", json=body)
    assert answer.status_code == status
    assert told in answer.text
