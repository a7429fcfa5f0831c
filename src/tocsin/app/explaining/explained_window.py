"""What the window of a rule over several events held when a stored event came."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta

from tocsin.app.explaining.given_event import GivenEvent
from tocsin.app.rules.rule_words import bounds_in_words, span_in_words
from tocsin.detect.reading.ruleset import RuleSet
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.oracle import matches
from tocsin.detect.rules.stateful_rule import CorrelationRule
from tocsin.model.field_path import values_at
from tocsin.model.lane import Lane
from tocsin.store.ports import EventStore
from tocsin.store.query import EventQuery, StoredEvent

_PAGE = 1_000
_MOST_READ = 20_000
_INSTANT = timedelta(microseconds=1)


def window_of(
    ruleset: RuleSet, rule_id: str, event: GivenEvent, events: EventStore, lanes: Mapping[str, Lane]
) -> tuple[str, ...]:
    """Sentences on what the stored events of the window up to ``event`` gave, rule by rule.

    Nothing for an event that is not stored, and for rules that are no correlations of matches.
    """
    one = next((one for one in ruleset.stateful if one.rule.id == rule_id), None)
    if not isinstance(one, CorrelationRule) or not event.event_id:
        return ()
    bases = [base for name in one.rules if (base := ruleset.by_id(name)) is not None]
    groups = {key for base in bases for key in [_group(one, base, event.native)] if key}
    if not bases or not groups:
        return ()
    asked = [
        lane_id
        for lane_id, lane in lanes.items()
        if any(lane.accepts(base.rule.logsource) for base in bases)
    ]
    start, end = event.time - one.timespan, event.time + _INSTANT
    text = " OR ".join(f'lane:"{lane_id}"' for lane_id in asked)
    counted: Counter[str] = Counter()
    values: set[tuple[str, ...]] = set()
    read = 0
    for found in _events_of(events, EventQuery(text, start, end, _PAGE)):
        read += 1
        for base in bases:
            lane = lanes.get(found.lane)
            if lane is None or not lane.accepts(base.rule.logsource):
                continue
            if _group(one, base, found.native) in groups and matches(base, found.native):
                counted[base.rule.id] += 1
                values.add(_values(one, base, found.native, one.fields))
    span = span_in_words(one.timespan)
    cut = f" (only the newest {_MOST_READ:,} were read)" if read >= _MOST_READ else ""
    told = [f"{read:,} events were stored of its log sources in the {span} up to it{cut}"]
    told += [
        f"{counted[base.rule.id]:,} of them count as “{base.rule.title}” in the same group"
        for base in bases
    ]
    if one.fields:
        told.append(f"{len(values):,} different values of {', '.join(one.fields)}")
    if one.bounds:
        told.append(f"the rule asks for {bounds_in_words(one.bounds)}")
    return tuple(told)


def _events_of(events: EventStore, query: EventQuery) -> Iterator[StoredEvent]:
    read, cursor = 0, None
    while read < _MOST_READ:
        page = events.search(
            EventQuery(query.text, query.start, query.end, query.size, cursor=cursor)
        )
        yield from page.events
        read += len(page.events)
        cursor = page.next_cursor
        if cursor is None or not page.events:
            return


def _group(
    one: CorrelationRule, base: SigmaMatchRule, native: Mapping[str, object]
) -> tuple[str, ...] | None:
    """The values it is grouped by, None when one is missing."""
    found = _values(one, base, native, one.group_by)
    return None if any(not text for text in found) else ("group", *found)


def _values(
    one: CorrelationRule,
    base: SigmaMatchRule,
    native: Mapping[str, object],
    names: tuple[str, ...],
) -> tuple[str, ...]:
    texts = []
    for name in names:
        field = one.aliases.get(name, {}).get(base.rule.id, name)
        values = values_at(native, field) or []
        texts.append(", ".join(str(value).casefold() for value in values if value is not None))
    return tuple(texts)
