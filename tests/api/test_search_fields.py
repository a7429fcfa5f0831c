"""Fields of the events found, and statistics of one, through the API."""

import json

from fastapi.testclient import TestClient

from tocsin.app.wiring import Tocsin


def test_fields_are_told_with_shares_and_statistics(client: TestClient, house: Tocsin) -> None:
    records = [
        {"message": f"hello {number}", "took": number * 10, **({"odd": 1} if number % 2 else {})}
        for number in range(11)
    ]
    lines = "\n".join(map(json.dumps, records))
    assert client.post("/api/v1/events", content=lines).json()["accepted"] == 11
    house.flow.drain()
    told = client.get("/api/v1/search/fields", params={"q": "hello"}).json()
    shares = {one["field"]: one for one in told["fields"]}
    assert (told["total"], told["sampled"]) == (11, 11)
    assert shares["native.took"]["share"] == 1
    assert shares["native.odd"]["events"] == 5
    took = client.get("/api/v1/search/statistics", params={"field": "native.took"}).json()
    assert (took["present"], took["distinct"], took["is_exact"]) == (11, 11, True)
    assert dict(zip(took["quantile_shares"], took["quantiles"], strict=True))[0.5] == 50
    oldest = client.get("/api/v1/search", params={"oldest_first": True}).json()["events"]
    newest = client.get("/api/v1/search").json()["events"]
    assert [one["event_id"] for one in oldest] == [one["event_id"] for one in reversed(newest)]
    refused = client.get("/api/v1/search/statistics", params={"field": "usr", "q": "a AND ("})
    assert (refused.status_code, refused.json()["at"]) == (400, 7)
