"""A line that shippers and queues wrap into an object is read as if it had come by itself."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.ingest.decode import decode
from tocsin.model.record import Framing, RawBatch

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SSHD = "Mar  1 00:00:00 web01 sshd[12]: Failed password for root from 203.0.113.9 port 22 ssh2"
ACCESS = '203.0.113.9 - - [01/Mar/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "curl/8"'
DOCKER = {"stream": "stdout", "time": "2026-03-01T00:00:00.1Z"}
KUBERNETES = {
    "@timestamp": "2026-03-01T00:00:00Z",
    "stream": "stdout",
    "_p": "F",
    "kubernetes": {"pod_name": "web-1", "host": "node-3"},
}
VECTOR = {"file": "/var/log/auth.log", "source_type": "file", "timestamp": "2026-03-01T00:00:00Z"}
NOTICE = {
    "Type": "Notification",
    "MessageId": "m",
    "TopicArn": "arn:aws:sns:eu-central-1:1:t",
    "Timestamp": "2026-03-01T00:00:00.000Z",
}


def read(*objects: dict[str, Any], framing: Framing = Framing.LINES) -> list[dict[str, Any]]:
    payload = b"\n".join(json.dumps(one).encode() for one in objects)
    decoded = decode(RawBatch("here", payload, NOW, framing))
    assert not decoded.unreadable
    return [dict(one) for one in decoded.records]


@pytest.mark.parametrize(
    ("field", "about"),
    [
        ("log", DOCKER),
        ("log", KUBERNETES),
        ("message", VECTOR),
        ("message", {"@version": "1", "host": {"name": "web01"}, "event": {"original": SSHD}}),
        ("Message", NOTICE),
    ],
    ids=["docker", "fluent-bit", "vector", "logstash", "sns"],
)
@pytest.mark.parametrize("end", ["", "\n"])
def test_the_text_is_read_and_the_rest_kept(field: str, about: dict[str, Any], end: str) -> None:
    (alone,) = decode(RawBatch("here", SSHD.encode(), NOW)).records
    assert alone["program"] == "sshd"
    assert read({field: SSHD + end, **about}) == [{**alone, "shipper": about}]
    assert read({field: '{"a":1}' + end, **about}) == [{"a": 1, "shipper": about}]


@pytest.mark.parametrize("framing", [Framing.HEC, Framing.OTLP, Framing.DOCUMENTS])
def test_whatever_protocol_carries_the_object(framing: Framing) -> None:
    carried = {"log": SSHD, **KUBERNETES}
    whole = {
        Framing.HEC: {"event": carried, "host": "h"},
        Framing.OTLP: {"body": carried, "otel": {"flags": 1}},
        Framing.DOCUMENTS: carried,
    }[framing]
    name = "elastic" if framing is Framing.DOCUMENTS else "shipper"
    many = read(*[whole] * 2_000, framing=framing)
    assert (many[0]["program"], many[0][name]) == ("sshd", KUBERNETES)
    assert many == read(whole, framing=framing) * 2_000


def test_a_text_of_no_known_format_is_the_message() -> None:
    assert read({"log": ACCESS + "\n", **DOCKER}) == [{"message": ACCESS, "shipper": DOCKER}]
    whole = {"message": ACCESS, **VECTOR}
    assert read(whole) == [whole]
    assert read({"log": "", **DOCKER}) == [{"message": "", "shipper": DOCKER}]


@pytest.mark.parametrize(
    "whole",
    [
        {"message": SSHD, "level": "info", "time": "2026-03-01"},
        {"log": {"level": "info"}, "time": "2026-03-01"},
        {"log": SSHD, "user": "ada"},
        {"message": SSHD, "event": {"action": "logon"}},
        {"message": 7, "host": "web01"},
        {"message": '{"a":', "host": "web01"},
        {"message": {"data": "no base64!"}, "subscription": "s"},
        {"message": {"data": 7}, "subscription": "s"},
    ],
)
def test_what_says_more_or_nothing_stays_as_it_is(whole: dict[str, Any]) -> None:
    assert read(whole) == [whole]


def test_what_google_pushes_is_unpacked() -> None:
    data = base64.b64encode(b'{"insertId":"i"}').decode()
    told = {"message": {"data": data, "messageId": "1"}, "subscription": "s"}
    assert read(told) == [
        {"insertId": "i", "shipper": {"message": {"messageId": "1"}, "subscription": "s"}}
    ]


def test_carriers_within_carriers_keep_all_that_is_said() -> None:
    inner = {"message": '{"a":1,"shipper":2}', "host": "app"}
    middle = {"log": json.dumps(inner), **DOCKER}
    (record,) = read({"message": json.dumps(middle), **VECTOR})
    assert record == {
        "a": 1,
        "shipper": 2,
        "shipper_envelope": {"host": "app"},
        "shipper_envelope_envelope": DOCKER,
        "shipper_envelope_envelope_envelope": VECTOR,
    }


def test_many_lines_are_read_as_each_alone() -> None:
    lines = [{"log": SSHD.replace("12", str(n)), **DOCKER} for n in range(1_000)]
    others = [{"a": n, "b": "x" * 60} for n in range(1_000)]
    mixed = [one for pair in zip(lines, others, strict=True) for one in pair]
    assert read(*mixed) == [found for one in mixed for found in read(one)]
