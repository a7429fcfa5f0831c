"""The offline hunt: what rules find in events, one plain row for each rule and event."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import orjson

from tocsin.detect.engine import Engine
from tocsin.detect.match_rule import SigmaMatchRule
from tocsin.model.event import EventBatch
from tocsin.model.severity import Level

_RECORD_ID_FIELDS = ("EventRecordID", "RecordNumber", "eventID", "uid", "auditID", "uuid", "id")
"""Fields that sources number their records with, the first that is present is told."""

HuntRow = dict[str, object]


def hunt(
    batches: Iterable[tuple[str, EventBatch]],
    engine: Engine,
    *,
    level: Level = Level.INFORMATIONAL,
) -> Iterator[HuntRow]:
    """A row ``rule_id, rule_title, level, tags, time, source, record_id, file, event`` for each hit.

    ``batches`` come with the file they were read from. ``time`` is ISO 8601 in UTC, ``event`` the
    native fields, ``record_id`` the source's own number or the event id. Rules below ``level``
    are left out. Rows of a batch come in the order of their events.
    """
    for file, batch in batches:
        found: dict[int, list[SigmaMatchRule]] = {}
        for hit in engine.evaluate(batch):
            if hit.rule.id in engine.ruleset.silent:
                continue
            rule = engine.ruleset.by_id(hit.rule.id)
            if rule is not None and rule.rule.level.rank >= level.rank:
                for row in hit.rows:
                    found.setdefault(row, []).append(rule)
        rows = sorted(found)
        for row, event in zip(rows, batch.native_rows(rows), strict=True):
            for rule in found[row]:
                yield _row(rule, batch, row, event, file)


def ndjson_line(row: HuntRow) -> bytes:
    """The row as one line of JSON; times and bytes inside the event as text."""
    return orjson.dumps(row, default=_plain, option=orjson.OPT_NON_STR_KEYS) + b"\n"


def _row(
    found: SigmaMatchRule, batch: EventBatch, row: int, event: dict[str, object], file: str
) -> HuntRow:
    moment: datetime = batch.times[row].as_py()
    named = (event[name] for name in _RECORD_ID_FIELDS if name in event)
    record_id = next(named, batch.event_ids[row].as_py())
    return {
        "rule_id": found.rule.id,
        "rule_title": found.rule.title,
        "level": str(found.rule.level),
        "tags": list(found.rule.tags),
        "time": moment.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "source": batch.sources[row].as_py(),
        "record_id": str(record_id),
        "file": file,
        "event": event,
    }


def _plain(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
