"""Makes findings events too: OCSF 1.8.0 Detection Finding (class 2004) in the lane ``tocsin.finding``.

So people search what was recognized next to what happened, and every finding of an alert stays
to be found although the alert keeps only a few exemplars.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import pyarrow as pa

from tocsin.model.entity import Entity, EntityKind
from tocsin.model.event import EventBatch
from tocsin.model.finding import Finding
from tocsin.model.identifier import first_event_ids
from tocsin.model.lane import Lane

FINDING_LANE = Lane("tocsin", "finding", product="tocsin")
FINDING_SOURCE = "tocsin"

_OCSF_VERSION = "1.8.0"
_CLASS_UID = 2004
_CATEGORY_UID = 2
_ACTIVITY_CREATE, _ACTIVITY_UPDATE, _ACTIVITY_CLOSE = 1, 2, 3
_STATUS_NEW, _STATUS_RESOLVED = 1, 4
_ANALYTIC_RULE = 1
_TIME = pa.timestamp("us", "UTC")
_TEXTS = pa.list_(pa.string())

_NATIVE = pa.schema(
    [
        ("finding_id", pa.string()),
        ("rule_id", pa.string()),
        ("rule_title", pa.string()),
        ("level", pa.string()),
        ("event_id", pa.string()),
        ("event_lane", pa.string()),
        ("event_source", pa.string()),
        ("entities", _TEXTS),
        ("techniques", _TEXTS),
        ("tags", _TEXTS),
        ("because", pa.string()),
        ("since", pa.string()),
        ("event_count", pa.int64()),
        ("event_ids", _TEXTS),
        ("supersedes", pa.string()),
        ("retracted", pa.bool_()),
        ("staged", pa.bool_()),
        ("late", pa.bool_()),
        (
            "matched",
            pa.list_(
                pa.struct([("name", pa.string()), ("value", pa.string()), ("pattern", pa.string())])
            ),
        ),
    ]
)

_OCSF = pa.schema(
    [
        ("class_uid", pa.int32()),
        ("activity_id", pa.int32()),
        ("category_uid", pa.int32()),
        ("severity_id", pa.int32()),
        ("type_uid", pa.int64()),
        ("status_id", pa.int32()),
        ("message", pa.string()),
        ("finding_info.uid", pa.string()),
        ("finding_info.title", pa.string()),
        ("finding_info.analytic.uid", pa.string()),
        ("finding_info.analytic.name", pa.string()),
        ("finding_info.analytic.type_id", pa.int64()),
        ("finding_info.first_seen_time", pa.int64()),
        ("finding_info.last_seen_time", pa.int64()),
        ("finding_info.related_events_count", pa.int64()),
        ("finding_info.related_events", pa.list_(pa.struct([("uid", pa.string())]))),
        ("count", pa.int64()),
        ("start_time", pa.int64()),
        ("end_time", pa.int64()),
        ("metadata.version", pa.string()),
        ("metadata.product.name", pa.string()),
        ("metadata.product.vendor_name", pa.string()),
        ("device.hostname", pa.string()),
        ("user.name", pa.string()),
        ("src_endpoint.ip", pa.string()),
        ("cloud.account.uid", pa.string()),
        ("cloud.provider", pa.string()),
    ]
)

_ENTITY_COLUMNS: dict[str, tuple[EntityKind, ...]] = {
    "device.hostname": (EntityKind.HOST,),
    "user.name": (EntityKind.USER, EntityKind.SERVICE_ACCOUNT),
    "src_endpoint.ip": (EntityKind.ADDRESS,),
    "cloud.account.uid": (EntityKind.CLOUD_ACCOUNT,),
}


def findings_batch(findings: Sequence[Finding], now: datetime) -> EventBatch:
    """One event a finding (of one tenant), with an id that repeats for the same finding.

    ``time`` is the event's that was recognized, ``ingested_at`` is ``now``. Raises ValueError for
    findings of several tenants.
    """
    tenants = {finding.tenant for finding in findings}
    if len(tenants) > 1:
        raise ValueError(f"findings of several tenants ({sorted(tenants)}) can't share a batch")
    times = [finding.time for finding in findings]
    return EventBatch(
        lane=FINDING_LANE,
        sources=pa.array([FINDING_SOURCE] * len(findings), pa.string()),
        tenant=next(iter(tenants), "default"),
        event_ids=first_event_ids(times, [finding.finding_id for finding in findings]),
        times=pa.array(times, _TIME),
        ingested_at=pa.array([now] * len(findings), _TIME),
        native=_without_empty_columns(_NATIVE, [_native(finding) for finding in findings]),
        ocsf=_without_empty_columns(_OCSF, [_ocsf(finding) for finding in findings]),
        raw=pa.nulls(len(findings), pa.binary()),
    )


def _native(finding: Finding) -> dict[str, object]:
    return {
        "finding_id": finding.finding_id,
        "rule_id": finding.rule_id,
        "rule_title": finding.rule_title,
        "level": finding.level.value,
        "event_id": finding.event_id,
        "event_lane": finding.lane,
        "event_source": finding.source,
        "entities": [entity.key for entity in finding.entities],
        "techniques": list(finding.techniques),
        "tags": list(finding.tags),
        "matched": [
            {"name": _text(part.name), "value": _text(part.value), "pattern": _text(part.pattern)}
            for part in finding.matched
        ],
        "staged": finding.staged or None,
        "late": finding.late or None,
        **(_told_of_several(finding) if finding.is_counted else {}),
    }


def _told_of_several(finding: Finding) -> dict[str, object]:
    return {
        "because": _text(finding.because),
        "since": finding.began.isoformat(),
        "event_count": finding.event_count,
        "event_ids": list(finding.evidence),
        "supersedes": finding.supersedes or None,
        "retracted": finding.retracted,
    }


def _several(finding: Finding) -> dict[str, object]:
    """When the events happened, how many they were and which (OCSF times are in ms)."""
    first, last = _ms(finding.began), _ms(finding.time)
    return {
        "finding_info.first_seen_time": first,
        "finding_info.last_seen_time": last,
        "finding_info.related_events_count": finding.event_count,
        "finding_info.related_events": [{"uid": one} for one in finding.evidence] or None,
        "count": finding.event_count,
        "start_time": first,
        "end_time": last,
    }


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _activity(finding: Finding) -> int:
    """A verdict is created, a correction updates it, a retraction closes it."""
    if finding.retracted:
        return _ACTIVITY_CLOSE
    return _ACTIVITY_UPDATE if finding.supersedes else _ACTIVITY_CREATE


def _ocsf(finding: Finding) -> dict[str, object]:
    activity = _activity(finding)
    row: dict[str, object] = {
        "class_uid": _CLASS_UID,
        "activity_id": activity,
        "category_uid": _CATEGORY_UID,
        "severity_id": finding.level.severity_id,
        "type_uid": _CLASS_UID * 100 + activity,
        "status_id": _STATUS_RESOLVED if finding.retracted else _STATUS_NEW,
        "message": _message(finding),
        "finding_info.uid": finding.finding_id,
        "finding_info.title": finding.rule_title,
        "finding_info.analytic.uid": finding.rule_id,
        "finding_info.analytic.name": finding.rule_title,
        "finding_info.analytic.type_id": _ANALYTIC_RULE,
        "metadata.version": _OCSF_VERSION,
        "metadata.product.name": "Tocsin",
        "metadata.product.vendor_name": "Tocsin",
    }
    if finding.is_counted:
        row |= _several(finding)
    for column, kinds in _ENTITY_COLUMNS.items():
        row[column] = _first(finding.entities, kinds)
    if row["cloud.account.uid"] is not None:
        row["cloud.provider"] = str(finding.ocsf.get("cloud.provider", "unknown"))
    return row


def _message(finding: Finding) -> str:
    """Which silent source, whose process: in a list of findings the title alone says too little."""
    about = f": {_text(finding.entities[0].name)}" if finding.entities else ""
    return _text(finding.because) or finding.rule_title + about


def _first(entities: Iterable[Entity], kinds: tuple[EntityKind, ...]) -> str | None:
    for entity in entities:
        if entity.kind in kinds:
            return entity.name
    return None


def _text(value: str) -> str:
    """Arrow holds UTF-8 only: a lone surrogate of a broken record becomes its escape."""
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def _without_empty_columns(schema: pa.Schema, rows: Sequence[dict[str, object]]) -> pa.RecordBatch:
    batch = pa.RecordBatch.from_pylist(list(rows), schema=schema)
    if not rows:
        return batch
    return batch.select(
        [
            name
            for name, column in zip(schema.names, batch.columns, strict=True)
            if column.null_count < len(rows)
        ]
    )
