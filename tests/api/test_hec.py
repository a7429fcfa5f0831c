"""Splunk's senders: what they send is found, and they are answered in their own words."""

import gzip
import json
from typing import Any

import pytest

from tests.api.sending import Door, close_door, dumped, open_door

CHANNEL = "FE0ECFAD-13D5-401B-847D-77833BD77131"
URL = "/services/collector"
BODY_LIMIT_BYTES = 200_000


def send(door: Door, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    told = {"Authorization": f"Splunk {door.token}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    answer = door.client.post(URL + path, content=body, headers=told)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("path", ["", "/event", "/event/1.0"])
def test_an_event_is_found_with_its_time_host_and_source(door: Door, path: str) -> None:
    mark = f"path-{path.strip('/').replace('/', '-')}-end"
    event = {
        "time": 1700000000.25,
        "host": "web-1",
        "source": "/var/log/app.json",
        "sourcetype": "app:json",
        "index": "main",
        "fields": {"dc": "eu", "tags": ["a", "b"]},
        "event": {"action": "login", "mark": mark},
    }
    assert send(door, path, dumped(event)) == (200, {"text": "Success", "code": 0})
    (found,) = door.found(f"native.mark:{mark}")
    assert found["source"] == "hec/agent/app:json"
    assert found["time"].startswith("2023-11-14T22:13:20.25")
    assert found["ocsf"]["device.hostname"] == "web-1"
    assert found["native"]["action"] == "login"
    assert found["native"]["hec"] == {key: event[key] for key in event if key != "event"}


def test_text_is_read_as_the_line_it_is(door: Door) -> None:
    line = (
        "<38>Nov 14 22:13:20 bastion sshd[7]: Failed password for eve from 192.0.2.9 port 22 ssh2"
    )
    status, _ = send(door, "/event", dumped({"event": line, "time": "1700000000", "host": "relay"}))
    assert status == 200
    (found,) = door.found("user:eve")
    assert found["lane"] == "linux.sshd"
    assert found["ocsf"]["src_endpoint.ip"] == "192.0.2.9"
    assert found["ocsf"]["device.hostname"] == "bastion"
    assert found["native"]["hec"] == {"time": "1700000000", "host": "relay"}


@pytest.mark.parametrize("between", ["", " ", "\n", "\r\n\r\n"])
def test_events_follow_one_another_in_any_way(door: Door, between: str) -> None:
    mark = f"joint{between.encode().hex()}"
    events = [
        {"event": {"mark": mark, "text": 'a } { "b"'}},
        {"event": {"mark": mark, "text": "}{"}},
        {"event": {"mark": mark, "inner": {"deep": {"er": "} {"}}}},
    ]
    body = between.join(json.dumps(event) for event in events).encode()
    assert send(door, "/event", body)[0] == 200
    natives = [one["native"] for one in door.found(f"native.mark:{mark}")]
    assert sorted(natives, key=str) == sorted((one["event"] for one in events), key=str)


def test_pretty_printed_events_are_taken(door: Door) -> None:
    body = json.dumps({"event": {"mark": "pretty"}, "host": "a"}, indent=2).encode()
    assert send(door, "/event", body * 2)[0] == 200
    assert len(door.found("native.mark:pretty")) == 2


def test_gzip_is_unpacked(door: Door) -> None:
    body = gzip.compress(dumped({"event": {"mark": "packed"}}))
    assert send(door, "/event", body, Content_Encoding="gzip")[0] == 200
    assert len(door.found("native.mark:packed")) == 1


def test_many_events_go_by_their_sourcetype(door: Door) -> None:
    events = [
        {"event": {"mark": "many", "n": n}, "sourcetype": f"kind{n % 3}"}
        if n % 4
        else {"event": {"mark": "many", "n": n}, "source": "by-source"}
        for n in range(2_000)
    ]
    assert send(door, "/event", dumped(*events))[0] == 200
    ledgers = door.ledgers()
    assert ledgers["hec/agent/by-source"] == (500, 500, 0)
    assert sum(ledgers[f"hec/agent/kind{n}"][1] for n in range(3)) == 1_500
    found = door.client.get(
        "/api/v1/search",
        params={"q": "native.mark:many", "size": 1},
        headers={"Authorization": f"Bearer {door.token}"},
    ).json()
    assert found["total"] == 2_000


def test_lines_of_raw_text_keep_what_the_query_says(door: Door) -> None:
    body = b'raw one\r\n{"mark": "rawjson"}\n\n{broken\ncaf\xe9\n'
    status, told = send(door, f"/raw?host=gw&sourcetype=raws&channel={CHANNEL}", body)
    assert (status, told["code"]) == (200, 0)
    found = [one for one in door.found("*") if one["source"] == "hec/agent/raws"]
    assert {one["native"].get("message") for one in found} == {"raw one", None, "{broken", "café"}
    assert all(one["native"]["hec"] == {"host": "gw", "sourcetype": "raws"} for one in found)
    assert [one for one in found if one["native"].get("mark") == "rawjson"]


def test_acknowledgement_ids_say_what_is_safe(door: Door) -> None:
    _, told = send(door, "/event", dumped({"event": "ack me"}), X_Splunk_Request_Channel=CHANNEL)
    asked = json.dumps({"acks": [told["ackId"], told["ackId"] + 10_000]}).encode()
    status, answer = send(door, f"/ack?channel={CHANNEL}", asked)
    assert status == 200
    assert answer == {"acks": {str(told["ackId"]): True, str(told["ackId"] + 10_000): False}}
    door.house.flow.drain()
    assert send(door, f"/ack?channel={CHANNEL}", asked) == (200, answer)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/event", b"", 400, 5),
        ("/event", b" \n ", 400, 5),
        ("/raw", b"\n\n", 400, 5),
        ("/event", b"{", 400, 6),
        ("/event", b"hello", 400, 6),
        ("/event", b'{"event": "a"} trailing', 400, 6),
        ("/event", b'{"time": 1}', 400, 12),
        ("/event", b'{"event": null}', 400, 12),
        ("/event", b'{"event": " "}', 400, 13),
        ("/event", b'{"event": "a", "fields": {"x": {"y": 1}}}', 400, 15),
        ("/event", b'{"event": "a", "fields": [1]}', 400, 15),
        ("/event?channel=mine", b'{"event": "a"}', 400, 11),
        ("/ack", b'{"acks": [1]}', 400, 10),
        (f"/ack?channel={CHANNEL}", b'{"acks": ["1"]}', 400, 6),
        (f"/ack?channel={CHANNEL}", b"[", 400, 6),
        ("/event", b'{"event": "' + b"x" * 200_000 + b'"}', 413, 27),
    ],
)
def test_what_is_wrong_is_told_by_splunks_code(
    door: Door, path: str, body: bytes, status: int, code: int
) -> None:
    answer, told = send(door, path, body)
    assert (answer, told["code"]) == (status, code)
    assert told["text"]
    assert told["detail"]


def test_an_unsound_event_is_named_and_the_others_are_kept(door: Door) -> None:
    before = door.ledgers().get("hec/agent", (0, 0, 0))
    body = dumped({"event": {"mark": "sound"}}, {"event": ""}, {"event": {"mark": "sound"}})
    status, told = send(door, "/event", body)
    assert (status, told["code"], told["invalid-event-number"]) == (400, 13, 1)
    assert len(door.found("native.mark:sound")) == 2
    after = door.ledgers()["hec/agent"]
    assert [now - then for now, then in zip(after, before, strict=True)] == [3, 2, 1]


def test_bombs_and_broken_packing_are_refused(door: Door) -> None:
    for packed, code in [
        (gzip.compress(b" " * 5_000_000), 27),
        (b"no gzip", 6),
        (gzip.compress(b"x" * 100)[:-4], 6),
        (gzip.compress(b"") * 2_000, 6),
    ]:
        assert send(door, "/event", packed, Content_Encoding="gzip")[1]["code"] == code
    assert send(door, "/event", b"x", Content_Encoding="zstd")[1]["code"] == 6


@pytest.mark.parametrize(
    ("headers", "query", "status", "code"),
    [
        ({}, "", 401, 2),
        ({}, "?token=toc_x", 400, 16),
        ({"Authorization": "Digest x"}, "", 401, 3),
        ({"Authorization": "Splunk toc_wrong"}, "", 403, 4),
    ],
)
def test_a_token_is_asked_for(
    door: Door, headers: dict[str, str], query: str, status: int, code: int
) -> None:
    answer = door.client.post(f"{URL}/event{query}", content=b'{"event":"a"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_token_may_come_as_a_password(door: Door) -> None:
    answer = door.client.post(
        f"{URL}/event", content=dumped({"event": "basic"}), auth=("x", door.token)
    )
    assert answer.json()["code"] == 0


def test_a_full_spool_makes_the_sender_wait(tmp_path: Any) -> None:
    door = open_door(tmp_path, spool__limit_bytes=1 << 20)
    try:
        body = dumped({"event": "x" * 600_000})
        assert send(door, "/event", body)[0] == 200
        answer = door.client.post(
            f"{URL}/event", content=body, headers={"Authorization": f"Splunk {door.token}"}
        )
        assert answer.status_code == 503
        assert answer.json()["code"] == 9
        assert answer.headers["retry-after"] == "5"
        assert len(door.found()) == 1
        assert send(door, "/event", body)[0] == 200
    finally:
        close_door(door)


def test_health_is_told_to_anyone(door: Door) -> None:
    answer = door.client.get(f"{URL}/health")
    assert (answer.status_code, answer.json()) == (200, {"text": "HEC is healthy", "code": 17})


def test_dockers_log_driver_is_answered_before_it_sends(door: Door) -> None:
    assert door.client.request("OPTIONS", f"{URL}/event/1.0").status_code == 200


def test_short_lines_with_much_said_about_them_are_refused(door: Door) -> None:
    said = "&".join(f"{name}={'x' * 1000}" for name in ("host", "source", "sourcetype"))
    status, told = send(door, f"/raw?{said}", b"x\n" * 99_000)
    assert (status, told["code"]) == (413, 27)
    assert "would be written with each of 99,001 records" in told["detail"]


def test_a_small_body_may_not_hold_millions_of_lines(door: Door) -> None:
    body = gzip.compress(b"x\n" * 99_000)
    headers = {"Authorization": f"Bearer {door.token}", "Content-Encoding": "gzip"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tocsin.ingest.request_bounds.MOST_RECORDS", 50_000)
        answer = door.client.post("/api/v1/events", content=body, headers=headers)
        status, told = send(door, "/raw", body, Content_Encoding="gzip")
    assert answer.status_code == 413
    assert "send at most 50,000 records" in answer.json()["detail"]
    assert (status, told["code"]) == (413, 27)
