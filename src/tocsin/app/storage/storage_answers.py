"""What programs are told of storage, retention and holds: plain values for JSON."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tocsin.app.plain import as_json
from tocsin.app.storage.retention import Due, Retention
from tocsin.app.storage.retention_account import shares
from tocsin.app.storage.retention_book import in_words
from tocsin.app.storage.storage import Storage
from tocsin.model.retention import RetentionRule


def storage_json(storage: Storage) -> dict[str, Any]:
    """Everything but holds, which not everyone may read: of these how much they keep."""
    told = storage.forecast
    return {
        "disk_bytes": storage.disk_bytes,
        "free_bytes": storage.free_bytes,
        "free_share": storage.free_share,
        "free_files": storage.free_files,
        "events": storage.events,
        "size_bytes": storage.size_bytes,
        "cold_bytes": storage.cold_bytes,
        "bytes_an_event": storage.bytes_an_event,
        "held_bytes": storage.held_bytes,
        "sources": [
            {**as_json(one), "bytes_an_event": one.bytes_an_event} for one in storage.sources
        ],
        "days": [{**as_json(one), "day": one.day.isoformat()} for one in storage.days],
        "parts": dict(storage.parts),
        "forecast": {
            "is_known": told.is_known,
            "measured_s": told.measured_s,
            "bytes_a_day": told.bytes_a_day,
            "full_in_days": told.full_in_days,
        },
        "retention": _retention_json(storage.rules, storage),
    }


def retention_json(retention: Retention, now: datetime) -> dict[str, Any]:
    """The rules in force, how it goes, and what is due."""
    return {
        "rules": rules_json(retention.book.rules()),
        "state": as_json(retention.state()),
        "due": due_json(retention.due(now)),
    }


def rules_json(rules: Sequence[RetentionRule]) -> list[dict[str, Any]]:
    return [{**as_json(one), "in_words": in_words(one)} for one in rules]


def due_json(due: Due) -> dict[str, Any]:
    """What would go, by rule and source, the oldest first; ``asks`` says why it would wait."""
    return {
        "events": due.events,
        "size_bytes": due.size_bytes,
        "share": due.share,
        "asks": due.asks,
        "sources": [
            {**as_json(one), "rule": one.rule.name}
            for one in shares(due.aged_lots, due.aged) + shares(due.large_lots, due.large)
        ],
    }


def _retention_json(rules: Sequence[RetentionRule], storage: Storage) -> dict[str, Any]:
    state = as_json(storage.retention)
    return {"rules": rules_json(rules), "state": state, "due": due_json(storage.due)}
