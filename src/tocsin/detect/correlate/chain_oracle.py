"""What correlations that take each other mean, said plainly (``oracle`` tells of chains)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tocsin.detect.correlate.condition import judges_whole_windows
from tocsin.detect.correlate.oracle import (
    Entry,
    Episode,
    Taken,
    absences,
    episodes_of,
    event_id,
    fields_of,
    groups_of,
    held_moments,
    linked,
    new_terms,
    whole_windows,
    within,
)
from tocsin.detect.correlate.watermark import micros
from tocsin.detect.rules.stateful_rule import (
    CorrelationRule,
    CorrelationType,
    NewTermsRule,
    StatefulRule,
)
from tocsin.detect.rules.value_text import text_of
from tocsin.model.field_path import values_at


def findings_of(rules: Sequence[StatefulRule], events: Sequence[Taken]) -> list[Episode]:
    """Everything rules find that take each other; every rule comes after those it takes."""
    found: list[Episode] = []
    for rule in rules:
        seen = list(events)
        for inner in rules[: rules.index(rule)]:
            if isinstance(rule, CorrelationRule) and inner.rule.id in rule.rules:
                seen += _as_events(rule, inner, rules, events)
        found += episodes_of(rule, seen)
    plain = [replace(one, ids=tuple(dict.fromkeys(map(event_id, one.ids)))) for one in found]
    return sorted(plain)


def _as_events(
    taker: CorrelationRule,
    rule: StatefulRule,
    rules: Sequence[StatefulRule],
    events: Sequence[Taken],
) -> list[Taken]:
    seen = list(events)
    for inner in rules[: rules.index(rule)]:
        if isinstance(rule, CorrelationRule) and inner.rule.id in rule.rules:
            seen += _as_events(rule, inner, rules, events)
    by_id: dict[str, list[Taken]] = {}
    for event in seen:
        by_id.setdefault(event.id, []).append(event)
    moments = taker.type in (CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED)
    found = []
    for group, entries in groups_of(rule, seen).items():
        entries.sort()
        for time, chosen in _moments(rule, group, entries, every=moments):
            for id_ in dict.fromkeys(chosen):
                name = f"{event_id(id_)}#{rule.rule.id}#{time}#{'|'.join(group)}"
                for event in by_id[id_]:
                    narrow = _narrowed(rule, group, event)
                    if narrow is not None:
                        hits = frozenset({rule.rule.id})
                        found.append(Taken(name, time, hits, narrow, event.tenant))
    return found


def _narrowed(
    rule: StatefulRule, group: tuple[str, ...], event: Taken
) -> Mapping[str, object] | None:
    """The event's fields, those grouped by with the group's value alone; None when not of it."""
    taken = [rule.rule.id] if isinstance(rule, NewTermsRule) else rule.rules
    hit = next((one for one in taken if one in event.hits), None)
    if hit is None or event.tenant != group[0]:
        return None
    grouped, measured = fields_of(rule, hit)
    names = [*grouped, *measured] if isinstance(rule, NewTermsRule) else grouped
    narrow = dict(event.native)
    for name, text in zip(names, group[1:], strict=True):
        mine = values_at(event.native, name) or []
        kept = [one for one in mine if (text_of(one) or "").casefold() == text]
        if not kept:
            return None
        narrow[name] = kept[0]
    return narrow


def _moments(
    rule: StatefulRule, group: tuple[str, ...], entries: Sequence[Entry], *, every: bool
) -> list[tuple[int, list[str]]]:
    """When the rule finds something, and in which events."""
    if isinstance(rule, NewTermsRule):
        found = new_terms(rule, group, entries)
        return [(one.last, _last_of(one.ids)) for one in found]
    span = micros(rule.timespan)
    if rule.type is CorrelationType.ABSENCE:
        found = absences(rule, group, entries)
        return [(one.since + span, _last_at(entries, one.since)) for one in found]
    if judges_whole_windows(rule):
        found = whole_windows(rule, group, entries)
        return [(one.since + span, _last_at(entries, one.last)) for one in found]
    held = held_moments(rule, entries)
    if every:
        return [(time, [e.id for e in within(entries, time, time)]) for time, _ in held]
    begins = [stretch[0][0] for stretch in linked(held, span)]
    return [(time, _last_at(entries, time)) for time in begins]


def _last_at(entries: Sequence[Entry], time: int) -> list[str]:
    return _last_of([entry.id for entry in entries if entry.time == time])


def _last_of(ids: Sequence[str]) -> list[str]:
    """Of the last event all ids: it may be there itself and for what was found of it."""
    last = max(map(event_id, ids))
    return [one for one in ids if event_id(one) == last]
