"""Good input to begin with: the connectors' own samples, in every wrapping senders use."""

import gzip
import json
import re
import struct
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from tests.loki_push import Entry, Labels
from tocsin.connectors.catalog import mapping_paths
from tocsin.ingest.bodies.otlp_protobuf import FEWEST_RECORDS
from tocsin.normalize.check import sample_files

Records = list[dict[str, Any]]
_TEXT_PAIRS = re.compile(rb"\w+=\S+ \w+=")
EVTX_BYTES = 4096 + 65536
"""A header and the first chunk."""
MORE_EVTX: list[Path] = []
"""Windows event logs to begin with beside our own; the repository holds none."""


def lines_of(path: Path) -> list[bytes]:
    """The records of a sample file, a line each."""
    content = path.read_bytes()
    if path.suffix != ".json":
        return [line for line in content.split(b"\n") if line.strip()]
    whole = json.loads(content)
    return [json.dumps(one).encode() for one in (whole if isinstance(whole, list) else [whole])]


@cache
def _all_files() -> list[Path]:
    return [file for path in mapping_paths() for file in sample_files(path.parent)]


@cache
def json_records() -> Records:
    return [
        json.loads(line)
        for path in _all_files()
        if path.suffix == ".json"
        for line in lines_of(path)[:3]
    ]


@cache
def text_lines() -> list[bytes]:
    return [line for path in _all_files() if path.suffix == ".log" for line in lines_of(path)[:10]]


def wrapped_lines() -> list[bytes]:
    """Lines in objects, as shippers send them."""
    about: Records = [
        {"stream": "stdout", "time": "2026-06-30T08:00:00.1Z"},
        {"@timestamp": "2026-06-30T08:00:00Z", "kubernetes": {"pod_name": "web-1", "host": "n"}},
        {"host": {"name": "web01"}, "tags": ["a", "b"]},
    ]
    return [
        json.dumps(
            {"message" if at % 2 else "log": line.decode("utf-8", "replace"), **said}
        ).encode()
        for at, line in enumerate(text_lines()[::7])
        for said in about
    ]


def syslog_messages() -> list[bytes]:
    """RFC 3164 and 5424, with and without what they may leave out, carrying formats of their own."""
    made = [
        b"<34>Oct 11 22:14:15 web01 su[12]: 'su root' failed on /dev/pts/8",
        b"<13>Oct  1 22:14:15 2026 web01 app: hello",
        b"<165>1 2026-10-11T22:14:15.003Z host app 111 ID47 - \xef\xbb\xbfan event",
        b'<165>1 2026-10-11T22:14:15+02:00 host app - ID [a@1 k="v\\"\\]"][b x=""] text',
        b"<14>1 - - - - - -",
        b'<14>1 2026-10-11T22:14:15Z h app - - - @cee: {"a": {"b": 1}}',
        b"<134>Oct 11 22:14:15 fw CEF:0|Vendor|Product|1|100|Name|5|src=10.0.0.1 msg=a b",
        b"<134>1 2026-10-11T22:14:15Z fw LEEF - - - LEEF:2.0|V|P|1|42|^|a=1^b=2",
        b"<189>123: *Oct 11 22:14:15.123 UTC: %SYS-5-CONFIG_I: Configured from console",
        b"<13>Oct 11 22:14:15 h audispd: type=EXECVE msg=audit(1.5:7): argc=2 a0=6C73 a1=2D6C",
        b"no header at all",
    ]
    return made + [line for line in text_lines() if line.startswith(b"<")][:100]


@cache
def formats() -> dict[str, list[bytes]]:
    """Lines and files of each format that has a decoder of its own."""
    records = json_records()
    folders = {path.parent.name: path.parent for path in mapping_paths()}

    def of(*connectors: str) -> list[bytes]:
        found = [path for name in connectors for path in sample_files(folders[name])]
        return [line for path in found for line in lines_of(path)]

    def whole(suffix: str) -> list[bytes]:
        return [path.read_bytes() for path in _all_files() if path.suffix == suffix]

    return {
        "cef": [line for line in [*of("cef"), *of("checkpoint")] if b"CEF:" in line],
        "leef": [line for line in of("leef") if b"LEEF:" in line],
        "key_value": [line for line in text_lines() if _TEXT_PAIRS.search(line)],
        "gelf": of("gelf"),
        "audit": of("auditd"),
        "journal": [json.dumps(one).encode() for one in records if "__REALTIME_TIMESTAMP" in one],
        "w3c": whole(".w3c"),
        "zeek_tsv": whole(".tsv"),
        "cloudtrail": [
            json.dumps({"Records": [json.loads(line) for line in of("aws")]}).encode(),
            *of("aws"),
        ],
    }


def arrays(records: Sequence[dict[str, Any]]) -> list[bytes]:
    """Many records in one JSON text: arrays, and objects over many lines."""
    some = list(records[:40])
    whole = [json.dumps(some[at : at + 3]).encode() for at in range(0, len(some), 3)]
    pretty = [json.dumps(one, indent=2).encode() for one in some[:20]]
    return [*whole, *pretty, b"\n".join(pretty[:3]), b"[]", b"[\n]"]


def windows_events() -> list[bytes]:
    system = {"Provider": {"#attributes": {"Name": "P", "Guid": "g"}}, "EventID": 4624}
    data = {"Data": [{"#attributes": {"Name": "A"}, "#text": "1"}, "plain"], "Binary": "00ff"}
    plain = {"SubjectUserSid": "S-1-5-18", "LogonType": 3, "Nested": {"a": [1, {"b": 2}]}}
    shapes: list[dict[str, Any]] = [
        {"System": system | {"EventID": {"#attributes": {"Qualifiers": 1}, "#text": 7036}}},
        {"System": system, "EventData": data},
        {"System": system, "EventData": plain},
        {"System": system, "UserData": {"LogFileCleared": {"SubjectUserName": "a"}}},
        {"#attributes": {"xmlns": "x"}, "System": {"EventID": 1}, "EventData": None},
    ]
    return [json.dumps({"Event": shape}).encode() for shape in shapes]


def gelf_datagrams() -> list[bytes]:
    """Plain, packed both ways, and in chunks, in and out of order; a length before each."""
    message = json.dumps({"version": "1.1", "host": "h", "short_message": "a" * 80}).encode()
    packed = zlib.compress(message)
    both = (message, packed, gzip.compress(message, mtime=0))
    made = [[one] for one in both]
    for whole in both:
        parts = [whole[at : at + 40] for at in range(0, len(whole), 40)]
        chunks = [
            b"\x1e\x0f" + b"message1" + bytes([number, len(parts)]) + part
            for number, part in enumerate(parts)
        ]
        # Every second datagram is another sender's.
        made += [[one for chunk in chunks for one in (chunk, packed)], [*chunks, *chunks[::-1]]]
    return [b"".join(len(one).to_bytes(2) + one for one in some) for some in made]


def evtx_files() -> list[bytes]:
    """A log with a chunk that names records it has not, an empty one, and what was given."""
    header = b"ElfFile\0".ljust(4096, b"\0")
    chunk = b"ElfChnk\0" + struct.pack("<QQQQIIII", 1, 12, 1, 12, 128, 0, 512, 0)
    record = struct.pack("<IIQQ", 0x2A2A, 60, 1, 0) + b"\x0f\x01\x01\x00\x00" * 7
    made = [header + chunk.ljust(512, b"\0") + record + b"\0" * 2000, header]
    return made + [path.read_bytes()[:EVTX_BYTES] for path in MORE_EVTX]


def hec_bodies(records: Sequence[dict[str, Any]]) -> list[bytes]:
    about = {"time": 1700000000.5, "host": "web-1", "source": "s", "sourcetype": "t", "index": "i"}
    events: Records = [{"event": one, **about} for one in records[:30]]
    events += [{"event": line.decode("utf-8", "replace")} for line in text_lines()[:30]]
    events += [{"event": "a", "fields": {"k": "v", "n": [1, 2]}}, {"event": {}, "time": "1.5"}]
    single = [json.dumps(event).encode() for event in events]
    return [*single, b"".join(single[:3]), b"\n".join(single[28:34])]


def bulk_bodies(records: Sequence[dict[str, Any]]) -> list[bytes]:
    actions = [
        *({"index": {"_index": "logs-2026.11.21"}}, {"create": {}}, {"index": {"_id": "a1"}}),
        *({"create": {"_index": "b", "_id": 7}}, {"update": {"_index": "x", "_id": "1"}}),
    ]
    bodies = []
    for at in range(0, min(len(records), 60), 3):
        pairs = [
            json.dumps(actions[(at + n) % len(actions)]) + "\n" + json.dumps(record)
            for n, record in enumerate(records[at : at + 3])
        ]
        bodies.append("\n".join(pairs).encode() + b"\n")
    return [*bodies, b'{"delete":{"_index":"a","_id":"1"}}\n' + bodies[0]]


def _attributes(names: Iterable[str]) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = [
        *({"stringValue": "x"}, {"intValue": "7"}, {"boolValue": True}, {"doubleValue": 1.5}),
        *({"arrayValue": {"values": [{"intValue": "1"}]}}, {"bytesValue": "AAE="}),
        {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}},
    ]
    return [{"key": name, "value": values[n % len(values)]} for n, name in enumerate(names)]


def loki_bodies() -> list[bytes]:
    values = [["1700000000123456789", "<34>Oct 11 22:14:15 h su: failed"]]
    values += [["1700000000123456789", '{"a": "b"}', {"trace": "x"}], [17, "plain text", {}]]
    stream = {"stream": {"job": "x", "host": "web-1"}, "values": values}
    return [json.dumps({"streams": some}).encode() for some in ([stream], [stream, stream])]


LOKI_STREAMS: dict[Labels, list[Entry]] = {
    (("job", "x"), ("filename", 'a"b\\c')): [
        (1700000000123456789, "<34>Oct 11 22:14:15 h su: failed", {"trace": "x"}),
        (1700000000123456790, "plain text", {}),
    ],
    (): [(0, '{"a": "b"}', {})],
}


def otlp_logs() -> dict[str, Any]:
    log = {
        "timeUnixNano": "1700000000250000000",
        "severityNumber": 9,
        "severityText": "INFO",
        "body": {"stringValue": "<34>Oct 11 22:14:15 h su: failed"},
        "attributes": _attributes("abcdefg"),
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
    }
    other = {"body": {"kvlistValue": {"values": _attributes("xyz")}}}
    resource = {"attributes": _attributes(["service.name", "host.name"])}
    scope = {"scope": {"name": "s", "version": "1"}, "logRecords": [log, other]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [scope, {"logRecords": [other]}]}]}


def many_otlp_logs() -> dict[str, Any]:
    """As many as are read together."""
    of_resource = otlp_logs()["resourceLogs"][0]
    of_scope = of_resource["scopeLogs"][0]
    many = of_scope | {"logRecords": of_scope["logRecords"] * FEWEST_RECORDS}
    return {"resourceLogs": [of_resource | {"scopeLogs": [many]}]}


def otlp_metrics() -> dict[str, Any]:
    at = {"timeUnixNano": "1700000000250000000", "attributes": _attributes("ab")}
    spread = at | {"count": "3", "sum": 4.5, "bucketCounts": ["1", "2"], "explicitBounds": [1.0]}
    quantile = at | {"count": "1", "sum": 1.0, "quantileValues": [{"quantile": 0.5, "value": 1}]}
    metrics = [
        {"name": "g", "unit": "1", "gauge": {"dataPoints": [at | {"asDouble": 1.5}]}},
        {"name": "s", "sum": {"dataPoints": [at | {"asInt": "7"}], "isMonotonic": True}},
        {"name": "h", "histogram": {"dataPoints": [spread]}},
        {"name": "q", "summary": {"dataPoints": [quantile]}},
    ]
    return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": metrics}]}]}


def in_protobuf(kind: type[Message], told: dict[str, Any]) -> bytes:
    """The same in protobuf; ids are hexadecimal in OTLP's JSON and bytes here."""
    plain = json.loads(json.dumps(told), object_hook=_without_ids)
    return bytes(ParseDict(plain, kind()).SerializeToString())


def _without_ids(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in ("traceId", "spanId")}
