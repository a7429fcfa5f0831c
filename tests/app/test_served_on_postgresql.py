"""A real server with its state on a real PostgreSQL: killed, it goes on where it was."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.app.flow.test_flow import ENCODED
from tests.postgres_server import PostgresServer
from tests.server_process import ServerProcess, ndjson, wait_until

pytestmark = pytest.mark.slow
SOURCE = "ws-07"
RULE = """
title: PowerShell runs what it is given encoded
id: aaaaaaaa-0000-4000-8000-00000000000a
logsource: {product: windows, category: process_creation}
detection:
  encoded: {CommandLine|contains: ' -EncodedCommand '}
  condition: encoded
level: high
"""


@pytest.fixture
def served(tmp_path: Path, postgres: PostgresServer) -> Iterator[tuple[ServerProcess, str]]:
    address = postgres.address(postgres.create_database())
    own = tmp_path / "home" / "rules"
    own.mkdir(parents=True)
    (own / "encoded.yml").write_text(RULE)
    server = ServerProcess(
        tmp_path / "home", TOCSIN_STORE__STATE=address, TOCSIN_DETECT__SHIPPED_PACK="false"
    )
    with server:
        yield server, address


def send(server: ServerProcess, *records: dict[str, Any]) -> None:
    answer = server.client.post(
        "/api/v1/events", params={"source": SOURCE}, content=ndjson(list(records))
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == len(records)


def stored(server: ServerProcess) -> int:
    answer = server.client.get("/api/v1/search", params={"q": f"source:{SOURCE}"})
    assert answer.status_code == 200, answer.text
    total: int = answer.json()["total"]
    return total


def alerts(server: ServerProcess) -> dict[str, int]:
    """How often each alert was raised, by its id."""
    answer = server.client.get("/api/v1/alerts")
    assert answer.status_code == 200, answer.text
    return {one["id"]: one["count"] for one in answer.json()["alerts"]}


def test_a_killed_server_goes_on_with_its_state_on_postgresql(
    served: tuple[ServerProcess, str],
) -> None:
    server, address = served
    now = datetime.now(UTC).isoformat()
    send(server, {**ENCODED, "UtcTime": now, "n": 0})
    wait_until(lambda: alerts(server), "an alert")
    before = alerts(server)
    sent = 1
    for number in (1, 2):  # killed with records on their way
        send(server, *({"n": number * 1000 + each, "at": now} for each in range(500)))
        sent += 500
        server.kill()
        server.start()
    wait_until(lambda: stored(server) == sent, "every record that was acknowledged, once")
    sources = server.client.get("/api/v1/sources").json()["sources"]
    (ledger,) = (one for one in sources if one["name"] == SOURCE)
    assert (ledger["received"], ledger["stored"], ledger["waiting"]) == (sent, sent, 0)
    assert alerts(server) == before, "no finding was lost, none raised twice"
    assert not list(server.home.rglob("*.sqlite"))
    with psycopg.connect(address) as connection:
        (rows,) = connection.execute("SELECT sum(rows) FROM segments").fetchone() or (0,)
    assert rows > sent, "the manifest in PostgreSQL names every event, findings too"
    assert server.stop() == 0
