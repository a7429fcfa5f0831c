"""Loki's agents: what they push is found, and they are answered as Loki does."""

import gzip
import json
from typing import Any

import pyarrow as pa
import pytest

from tests.api.sending import Door
from tests.loki_push import pushed

SSHD = "Nov 14 22:13:20 bastion sshd[7]: Failed password for eve from 192.0.2.9 port 22 ssh2"
NANOSECONDS = "1700000000123456789"
BODY_LIMIT_BYTES = 200_000


def push(door: Door, body: bytes, media: str = "application/json", **headers: str) -> Any:
    told = {"Authorization": f"Bearer {door.token}", "Content-Type": media} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return door.client.post("/loki/api/v1/push", content=body, headers=told)


def streams(*values: Any, **labels: str) -> bytes:
    return json.dumps({"streams": [{"stream": labels, "values": list(values)}]}).encode()


@pytest.mark.parametrize("is_protobuf", [False, True], ids=["json", "protobuf"])
@pytest.mark.parametrize("says_snappy", [False, True])
def test_a_line_is_read_as_what_it_is(door: Door, is_protobuf: bool, says_snappy: bool) -> None:
    job = f"auth-{is_protobuf}-{says_snappy}"
    labels = {"job": job, "filename": '/var/log/a"u\\th.log'}
    if is_protobuf:
        body = pushed({tuple(labels.items()): [(int(NANOSECONDS), SSHD, {"pod": "p"})]})
        media = "application/x-protobuf"
    else:
        body, media = streams([NANOSECONDS, SSHD, {"pod": "p"}], **labels), "application/json"
    packed = body
    if is_protobuf or says_snappy:
        packed = pa.Codec("snappy").compress(body, asbytes=True)
    headers = {"Content_Encoding": "snappy"} if says_snappy else {}
    answer = push(door, packed, media, **headers)
    assert (answer.status_code, answer.content) == (204, b"")
    (found,) = door.found(f'source:"loki/agent/{job}"')
    assert found["lane"] == "linux.sshd"
    assert found["ocsf"]["src_endpoint.ip"] == "192.0.2.9"
    assert found["native"]["shipper"] == {
        "time": "2023-11-14T22:13:20.123456789Z",
        "loki": {"labels": labels, "metadata": {"pod": "p"}},
    }


def test_a_line_of_no_known_kind_has_the_time_and_host_of_its_stream(door: Door) -> None:
    labels = {"job": "shop", "host": "node-1"}
    assert push(door, streams([NANOSECONDS, "cache warmed"], **labels)).status_code == 204
    (found,) = door.found('source:"loki/agent/shop"')
    assert found["lane"] == "loki.line"
    assert found["time"].startswith("2023-11-14T22:13:20.123456")
    assert found["ocsf"]["device.hostname"] == "node-1"
    assert found["ocsf"]["message"] == "cache warmed"


def test_gzip_blank_lines_and_odd_entries_lose_nothing(door: Door) -> None:
    body = streams(
        [NANOSECONDS, "first"], ["soon", "second"], [1700000000123456789, {"a": 1}], ["1", " "],
        service_name="odd",
    )  # fmt: skip
    assert push(door, gzip.compress(body), Content_Encoding="gzip").status_code == 204
    found = door.found('source:"loki/agent/odd"')
    assert len(found) == 3
    assert door.ledgers()["loki/agent/odd"] == (3, 3, 0)


@pytest.mark.parametrize(
    ("body", "media", "says"),
    [
        (b"{", "application/json", "the body is no JSON"),
        (b"[]", "application/json", "no JSON object"),
        (b"{}", "application/json", "no list 'streams'"),
        (b'{"streams":[1]}', "application/json", "streams[0] is no object"),
        (b'{"streams":[{"stream":[]}]}', "application/json", "streams[0].stream"),
        (b'{"streams":[{"stream":{}}]}', "application/json", "streams[0] has no list 'values'"),
        (streams(["1", "good"], ["1"]), "application/json", "streams[0].values[1]"),
        (b"\x03abc", "application/x-protobuf", "snappy"),
        (b"", "application/x-protobuf", "does not begin with a size"),
        (b"\xff\xff\xff\xff\xff\x01", "application/x-protobuf", "does not begin with a size"),
        (
            pa.Codec("snappy").compress(b"\xff", asbytes=True),
            "application/x-protobuf",
            "PushRequest",
        ),
    ],
)
def test_what_is_no_push_is_refused_whole_and_says_why(
    door: Door, body: bytes, media: str, says: str
) -> None:
    before = len(door.found())
    answer = push(door, body, media)
    assert answer.status_code == 400
    assert says in answer.text
    assert len(door.found()) == before


def test_a_bomb_and_a_stranger_are_refused(door: Door) -> None:
    bomb = pa.Codec("snappy").compress(b"a" * 300_000, asbytes=True)
    assert len(bomb) < 100_000
    for headers in ({}, {"Content_Encoding": "snappy"}):
        answer = push(door, bomb, "application/x-protobuf", **headers)
        assert answer.status_code == 413, answer.text
    answer = door.client.post("/loki/api/v1/push", content=streams())
    assert answer.status_code == 401
    assert door.client.get("/ready").text == "ready\n"


def test_names_of_streams_are_bounded(door: Door) -> None:
    many = [
        {"stream": {"job": f"many-{n}"}, "values": [[NANOSECONDS, f"line {n}"]]} for n in range(100)
    ]
    assert push(door, json.dumps({"streams": many}).encode()).status_code == 204
    ledgers = {name: told for name, told in door.ledgers().items() if "many-" in name}
    assert 60 <= len(ledgers) <= 64
    assert len(door.found('message:"line"')) == 100


def test_what_can_not_be_written_again_is_kept_or_refused_not_an_error(door: Door) -> None:
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    answer = push(door, streams([NANOSECONDS, "line", {"deep": deep}], job="deep"))
    assert answer.status_code == 400
    assert "nested too deeply" in answer.text
    far = {(("job", "far"),): [(2**62 * 1_000_000_000, "far", {})]}
    packed = pa.Codec("snappy").compress(pushed(far), asbytes=True)
    assert push(door, packed, "application/x-protobuf").status_code == 204
    assert push(door, streams([10**25, "late"], job="huge")).status_code == 204
    for job in ("far", "huge"):
        assert len(door.found(f'source:"loki/agent/{job}"')) == 1
