"""The offline hunt: what rules find in events, one plain hit for each rule and event."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson
import pyarrow as pa

from tocsin.detect.matching.engine import Hit
from tocsin.model.event import EventBatch
from tocsin.model.rule import Rule

_RECORD_ID_FIELDS = ("EventRecordID", "RecordNumber", "eventID", "uid", "auditID", "uuid", "id")
"""Fields that sources number their records with, the first that is present is told."""
_HOST_FIELDS = ("Computer", "hostname", "host", "Hostname", "HostName", "computer_name", "device")
_SCALARS = frozenset((str, int, float, bool))
NAMING = frozenset((*_RECORD_ID_FIELDS, *_HOST_FIELDS))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)

Place = tuple[str, int]
"""A file, and the number of a record in it, from 1."""


class HuntHit(NamedTuple):
    """A rule and the event it recognized.

    ``record_id`` is the source's own number; empty where the source numbers nothing, then
    ``ordinal`` (the record's number in the file, a line's, say) stands for it. ``event`` is the
    JSON of the native fields, ``correlation`` that of what a stateful rule measured (empty: the
    rule looks at one event). ``time_us`` counts microseconds since 1970, UTC.
    """

    time_us: int
    rule_id: str
    source: str
    host: str
    file: str
    record_id: str
    ordinal: int
    event_id: str
    event: bytes
    correlation: bytes = b""

    @property
    def record(self) -> str:
        """How the record is called in its file."""
        return self.record_id or str(self.ordinal)


def hits_in(
    batch: EventBatch,
    found: Sequence[Hit],
    place_of: Callable[[str], Place],
    record_of: Callable[[str], Mapping[str, object]] | None,
) -> list[HuntHit]:
    """A hit for each rule and row of ``found``, in the order of rows, then of rules.

    ``place_of`` tells where the event of an id was read, ``record_of`` what was read there; with
    None for that the JSON of events is left empty.
    """
    by_row: dict[int, list[str]] = {}
    for hit in found:
        for row in hit.rows:
            by_row.setdefault(row, []).append(hit.rule.id)
    rows = sorted(by_row)
    if not rows:
        return []
    taken = pa.array(rows, pa.int64())
    sources = batch.sources.take(taken).to_pylist()
    ids = batch.event_ids.take(taken).to_pylist()
    times = batch.times.take(taken).cast(pa.int64()).to_pylist()
    events, texts = _events(batch, rows, [record_of(name) for name in ids] if record_of else None)
    hits = []
    for at, event in enumerate(events):
        file, ordinal = place_of(ids[at])
        record_id, host = record_id_of(event), host_of(event)
        hits += [
            HuntHit(
                times[at], rule_id, sources[at], host, file, record_id, ordinal, ids[at], texts[at]
            )
            for rule_id in by_row[rows[at]]
        ]
    return hits


def _events(
    batch: EventBatch, rows: Sequence[int], records: Sequence[Mapping[str, object]] | None
) -> tuple[Sequence[dict[str, object]], Sequence[bytes]]:
    """The events of the rows and their JSON; without records only what names them, and no JSON.

    Values are told as their record has them, in its order: a number among texts shares a column
    of text with them, but what an event is told as must not depend on the events beside it. What
    was derived from the record comes after, by name.
    """
    names = batch.native.schema.names
    if records is None:
        naming = [name for name in names if name in NAMING]
        events = batch.native.select(naming).take(pa.array(rows, pa.int64())).to_pylist()
        return (events, [b""] * len(rows)) if naming else ([{} for _ in rows], [b""] * len(rows))
    shared = batch.left_out.union(names).intersection(*records)
    derived = sorted(set(names) - shared)
    shared |= batch.left_out
    beside = batch.native.select(derived).take(pa.array(rows, pa.int64())).to_pylist()
    events = []
    for record, extra in zip(records, beside or [{}] * len(rows), strict=True):
        if shared.issuperset(record) and _SCALARS.issuperset(map(type, record.values())):
            event = dict(record)  # as nearly all are: nothing to leave out
        else:
            event = {
                name: without_nulls(value) if isinstance(value, dict | list) else value
                for name, value in record.items()
                if value is not None and (name in shared or extra.get(name) is not None)
            }
        event.update(
            (name, without_nulls(value))
            for name, value in extra.items()
            if value is not None and name not in event
        )
        events.append(event)
    return events, [event_json(event) for event in events]


def record_id_of(event: dict[str, object]) -> str:
    """The number the source gave the event; empty when it numbers nothing."""
    return next((str(event[name]) for name in _RECORD_ID_FIELDS if name in event), "")


def host_of(event: dict[str, object]) -> str:
    """The machine an event names as its own; empty when it names none."""
    for name in _HOST_FIELDS:
        value = event.get(name)
        if isinstance(value, dict):
            value = value.get("name", value.get("hostname"))
        if isinstance(value, str) and value:
            return value
    return ""


def event_json(event: dict[str, object]) -> bytes:
    """Native fields as JSON; times and bytes inside as text."""
    try:
        return orjson.dumps(event, default=_plain)
    except TypeError:  # integers beyond 64 bits, half surrogates, nested without end, odd keys
        return json.dumps(event, default=_plain).encode()


def iso_time(time_us: int) -> str:
    """ISO 8601 in UTC, ``Z`` at its end; a time no calendar has becomes the nearest it has."""
    return _moment(time_us).isoformat().replace("+00:00", "Z")


def _moment(time_us: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return _FIRST if time_us < 0 else _LAST


def ndjson_line(rule: Rule, hit: HuntHit) -> bytes:
    """One object ``rule_id, rule_title, level, tags, time, source, record_id, file, event``.

    That of a stateful rule has ``correlation`` besides.
    """
    told = {
        "rule_id": rule.id,
        "rule_title": rule.title,
        "level": rule.level.value,
        "tags": rule.tags,
        "time": _moment(hit.time_us),
        "source": hit.source,
        "record_id": hit.record,
        "file": hit.file,
        "event": orjson.Fragment(hit.event or b"{}"),
    }
    if hit.correlation:
        told["correlation"] = orjson.Fragment(hit.correlation)
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def without_nulls(value: object) -> object:
    """The value without null members of objects, at any depth."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _plain(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
