"""Search jobs through the API."""

from fastapi.testclient import TestClient

from tocsin.app.wiring import Tocsin

JOBS = "/api/v1/search/jobs"


def _ended(house: Tocsin) -> None:
    for thread in list(house.searching.jobs._threads):
        thread.join(60)


def test_a_job_is_started_watched_read_and_forgotten(client: TestClient, house: Tocsin) -> None:
    lines = "\n".join(f'{{"message": "hello {number}"}}' for number in range(30))
    assert client.post("/api/v1/events", content=lines).json()["accepted"] == 30
    house.flow.drain()
    wanted = {"q": "hello", "from": "now-1h", "size": 25, "buckets": 4}
    started = client.post(JOBS, json=wanted)
    assert started.status_code == 202, started.text
    place = started.headers["location"]
    _ended(house)
    told = client.get(place).json()
    assert (told["state"], told["found"], told["kept"]) == ("done", 30, 25)
    assert told["segments_done"] == told["segments_total"] > 0
    assert sum(one["count"] for one in told["buckets"]) == 30
    page = client.get(f"{place}/events", params={"offset": 10, "size": 10}).json()
    assert (len(page["events"]), page["next_offset"], page["total"]) == (10, 20, 30)
    assert page["events"][0]["time"] >= page["events"][-1]["time"]
    assert client.get(f"{place}/events", params={"offset": 20}).json()["next_offset"] is None
    (listed,) = client.get(JOBS).json()["jobs"]
    assert listed["id"] == told["id"]
    client.delete(place)
    gone = client.get(place)
    assert gone.status_code == 404
    assert "ask again" in gone.json()["detail"]


def test_what_can_t_be_asked_is_told_at_once(client: TestClient) -> None:
    refused = client.post(JOBS, json={"q": "a AND ("})
    assert (refused.status_code, refused.json()["at"]) == (400, 7)
    assert client.post(JOBS, json={"from": "tomorrow"}).status_code == 400
    assert client.delete(f"{JOBS}/none").status_code == 404


def test_too_many_searches_at_once_are_told_to_come_again(
    client: TestClient, house: Tocsin
) -> None:
    house.searching.turns._waiting += [("token:engineer", None)] * 40  # type: ignore[list-item]
    house.searching.turns._at_once = 0
    refused = client.get("/api/v1/search")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "5"
