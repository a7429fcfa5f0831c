"""kill -9 at ten random points of ingest: what was acknowledged is stored, each record once."""

import random
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.server_process import ServerProcess, ndjson, wait_until

KILLS = 10
BATCH = 200


@pytest.mark.slow
def test_kill_at_ten_random_points(tmp_path: Path) -> None:
    chance = random.Random(20261121)  # noqa: S311
    acknowledged: set[int] = set()
    sent = 0
    server = ServerProcess(tmp_path / "home")
    for _ in range(KILLS):
        server.start()
        timer = threading.Timer(chance.uniform(0.05, 1.2), server.kill)
        timer.start()
        while True:
            numbers = range(sent, sent + BATCH)
            sent += BATCH
            try:
                answer = server.client.post(
                    "/api/v1/events",
                    content=ndjson([_record(number) for number in numbers]),
                    params={"source": "crash-test"},
                )
            except httpx2.HTTPError:
                break
            assert answer.status_code == 200, answer.text
            assert answer.json()["accepted"] == BATCH
            acknowledged.update(numbers)
        timer.join()
    with server:
        wait_until(lambda: _waiting(server) == 0, "the spool to be empty")
        stored = _stored_numbers(server)
    assert len(acknowledged) > 0
    assert acknowledged <= set(stored), "acknowledged records are missing"
    twice = [number for number, times in stored.items() if times > 1]
    assert not twice, f"stored more than once: {twice[:10]}"
    # A batch on disk whose acknowledgement the kill cut off may be stored too: one a kill.
    assert len(stored) - len(acknowledged) <= KILLS * BATCH


def _record(number: int) -> dict[str, Any]:
    return {"timestamp": "2026-11-21T10:00:00Z", "number": number, "message": f"record {number}"}


def _waiting(server: ServerProcess) -> int:
    waiting: int = server.client.get("/api/v1/sources").json()["waiting_bytes"]
    return waiting


def _stored_numbers(server: ServerProcess) -> Counter[int]:
    counted: Counter[int] = Counter()
    cursor = None
    while True:
        params = {"q": "source:crash-test", "size": 10_000}
        if cursor:
            params["cursor"] = cursor
        page = server.client.get("/api/v1/search", params=params).json()
        counted.update(event["native"]["number"] for event in page["events"])
        cursor = page["next_cursor"]
        if not cursor:
            assert sum(counted.values()) == page["total"]
            return counted
