"""Splits what rules found into what stays and what their exceptions hide."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.matching.engine import Hit
from tocsin.detect.reading.exceptions import RuleExceptions
from tocsin.model.event import EventBatch
from tocsin.model.finding import Finding, MatchedField

_GROUPED_BY = "grouped by "


@dataclass(frozen=True, slots=True)
class Hidden:
    """A hit or finding that an exception hides, with the event it was made of."""

    rule_id: str
    exception_id: str
    event_id: str


def split_hits(
    batch: EventBatch,
    hits: Sequence[Hit],
    exceptions: Mapping[str, RuleExceptions],
    now: datetime,
) -> tuple[list[Hit], list[Hidden]]:
    """The hits that no exception hides (rules that count them get no others), and the hidden."""
    asked = [hit for hit in hits if hit.rule.id in exceptions]
    if not asked:
        return list(hits), []
    rows = sorted({row for hit in asked for row in hit.rows})
    records = dict(zip(rows, batch.native_rows(rows), strict=True))
    kept: list[Hit] = []
    hidden: list[Hidden] = []
    for hit in hits:
        of_rule = exceptions.get(hit.rule.id)
        if of_rule is None:
            kept.append(hit)
            continue
        staying = []
        for row in hit.rows:
            found = of_rule.find(records[row], now)
            if found is None:
                staying.append(row)
            else:
                event_id = str(batch.event_ids[row].as_py())
                hidden.append(Hidden(hit.rule.id, found.id, event_id))
        if staying:
            kept.append(hit if len(staying) == len(hit.rows) else Hit(hit.rule, tuple(staying)))
    return kept, hidden


def split_findings(
    findings: Sequence[Finding], exceptions: Mapping[str, RuleExceptions], now: datetime
) -> tuple[list[Finding], list[Hidden]]:
    """The same of findings over several events: by the last event's fields and the group.

    What takes a finding back is never hidden: it could only leave an alert standing that should
    not stand.
    """
    kept: list[Finding] = []
    hidden: list[Hidden] = []
    for finding in findings:
        of_rule = exceptions.get(finding.rule_id)
        found = None
        if of_rule is not None and not finding.retracted:
            found = of_rule.find(_record(finding), now)
        if found is None:
            kept.append(finding)
        else:
            hidden.append(Hidden(finding.rule_id, found.id, finding.event_id))
    return kept, hidden


def split_verdicts(
    verdicts: Sequence[Correlated],
    exceptions: Mapping[str, RuleExceptions],
    now: datetime,
    native_of: Callable[[str], Mapping[str, object]],
) -> tuple[list[Correlated], list[Hidden]]:
    """As ``split_findings``, of verdicts that no finding was made of.

    ``native_of`` gives the fields of an event that is not of the verdict's turn, by its id.
    """
    kept: list[Correlated] = []
    hidden: list[Hidden] = []
    for one in verdicts:
        of_rule = exceptions.get(one.rule.id)
        found = None
        last = one.event_ids[-1] if one.event_ids else ""
        if of_rule is not None and not one.retracted:
            fields = one.native or (native_of(last) if last else {})
            found = of_rule.find({**dict(one.group), **fields}, now)
        if found is None:
            kept.append(one)
        else:
            hidden.append(Hidden(one.rule.id, found.id, last or one.finding_id))
    return kept, hidden


def hidden_groups(
    verdicts: Sequence[Correlated], exceptions: Mapping[str, RuleExceptions], now: datetime
) -> list[Hidden]:
    """What is hidden of verdicts that are no findings, only taken by other rules: whole groups."""
    hidden: list[Hidden] = []
    for one in verdicts:
        of_rule = exceptions.get(one.rule.id)
        if of_rule is None or one.retracted:
            continue
        group = dict(one.group)
        found = of_rule.find(group, now, within=group.keys())
        if found is not None:
            last = one.event_ids[-1] if one.event_ids else one.finding_id
            hidden.append(Hidden(one.rule.id, found.id, last))
    return hidden


def _record(finding: Finding) -> dict[str, object]:
    return {**group_of(finding.matched), **finding.fields}


def group_of(matched: Iterable[MatchedField]) -> dict[str, str]:
    """What a finding over several events was grouped by, of what it says matched."""
    return {one.name: one.value for one in matched if one.pattern == f"{_GROUPED_BY}{one.name}"}
