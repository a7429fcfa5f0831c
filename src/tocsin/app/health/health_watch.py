"""Judges measurements by the health rules: a trouble that lasts is told once, as a finding."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update

from tocsin.app.flow.watch_tables import HEALTH_EPISODES
from tocsin.app.health.health_measures import Measured, machine_name
from tocsin.app.moment import span
from tocsin.app.rules.rule_words import bounds_in_words, span_in_words
from tocsin.detect.rules.health_metrics import METRICS
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.stateful_rule import Bound, Comparison
from tocsin.model.entity import Entity, EntityKind
from tocsin.model.finding import Finding, MatchedField
from tocsin.model.identifier import repeatable_id

_HOLDS: Mapping[Comparison, Callable[[float, float], bool]] = {
    Comparison.LESS: lambda value, bound: value < bound,
    Comparison.LESS_EQUAL: lambda value, bound: value <= bound,
    Comparison.GREATER: lambda value, bound: value > bound,
    Comparison.GREATER_EQUAL: lambda value, bound: value >= bound,
    Comparison.EQUAL: lambda value, bound: value == bound,
    Comparison.NOT_EQUAL: lambda value, bound: value != bound,
}
_Key = tuple[str, str, str]
_TIMES = 2.0


def judge(
    tx: Connection, rules: Sequence[HealthRule], measured: Sequence[Measured], now: datetime
) -> list[Finding]:
    """Findings of troubles that have lasted long enough and were not told yet.

    Keeps when each trouble began, and forgets those that are over. ``mark_told`` what comes back
    once it is in the alerts: until then it comes again, with the same id.
    """
    before = _episodes(tx)
    holding: set[_Key] = set()
    findings: list[Finding] = []
    for one, number in troubles_in(rules, measured):
        key = (one.rule.id, number.tenant, f"{number.subject}:{number.name}")
        holding.add(key)
        row = before.get(key)
        since = row["since"] if row is not None else now
        if row is None:
            tx.execute(insert(HEALTH_EPISODES).values(_row(key, now)))
        if not (row is not None and row["is_told"]) and now - since >= one.lasting:
            findings.append(_finding(one, number, since, now))
    for key in before.keys() - holding:
        tx.execute(delete(HEALTH_EPISODES).where(*_where(key)))
    return findings


def troubles_in(
    rules: Sequence[HealthRule], measured: Iterable[Measured]
) -> Iterator[tuple[HealthRule, Measured]]:
    """What holds at this moment, however long it has: each rule with the number that meets it."""
    numbers = list(measured)
    for one in rules:
        for number in numbers:
            if _is_about(one, number) and _meets(one.bounds, number.value):
                yield one, number


def why(one: HealthRule, number: Measured) -> str:
    """What was measured of whom, and what the rule asks for; without a full stop."""
    meaning = METRICS[number.subject, number.metric].removesuffix(", in s")
    value = value_in_words(number.metric, number.value)
    return f"{number.name}: {meaning}: {value} (the rule: {_limits(one)})"


def _limits(one: HealthRule) -> str:
    return " and ".join(
        bounds_in_words((bound,)).replace(
            f"{bound.value:g}", value_in_words(one.metric, bound.value)
        )
        for bound in one.bounds
    )


def mark_told(tx: Connection, findings: Sequence[Finding]) -> None:
    """Remember that these troubles were told; do it after the telling, not before."""
    for finding in findings:
        key = (finding.rule_id, finding.tenant, str(finding.fields["subject"]))
        tx.execute(update(HEALTH_EPISODES).where(*_where(key)).values(is_told=True))


def _episodes(tx: Connection) -> dict[_Key, RowMapping]:
    rows = tx.execute(select(HEALTH_EPISODES)).mappings()
    return {(row["rule_id"], row["tenant"], row["subject"]): row for row in rows}


def _row(key: _Key, now: datetime) -> dict[str, object]:
    rule_id, tenant, subject = key
    named = {"rule_id": rule_id, "tenant": tenant, "subject": subject}
    return {**named, "since": now, "is_told": False}


def _where(key: _Key) -> list[ColumnElement[bool]]:
    columns = HEALTH_EPISODES.c
    return [columns.rule_id == key[0], columns.tenant == key[1], columns.subject == key[2]]


def _is_about(rule: HealthRule, number: Measured) -> bool:
    if rule.subject != number.subject or rule.metric != number.metric:
        return False
    return not rule.only or any(_names(wild, number.name) for wild in rule.only)


def _names(wildcard: str, name: str) -> bool:
    """Sigma's wildcards: ``*`` any text, ``?`` one character; case does not matter."""
    pattern = re.escape(wildcard).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, name, re.IGNORECASE | re.DOTALL) is not None


def _meets(bounds: Sequence[Bound], value: float) -> bool:
    return all(_HOLDS[bound.comparison](value, bound.value) for bound in bounds)


def _finding(one: HealthRule, number: Measured, since: datetime, now: datetime) -> Finding:
    rule = one.rule
    subject = f"{number.subject}:{number.name}"
    finding_id = repeatable_id("finding", rule.id, number.tenant, subject, since.isoformat())
    meaning = METRICS[number.subject, number.metric]
    lasted = f", and has been since {since:%Y-%m-%d %H:%M} UTC" if one.lasting else ""
    value = value_in_words(number.metric, number.value)
    limits = _limits(one)
    because = f"{why(one, number)}{lasted}."
    is_source = number.subject == "source"
    entity = (
        Entity(EntityKind.SOURCE, number.name.lower())
        if is_source
        else Entity(EntityKind.HOST, machine_name())
    )
    asked = f"{limits} for {span_in_words(one.lasting)}" if one.lasting else limits
    return Finding(
        finding_id=finding_id,
        rule_id=rule.id,
        rule_title=rule.title,
        level=rule.level,
        time=now,
        event_id=finding_id,
        lane="tocsin.health",
        source=number.name if is_source else "tocsin",
        tags=rule.tags,
        techniques=rule.techniques,
        entities=(entity,),
        matched=(MatchedField(number.metric, value, f"{number.metric}|is: {asked}"),),
        fields={
            "subject": subject,
            "metric": number.metric,
            "value": number.value,
            "meaning": meaning,
            "since": since.isoformat(),
            "because": because,
        },
        ocsf={"message": because},
        tenant=number.tenant,
    )


def value_in_words(metric: str, value: float) -> str:
    """A value with its unit, which is the last word of the metric's name.

    ``12.5%``, ``13.4 times`` (from twice on), ``5 h 39 min``, ``1,024.0 MB``.
    """
    if metric.endswith("_share"):
        return _plainly(value, " times") if value >= _TIMES else _plainly(value * 100, "%")
    if metric.endswith("_s"):
        return span(value)
    if metric.endswith("_bytes"):
        return f"{value / 1e6:,.1f} MB"
    return f"{value:,.4g}"


def _plainly(value: float, unit: str) -> str:
    return f"{value:,.1f}".removesuffix(".0") + unit
