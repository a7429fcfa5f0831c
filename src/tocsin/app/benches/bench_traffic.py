"""What the ingest benchmarks send: bodies of records as senders make them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import count, islice

import orjson

from tocsin.app.benches.bench_text import text_lines
from tocsin.detect.benches.bench_lanes import BenchLane, bench_batches
from tocsin.detect.benches.bench_records import records_as_sent
from tocsin.exercise.company import load_company
from tocsin.exercise.day import sending_plan

_DAY_EVENTS = 50_000
_BODY_RECORDS = 2_000
_SENDERS = 20
_PODS, _NODES = 12, 3


class Traffic(StrEnum):
    """What the records of a run are like."""

    DAY = "day"
    """The sample company's day: 20 kinds of record of 46 sources, syslog, JSON and files."""
    STRUCTURED = "structured"
    """Windows process creations as JSON lines."""
    DISTINCT = "distinct"
    """The same, every command line different from all others."""
    FILES = "files"
    """Sysmon file creations as JSON lines, every path different."""
    RAW = "raw"
    """Syslog lines."""
    SSHD = "sshd"
    """What sshd says, RFC 3164."""
    ACCESS = "access"
    """Access logs of web servers in the combined format."""
    ASA = "asa"
    """Connections of a Cisco ASA, RFC 3164."""
    IPTABLES = "iptables"
    """Packets that netfilter logs, RFC 3164."""
    FORTIGATE = "fortigate"
    """Traffic of a FortiGate: key=value after a priority."""
    CONTAINERS = "containers"
    """Access logs as Fluent Bit sends them from Kubernetes: a line in an object."""


LINES = (Traffic.SSHD, Traffic.ACCESS, Traffic.ASA, Traffic.IPTABLES, Traffic.FORTIGATE)
"""Kinds of text, none of it JSON."""


@dataclass(frozen=True, slots=True)
class Body:
    """What one request or file brings."""

    source: str
    payload: bytes
    records: int


def bodies(kind: Traffic, records: int) -> Iterator[Body]:
    """At least ``records`` records, in the order of sending."""
    if kind in LINES:
        made = _text(text_lines(kind.value, records))
    elif kind is Traffic.CONTAINERS:
        made = _text(map(_of_container, text_lines(Traffic.ACCESS.value, records), count()))
    else:
        made = _day() if kind is Traffic.DAY else _lane(BenchLane(kind.value), records)
    sent = 0
    for body in made:
        yield body
        sent += body.records
        if sent >= records:
            return


def _text(lines: Iterator[str]) -> Iterator[Body]:
    for number in count():
        some = list(islice(lines, _BODY_RECORDS))
        if not some:
            return
        payload = "\n".join(some).encode() + b"\n"
        yield Body(f"bench-{number % _SENDERS}", payload, len(some))


def _of_container(line: str, number: int) -> str:
    said = {
        "time": datetime.now(UTC).isoformat(),
        "stream": "stdout",
        "_p": "F",
        "log": line,
        "kubernetes": {
            "pod_name": f"shop-{number % _PODS}",
            "namespace_name": "shop",
            "container_name": "nginx",
            "host": f"node-{number % _NODES}",
            "labels": {"app": "shop"},
        },
    }
    return orjson.dumps(said).decode()


def _lane(lane: BenchLane, records: int) -> Iterator[Body]:
    for number, batch in enumerate(bench_batches(lane, records, _BODY_RECORDS)):
        payload = records_as_sent(batch)
        yield Body(f"bench-{number % _SENDERS}", payload, len(batch))


def _day() -> Iterator[Body]:
    """The sample day again and again, each time with another seed."""
    company, now = load_company(), datetime.now(UTC)
    for seed in count(1):
        for sending in sending_plan(company, end=now, events=_DAY_EVENTS, seed=seed):
            payload = sending.payload
            yield Body(sending.source, payload, payload.count(b"\n") + 1)
