"""A body with a name of its sender's is stored once, however often it comes under it."""

from fastapi.testclient import TestClient

from tocsin.app.wiring import Tocsin


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
