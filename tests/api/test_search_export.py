"""A search is exported whole, in each format, and holds nothing a spreadsheet would run."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from tocsin.api.application import create_api
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import open_tocsin
from tocsin.model.principal import Role

EXPORT = "/api/v1/search/export"
ROWS = 5000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One house for the module, which only asks: a process to export starts once."""
    home: Path = tmp_path_factory.mktemp("export") / "home"
    house = open_tocsin(load_settings(home=home, syslog__enabled=False, detect__shipped_pack=False))
    token = house.access.create_token(
        "engineer", [Role.ENGINEER], lifetime_s=3600, by="test", now=datetime.now(UTC)
    )
    lines = [json.dumps({"message": f"line {n}", "n": n}) for n in range(ROWS)]
    lines.append(json.dumps({"message": '=HYPERLINK("http://evil.example")', "n": -1}))
    with TestClient(create_api(house), headers={"Authorization": f"Bearer {token}"}) as opened:
        assert opened.post("/api/v1/events", content="\n".join(lines)).status_code == 200
        house.flow.drain()
        yield opened
    house.close()


def test_every_event_comes_as_ndjson_like_the_api_has_it(client: TestClient) -> None:
    answer = client.get(EXPORT, params={"format": "ndjson"})
    assert answer.headers["x-tocsin-total"] == str(ROWS + 1)
    events = [json.loads(line) for line in answer.content.splitlines()]
    assert sorted(event["native"]["n"] for event in events) == list(range(-1, ROWS))
    one = next(event for event in events if event["native"]["n"] == 7)
    assert one == client.get(f"/api/v1/events/{one['event_id']}").json()


def test_a_table_has_the_columns_asked_for_and_no_formula(client: TestClient) -> None:
    answer = client.get(EXPORT, params={"format": "csv", "columns": "native.n, message, time"})
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header == ["native.n", "message", "time"]
    assert len(rows) == ROWS + 1
    by_number = {row[0]: row for row in rows}
    assert by_number["7"][1] == "line 7"
    assert by_number["-1"][1] == '\'=HYPERLINK("http://evil.example")'
    assert datetime.fromisoformat(by_number["7"][2]).tzinfo is not None
    header, *_ = csv.reader(io.StringIO(client.get(EXPORT, params={"format": "csv"}).text))
    assert header[:3] == ["time", "event_id", "source"]


def test_any_engine_reads_the_parquet_file(client: TestClient) -> None:
    answer = client.get(EXPORT, params={"format": "parquet", "q": "native.n:[10 TO 19]"})
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.num_rows == 10
    assert sorted(json.loads(text)["n"] for text in table["native"].to_pylist()) == list(
        range(10, 20)
    )
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    empty = client.get(EXPORT, params={"format": "parquet", "q": "native.n:77777"})
    assert pq.read_table(io.BytesIO(empty.content)).num_rows == 0


def test_what_can_t_be_exported_is_told_before_anything_is_sent(client: TestClient) -> None:
    assert client.get(EXPORT, params={"q": "a AND ("}).json()["at"] == 7
    refused = client.get(EXPORT, params={"columns": "no.such"})
    assert refused.status_code == 400
    assert "no.such" in refused.json()["detail"]
    assert client.get(EXPORT, params={"format": "xlsx"}).status_code == 422


def test_an_export_that_is_over_leaves_its_place(client: TestClient) -> None:
    for _ in range(3):
        assert client.get(EXPORT, params={"q": "native.n:1"}).status_code == 200
    house = client.app.state.tocsin  # type: ignore[attr-defined]
    assert house.searching.export_turns._running.total() == 0


def test_the_audit_chain_is_told(client: TestClient) -> None:
    client.get(EXPORT, params={"q": "native.n:4"})
    house = client.app.state.tocsin  # type: ignore[attr-defined]
    with house.state.read() as tx:
        entries = house.audit.page(tx).items
    (entry,) = [one for one in entries if one.detail == "native.n:4"]
    assert (entry.actor, entry.action, entry.subject) == (
        "token:engineer",
        "events.export",
        "ndjson",
    )
