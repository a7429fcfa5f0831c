"""Elastic's senders: their handshake goes through, and every document is answered for."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from tests.api.sending import Door, close_door, open_door
from tocsin.cli.server import create_application
from tocsin.ingest.bodies.bulk_body import source_part

PREFIXES = ["", "/elastic"]
BEAT = {"User-Agent": "Elastic-Filebeat/8.19.7 (linux; amd64)", "Accept": "application/json"}
BODY_LIMIT_BYTES = 2_000_000


def ask(door: Door, method: str, path: str, body: bytes = b"", **headers: str) -> httpx2.Response:
    told = {"Authorization": f"ApiKey {door.token}", "Accept": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    answer: httpx2.Response = door.client.request(method, path, content=body, headers=told)
    return answer


def lines(*values: Any) -> bytes:
    return b"".join(
        (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n"
        for value in values
    )


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", ["/_bulk", "/{index}/_bulk"])
def test_documents_are_found(door: Door, prefix: str, path: str) -> None:
    mark = f"bulk{prefix.strip('/')}{len(path)}"
    action = {"create": {"_index": "logs-app-default"}} if "index" not in path else {"create": {}}
    body = lines(
        action,
        {"@timestamp": "2023-11-14T22:13:20.000Z", "mark": mark, "host": {"name": "db-1"}},
        action,
        {"@timestamp": "2023-11-14T22:13:21.000Z", "mark": mark},
    )
    answer = ask(door, "POST", prefix + path.format(index="logs-app-default"), body)
    told = answer.json()
    assert answer.status_code == 200
    assert answer.headers["x-elastic-product"] == "Elasticsearch"
    assert not told["errors"]
    assert [item["create"]["status"] for item in told["items"]] == [201, 201]
    assert len({item["create"]["_id"] for item in told["items"]}) == 2
    found = door.found(f"native.mark:{mark}")
    assert [one["source"] for one in found] == ["elastic/agent/logs-app-default"] * 2
    assert found[0]["time"].startswith("2023-11-14T22:13:20")


def test_each_document_is_answered_for(door: Door) -> None:
    body = lines(
        {"index": {"_index": "mix", "_id": "a1"}},
        {"mark": "each"},
        {"index": {"_index": "mix"}},
        b'{"mark": broken',
        {"delete": {"_index": "mix", "_id": "a1"}},
        {"update": {"_index": "mix", "_id": "a1"}},
        {"doc": {"mark": "each"}},
        {"create": {"_index": "other"}},
        b'"text"',
        {"index": {}},
        {"mark": "each"},
        {"create": {"_index": "other", "_id": 7}},
        {"mark": "each"},
    )
    told = ask(door, "POST", "/_bulk", body).json()
    assert told["errors"]
    items = [(verb, one["status"]) for item in told["items"] for verb, one in item.items()]
    assert items == [
        ("index", 201),
        ("index", 400),
        ("delete", 400),
        ("update", 400),
        ("create", 400),
        ("index", 400),
        ("create", 201),
    ]
    reasons = [one.get("error", {}).get("reason") for i in told["items"] for one in i.values()]
    assert "not JSON" in reasons[1]
    assert "do not change" in reasons[2]
    assert "no index" in reasons[5]
    assert sorted(one["native"]["_id"] for one in door.found("native.mark:each")) == ["7", "a1"]
    ledgers = door.ledgers()
    assert ledgers["elastic/agent/mix"] == (2, 1, 1)
    assert ledgers["elastic/agent/other"] == (2, 1, 1)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no body"),
        (b"\n\n", "no body"),
        (b'{"index":{}\n{}\n', "line 1"),
        (b'{"index":{"_index":"a"}}\n{}\n{"frobnicate":{}}\n{}\n', "line 3"),
        (b'{"index":{"_index":"a"}}\n', "line 2"),
        (b'{"index":{"_index":5}}\n{}\n', "line 1"),
        (b'{"index":{"_index":"a","_id":[]}}\n{}\n', "line 1"),
        (b"[]\n{}\n", "line 1"),
        (b"0\n{}\n", "line 1"),
        (b'{"index":{},"create":{}}\n{}\n', "line 1"),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_whole(door: Door, body: bytes, says: str) -> None:
    before = door.ledgers()
    answer = ask(door, "POST", "/_bulk", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "illegal_argument_exception"
    assert says in answer.json()["error"]["reason"]
    assert door.ledgers() == before


def test_parts_of_the_answer_can_be_left_out(door: Door) -> None:
    body = lines({"index": {"_index": "f"}}, {"a": 1}, {"index": {"_index": "f"}}, b"{")
    path = "/_bulk?filter_path=errors,items.*.error,items.*.status"
    told = ask(door, "POST", path, body).json()
    assert told.keys() == {"errors", "items"}
    assert told["items"][0] == {"index": {"status": 201}}
    assert told["items"][1]["index"].keys() == {"status", "error"}
    told = ask(door, "POST", "/_bulk?filter_path=took,items.*.error", body).json()
    assert [item["index"].keys() for item in told["items"]] == [{"error"}]
    told = ask(door, "POST", "/_bulk?filter_path=-took,items", body).json()
    assert len(told["items"][0]["index"]) > 3


@pytest.mark.parametrize(
    ("method", "path", "id"),
    [
        ("POST", "/one/_doc", None),
        ("PUT", "/one/_doc/d-1", "d-1"),
        ("POST", "/elastic/one/_create/d-2", "d-2"),
    ],
)
def test_a_document_may_come_alone(door: Door, method: str, path: str, id: str | None) -> None:
    mark = f"alone{id}"
    body = json.dumps({"mark": mark}, indent=1).encode()
    answer = ask(door, method, path, body)
    assert answer.status_code == 201
    assert answer.json()["result"] == "created"
    (found,) = door.found(f'native.mark:"{mark}"')
    assert found["native"].get("_id") == id
    broken = ask(door, method, path.replace("d-", "broken-"), b"{")
    assert broken.status_code == 400
    assert ask(door, method, path).status_code == 400


def test_text_that_a_shipper_wraps_is_read(door: Door) -> None:
    document = {
        "@timestamp": "2023-11-14T23:00:00.000Z",
        "message": "Nov 14 22:13:20 bastion sshd[7]: Failed password for mallory from 192.0.2.7 port 22 ssh2",
        "log": {"file": {"path": "/var/log/auth.log"}, "offset": 4},
        "host": {"name": "relay"},
        "agent": {"type": "filebeat", "version": "8.19.7"},
        "event": {"module": "system", "dataset": "system.auth"},
    }
    plain = document | {"message": "nothing special", "tags": ["plain"]}
    body = lines({"create": {}}, document, {"create": {}}, plain)
    assert not ask(door, "POST", "/filebeat-8.19.7/_bulk", body).json()["errors"]
    (found,) = door.found("user:mallory")
    assert found["lane"] == "linux.sshd"
    assert found["native"]["elastic"]["log"] == document["log"]
    (whole,) = door.found("native.tags:plain")
    assert whole["native"]["message"] == "nothing special"
    assert whole["ocsf"]["device.hostname"] == "relay"


def test_an_index_of_the_day_is_the_same_source(door: Door) -> None:
    names = ["winlogbeat-2026.11.22", "winlogbeat-2026.11", "winlogbeat-20261122"]
    assert {source_part(name) for name in names} == {"winlogbeat"}
    assert source_part("filebeat-8.19.7-2026.11.22-000001") == "filebeat-8.19.7"
    assert source_part("logs-nginx.access-default") == "logs-nginx.access-default"


def test_a_large_packed_body_goes_through_by_shape(door: Door) -> None:
    pairs = [
        value
        for n in range(3_000)
        for value in ({"index": {"_index": f"big-{n % 2}"}}, {"mark": "large", "n": n})
    ]
    answer = ask(door, "POST", "/_bulk", gzip.compress(lines(*pairs)), Content_Encoding="gzip")
    assert not answer.json()["errors"]
    assert len(answer.json()["items"]) == 3_000
    ledgers = door.ledgers()
    assert ledgers["elastic/agent/big-0"] == ledgers["elastic/agent/big-1"] == (1_500, 1_500, 0)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_handshake_of_a_beat(door: Door, prefix: str) -> None:
    who = ask(door, "GET", f"{prefix}/", **BEAT)
    assert who.json()["version"]["number"] == "8.19.7"
    assert who.headers["x-elastic-product"] == "Elasticsearch"
    license = ask(door, "GET", f"{prefix}/_license?human=false").json()["license"]
    assert (license["status"], license["type"]) == ("active", "basic")
    assert ask(door, "GET", f"{prefix}/_xpack").json()["features"]["ilm"]["enabled"] is True
    assert ask(door, "GET", f"{prefix}/_cluster/health").json()["status"] == "green"
    for kind in [
        *("_ilm/policy", "_index_template", "_component_template", "_template"),
        *("_ingest/pipeline", "_data_stream", "_alias"),
    ]:
        path = f"{prefix}/{kind}/filebeat"
        assert ask(door, "HEAD", path).status_code == 200
        assert "filebeat" in ask(door, "GET", path).text
        assert ask(door, "PUT", path, b"{}").json() == {"acknowledged": True}


def test_a_client_is_answered_in_the_media_type_it_asks_for(door: Door) -> None:
    media = "application/vnd.elasticsearch+json; compatible-with=8"
    answer = ask(door, "GET", "/elastic", Accept=media)
    assert answer.headers["content-type"] == media.replace("; ", ";")
    assert answer.json()["version"]["number"].startswith("8.")


def test_a_browser_is_left_to_the_console(door: Door) -> None:
    told = {"Authorization": f"Basic {door.token}"}
    for headers in ({"Accept": "text/html,*/*"}, {}, told | {"Accept": "text/html"}):
        assert door.client.get("/", headers=headers).status_code == 404
    assert ask(door, "HEAD", "/").status_code == 200


@pytest.mark.parametrize(
    "scheme",
    ["ApiKey {token}", "ApiKey {pair}", "Basic {pair}", "Bearer {token}"],
)
def test_the_token_comes_in_any_of_elastics_ways(door: Door, scheme: str) -> None:
    pair = base64.b64encode(f"any:{door.token}".encode()).decode()
    authorization = scheme.format(token=door.token, pair=pair)
    body = lines({"index": {"_index": "auth"}}, {"a": 1})
    assert ask(door, "POST", "/_bulk", body, Authorization=authorization).status_code == 200


def test_wrong_tokens_are_told_so(door: Door) -> None:
    for authorization in ("", "ApiKey nope", "Basic eDp5", "Digest x"):
        answer = ask(door, "GET", "/elastic/", Authorization=authorization)
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "security_exception"
        assert "ApiKey" in answer.headers["www-authenticate"]


def test_what_is_not_there_is_told_in_json(door: Door) -> None:
    answer = ask(door, "GET", "/elastic/_search")
    assert answer.status_code == 404
    assert "/api/v1/search" in answer.json()["error"]["reason"]


def test_bombs_are_refused(door: Door) -> None:
    bomb = gzip.compress(b" " * 20_000_000)
    answer = ask(door, "POST", "/_bulk", bomb, Content_Encoding="gzip")
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "content_too_long_exception"


def test_a_full_spool_makes_the_sender_wait(tmp_path: Path) -> None:
    door = open_door(tmp_path, spool__limit_bytes=1 << 20)
    try:
        body = lines({"index": {"_index": "a"}}, {"text": "x" * 600_000})
        assert ask(door, "POST", "/_bulk", body).status_code == 200
        answer = ask(door, "POST", "/_bulk", body)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "5"
        told = answer.json()
        assert told["error"]["type"] == "es_rejected_execution_exception"
        assert (told["errors"], len(told["items"])) == (True, 1)
        item = told["items"][0]["index"]
        assert (item["_index"], item["status"]) == ("a", 429)
        assert item["error"]["type"] == "es_rejected_execution_exception"
        assert len(door.found()) == 1
        assert ask(door, "POST", "/_bulk", body).status_code == 200
    finally:
        close_door(door)


def test_beside_the_console_a_program_is_told_who_is_there(door: Door) -> None:
    with TestClient(create_application(door.house), follow_redirects=False) as both:
        told = {"Authorization": f"ApiKey {door.token}", "Accept": "application/json"}
        assert both.get("/", headers=told).json()["name"] == "tocsin"
        browser = both.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*"})
        assert browser.status_code in (302, 303)
        assert "/sign-in" in browser.headers["location"]
