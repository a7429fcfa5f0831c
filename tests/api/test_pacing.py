"""A sender that is quicker than the flow waits for it, and never for long."""

import threading

import pytest
from fastapi.testclient import TestClient

from tocsin.api.routes import ingest
from tocsin.app.flow.decoding_ahead import DecodingAhead
from tocsin.app.wiring import Tocsin
from tocsin.store.errors import SpoolFull

RECORDS = 4_000
BODY = b'{"text": "%s"}\n' % (b"a" * 100) * RECORDS  # above what is only looked through


@pytest.fixture
def small(house: Tocsin, monkeypatch: pytest.MonkeyPatch) -> DecodingAhead:
    """The house keeps hardly more than one such body decoded."""
    kept = DecodingAhead(limit_bytes=len(BODY) + 100 * RECORDS + 1)
    monkeypatch.setattr(house, "decoding", kept)
    return kept


def send(client: TestClient) -> dict[str, object]:
    answer = client.post("/api/v1/events", content=BODY, params={"source": "app"})
    assert answer.status_code == 200
    return dict(answer.json())


def test_a_flow_that_stands_still_holds_no_sender(
    client: TestClient, small: DecodingAhead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_LONGEST_PACE_S", 0.05)
    assert send(client)["accepted"] == RECORDS
    assert small.is_behind
    assert send(client)["accepted"] == RECORDS


def test_a_sender_is_answered_once_the_flow_has_taken_what_waits(
    house: Tocsin, client: TestClient, small: DecodingAhead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_LONGEST_PACE_S", 60.0)
    is_answered = threading.Event()

    def sending() -> None:
        send(client)
        is_answered.set()

    sender = threading.Thread(target=sending)
    sender.start()
    while not house.spool.backlog_bytes():
        assert not is_answered.wait(0.01)
    assert small.is_behind
    waiting = [entry.batch for entry in house.spool.read(house.spool.committed(), 1 << 30)]
    assert not is_answered.is_set()
    small.taken(waiting)
    assert is_answered.wait(30)
    sender.join()


def test_what_was_refused_makes_no_later_sender_wait(
    house: Tocsin, client: TestClient, small: DecodingAhead, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise SpoolFull("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(house.spool, "append", full)
        refused = client.post("/api/v1/events", content=BODY, params={"source": "app"})
    assert refused.status_code in {429, 503}
    assert not small.is_behind
