"""Folds findings: those of one rule about one primary entity become one growing story."""

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal

from tocsin.model.alert import Exemplar
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding, MatchedField
from tocsin.model.identifier import repeatable_id
from tocsin.model.severity import Level

LATEST_KEPT = 4
RELATED_KEPT = 100
RECENT_KEPT = 32
_LONGEST_TEXT = 8192
_DEEPEST = 20


@dataclass(slots=True)
class Fold:
    """The findings of one batch that share a fold key, summed up.

    ``exemplars`` are the first and the latest four by event time. ``related``, ``sources``,
    ``techniques`` and ``tags`` keep the order in which they came.
    """

    key: str
    tenant: str
    rule_id: str
    rule_title: str
    level: Level
    entity: Entity
    count: int
    first_seen: datetime
    last_seen: datetime
    related: tuple[Entity, ...]
    sources: tuple[str, ...]
    techniques: tuple[str, ...]
    tags: tuple[str, ...]
    exemplars: tuple[Exemplar, ...]
    finding_ids: tuple[str, ...] = field(repr=False)


def primary_entity(finding: Finding) -> Entity:
    """The entity to fold on: the first named, else the source that told of it."""
    if finding.entities:
        return finding.entities[0]
    return Entity(EntityKind.SOURCE, finding.source.lower())


def fold_key(finding: Finding) -> str:
    """Depends on tenant, rule and primary entity only."""
    return repeatable_id("fold", finding.tenant, finding.rule_id, primary_entity(finding).key)


def group_by_key(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by fold key; one that comes twice (same ``finding_id``) counts once."""
    groups: dict[str, list[Finding]] = {}
    keys: dict[tuple[str, str, Entity], str] = {}
    seen: set[str] = set()
    for finding in findings:
        if finding.finding_id in seen:
            continue
        seen.add(finding.finding_id)
        parts = (finding.tenant, finding.rule_id, primary_entity(finding))
        key = keys.get(parts)
        if key is None:
            key = keys[parts] = fold_key(finding)
            groups[key] = []
        groups[key].append(finding)
    return groups


def fold(key: str, findings: Sequence[Finding]) -> Fold:
    """Sum up findings of one fold key (at least one)."""
    newest = findings[-1]
    entity = primary_entity(newest)
    related = dict.fromkeys(other for finding in findings for other in finding.entities)
    related.pop(entity, None)
    return Fold(
        key=key,
        tenant=newest.tenant,
        rule_id=newest.rule_id,
        rule_title=newest.rule_title,
        level=max({finding.level for finding in findings}, key=lambda level: level.rank),
        entity=entity,
        count=len(findings),
        first_seen=min(finding.began for finding in findings),
        last_seen=max(finding.time for finding in findings),
        related=tuple(related)[:RELATED_KEPT],
        sources=_distinct(finding.source for finding in findings),
        techniques=_distinct(name for finding in findings for name in finding.techniques),
        tags=_distinct(name for finding in findings for name in finding.tags),
        exemplars=tuple(exemplar_of(finding) for finding in _first_and_latest(findings)),
        finding_ids=tuple(finding.finding_id for finding in findings[-RECENT_KEPT:]),
    )


def joined(earlier: Sequence[str], later: Sequence[str], limit: int = RELATED_KEPT) -> list[str]:
    """Both in order without repeats, ``limit`` at most (every finding stays in the event store)."""
    return list(dict.fromkeys([*earlier, *later]))[:limit]


def joined_exemplars(earlier: Sequence[Exemplar], later: Sequence[Exemplar]) -> list[Exemplar]:
    """The first and the latest four of both by event time."""
    distinct = {exemplar.event_id: exemplar for exemplar in (*later, *earlier)}
    ordered = sorted(distinct.values(), key=lambda exemplar: (exemplar.time, exemplar.event_id))
    return ordered if len(ordered) <= LATEST_KEPT else [ordered[0], *ordered[1:][-LATEST_KEPT:]]


def exemplar_of(finding: Finding) -> Exemplar:
    """The finding's event as an alert keeps it: values JSON can hold, long ones cut."""
    return Exemplar(
        event_id=finding.event_id,
        time=finding.time,
        source=finding.source,
        lane=finding.lane,
        matched=tuple(
            MatchedField(part.name, _text(part.value), _text(part.pattern))
            for part in finding.matched
        ),
        fields={str(name): _plain(value) for name, value in finding.fields.items()},
        finding_id=finding.finding_id if finding.is_counted else "",
        since=finding.began if finding.is_counted else None,
        evidence=finding.evidence,
        event_count=finding.event_count,
        because=_text(finding.because),
    )


def _first_and_latest(findings: Sequence[Finding]) -> list[Finding]:
    def moment(finding: Finding) -> tuple[datetime, str]:
        return (finding.time, finding.event_id)

    by_event = {finding.event_id: finding for finding in findings}
    first = min(by_event.values(), key=moment)
    latest = heapq.nlargest(LATEST_KEPT, by_event.values(), key=moment)
    kept = {finding.event_id: finding for finding in (first, *reversed(latest))}
    return list(kept.values())


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))[:RELATED_KEPT]


def _plain(value: object, depth: int = 0) -> object:
    """``value`` as JSON can hold it: same shape, text for what JSON has no word for."""
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return _text(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if depth >= _DEEPEST:
        return "… (nested deeper, whole in the event store)"
    if isinstance(value, dict):
        return {str(name): _plain(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, depth + 1) for inner in value]
    return _text(str(value))


def _text(value: str) -> str:
    if len(value) <= _LONGEST_TEXT:
        return value
    return f"{value[:_LONGEST_TEXT]}… ({len(value):,} characters, whole in the event store)"
