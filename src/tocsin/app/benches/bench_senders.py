"""Measures what the protocols of other products cost, beside plain NDJSON with the same events."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from tocsin.app.benches.bench_otlp import otlp_request
from tocsin.app.collector import spare_long_lived
from tocsin.app.home.machine import machine_facts, peak_rss_mb
from tocsin.app.settings.config import load_settings
from tocsin.app.wiring import Tocsin, open_tocsin
from tocsin.exercise.company import load_company
from tocsin.exercise.day import sending_plan
from tocsin.ingest.bodies.bulk_body import take_bulk
from tocsin.ingest.bodies.hec_body import take_events
from tocsin.ingest.bodies.otlp_body import take_logs
from tocsin.ingest.bodies.otlp_protobuf import take_proto_logs
from tocsin.ingest.cutting.cutting import Maker
from tocsin.ingest.cutting.lines import split_lines
from tocsin.ingest.decode import decode
from tocsin.model.record import RawBatch

_BODY_BYTES = 1 << 20
_DAY_TIMES, _SHORTEST_DAY = 3, 8_000
"""The day has so many times as many records, as not all are JSON; and never fewer than these."""


@dataclass(frozen=True, slots=True)
class _Door:
    """A protocol: how events become a body, and a body batches."""

    name: str
    write: Callable[[str, Sequence[bytes]], bytes]
    take: Callable[[bytes, str], list[RawBatch]]


def bench_senders(
    events: int,
    rounds: int,
    rules: list[Path] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """JSON records of the sample day through each door in turn, ``rounds`` times.

    Times are of the processor, from the body in memory to stored events with all rules on
    (``rules``, else the shipped ones); HTTP itself is left out. ``ratio_to_ndjson`` is the median over rounds, each compared
    with NDJSON's of the same round.
    """
    groups = list(_groups(events))
    bodies = {
        door.name: [(source, door.write(source, lines)) for source, lines in groups]
        for door in _DOORS
    }
    count = sum(len(lines) for _, lines in groups)
    times_s: dict[str, list[float]] = {door.name: [] for door in _DOORS}
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        settings = load_settings(
            None,
            home=Path(folder),
            syslog__enabled=False,
            detect__rules=tuple(rules) if rules else None,
            detect__shipped_pack=False if rules else None,
        )
        house = open_tocsin(settings)
        spare_long_lived()
        try:
            for turn in range(rounds + 1):  # the first one warms caches
                for number, door in enumerate(_DOORS):
                    took_s = _measure(house, door, bodies[door.name])
                    if turn:
                        times_s[door.name].append(took_s)
                    if on_progress is not None:
                        on_progress(turn * len(_DOORS) + number + 1, (rounds + 1) * len(_DOORS))
        finally:
            house.close()
    plain = times_s["ndjson"]
    return {
        "events": count,
        "rounds": rounds,
        "events_per_s": {name: round(count / median(taken)) for name, taken in times_s.items()},
        "ratio_to_ndjson": {
            name: round(median(one / other for one, other in zip(taken, plain, strict=True)), 3)
            for name, taken in times_s.items()
        },
        "body_bytes": {name: sum(len(body) for _, body in made) for name, made in bodies.items()},
        "peak_rss_mb": peak_rss_mb(),
        "machine": machine_facts(),
    }


def _measure(house: Tocsin, door: _Door, bodies: Sequence[tuple[str, bytes]]) -> float:
    started = time.process_time()
    for source, body in bodies:
        house.spool.append(door.take(body, source))
    house.flow.drain()
    return time.process_time() - started


def _groups(events: int) -> Iterator[tuple[str, list[bytes]]]:
    """Sound JSON lines by source, as many as make a body."""
    waiting: dict[str, list[bytes]] = {}
    left = events
    now = datetime.now(UTC)
    for sending in sending_plan(
        load_company(), end=now, events=max(events * _DAY_TIMES, _SHORTEST_DAY), seed=1
    ):
        lines = waiting.setdefault(sending.source, [])
        lines += [line for line in sending.messages if _is_object(line)][:left]
        left = events - sum(map(len, waiting.values()))
        if left <= 0:
            break
    for source, lines in waiting.items():
        size = max(1, _BODY_BYTES * len(lines) // max(1, sum(map(len, lines))))
        for start in range(0, len(lines), size):
            yield source, lines[start : start + size]


def _is_object(line: bytes) -> bool:
    """One event; an envelope of many is opened within a message, but not among lines."""
    if not line.startswith(b"{") or line.startswith(b'{"Records":'):
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _maker(source: str) -> Maker:
    return Maker(source, "bench", datetime.now(UTC))


def _take_ndjson(body: bytes, source: str) -> list[RawBatch]:
    batches = split_lines(body, source, datetime.now(UTC))
    for batch in batches:
        decode(batch)
    return batches


def _write_hec(source: str, lines: Sequence[bytes]) -> bytes:
    about = orjson.dumps({"time": 1_700_000_000.5, "host": "bench", "sourcetype": source})
    return b"".join(b'{"event":' + line + b"," + about[1:] for line in lines)


def _write_bulk(source: str, lines: Sequence[bytes]) -> bytes:
    action = orjson.dumps({"create": {"_index": source}}) + b"\n"
    return b"".join(action + line + b"\n" for line in lines)


def _write_otlp_json(source: str, lines: Sequence[bytes]) -> bytes:
    records = [
        {"timeUnixNano": "1700000000500000000", "body": _any_value(orjson.loads(line))}
        for line in lines
    ]
    service = {"key": "service.name", "value": {"stringValue": source}}
    of_resource = {
        "resource": {"attributes": [service]},
        "scopeLogs": [{"logRecords": records}],
    }
    return orjson.dumps({"resourceLogs": [of_resource]})


def _any_value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case list():
            return {"arrayValue": {"values": [_any_value(one) for one in value]}}
        case dict():
            pairs = [{"key": key, "value": _any_value(one)} for key, one in value.items()]
            return {"kvlistValue": {"values": pairs}}
    return {}


_DOORS = (
    _Door("ndjson", lambda source, lines: b"\n".join(lines), _take_ndjson),
    _Door("hec", _write_hec, lambda body, source: take_events(body, _maker(source)).batches),
    _Door("bulk", _write_bulk, lambda body, source: take_bulk(body, "", _maker(source)).batches),
    _Door("otlp", otlp_request, lambda body, source: take_proto_logs(body, _maker(source)).batches),
    _Door(
        "otlp_json", _write_otlp_json, lambda body, source: take_logs(body, _maker(source)).batches
    ),
)
