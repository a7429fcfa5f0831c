"""Saved searches through the API."""

from fastapi.testclient import TestClient


def test_a_search_is_kept_listed_and_forgotten(client: TestClient) -> None:
    wanted = {"name": "Root over SSH", "query": "user.name:root", "from": "now-7d"}
    kept = client.post("/api/v1/searches", json=wanted)
    assert kept.status_code == 201, kept.text
    assert kept.json()["owner"] == "token:engineer"
    (listed,) = client.get("/api/v1/searches").json()["searches"]
    assert listed == kept.json()
    assert listed["start"] == "now-7d"
    assert not listed["is_shared"]
    gone = client.delete(f"/api/v1/searches/{listed['id']}")
    assert gone.json()["name"] == "Root over SSH"
    assert client.get("/api/v1/searches").json() == {"searches": []}


def test_what_can_t_be_kept_is_told(client: TestClient) -> None:
    refused = client.post("/api/v1/searches", json={"name": "x", "query": "a AND ("})
    assert refused.status_code == 400
    assert refused.json()["at"] == 7
    refused = client.post("/api/v1/searches", json={"name": "x", "from": "tomorrow"})
    assert "is not a time" in refused.json()["detail"]
    assert client.delete("/api/v1/searches/none").status_code == 404
