"""Hits as findings: one rule, one event, with the fields that made it so."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from tocsin.detect.errors import DetectError
from tocsin.detect.matching.engine import Hit
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.oracle import explain
from tocsin.model.entity import Entity
from tocsin.model.event import EventBatch
from tocsin.model.finding import Finding
from tocsin.model.identifier import repeatable_id
from tocsin.model.rule import Rule

EntitiesOf = Callable[[Rule, Mapping[str, object]], tuple[Entity, ...]]


def findings_of(
    batch: EventBatch, hits: Sequence[Hit], ruleset: RuleSet, entities_of: EntitiesOf
) -> list[Finding]:
    """A finding for each rule and row, in the order of the hits; rows are read once each.

    Hits of silent rules make none.

    Raises ``DetectError`` when a hit's rule is not in the rule set.
    """
    hits = [hit for hit in hits if hit.rule.id not in ruleset.silent]
    rows = sorted({row for hit in hits for row in hit.rows})
    native = dict(zip(rows, batch.native_rows(rows), strict=True))
    ocsf = dict(zip(rows, batch.ocsf_rows(rows), strict=True))
    taken = pa.array(rows, pa.int64())
    moments = [_utc(moment) for moment in batch.times.take(taken).to_pylist()]
    times = dict(zip(rows, moments, strict=True))
    ids = dict(zip(rows, batch.event_ids.take(taken).to_pylist(), strict=True))
    sources = dict(zip(rows, batch.sources.take(taken).to_pylist(), strict=True))
    findings = []
    for hit in hits:
        found = ruleset.by_id(hit.rule.id)
        if found is None:
            raise DetectError(f"rule {hit.rule.id} of a hit is not in the rule set given with it")
        rule = found.rule
        for row in hit.rows:
            finding = Finding(
                finding_id=repeatable_id("finding", rule.id, ids[row]),
                rule_id=rule.id,
                rule_title=rule.title,
                level=rule.level,
                time=times[row],
                event_id=ids[row],
                lane=batch.lane.id,
                source=sources[row],
                tags=rule.tags,
                techniques=rule.techniques,
                entities=entities_of(rule, ocsf[row]),
                matched=tuple(explain(found, native[row])),
                fields=native[row],
                ocsf=ocsf[row],
                tenant=batch.tenant,
            )
            findings.append(finding)
    return findings


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
