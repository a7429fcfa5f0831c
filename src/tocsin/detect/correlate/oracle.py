"""What stateful rules mean, said plainly: the fast engine must find what this finds.

All is a function of the set of events; times are µs. An event is taken by a rule when a match rule
it names hits it and every group-by field has a value; of an array, each member forms a group (or
is a value). Values are compared as texts without regard to letter case.

**Trailing** (event_count, value_count, value_sum, temporal, temporal_ordered with lower bounds):
at each event of a group the window (t - timespan, t] is measured. Moments that hold and are less
than a timespan apart are one episode, and an episode is one finding: its events are those of all
its windows, its measure the greatest.

**Whole windows** (any upper bound, eq, neq; value_avg, value_percentile, value_median always): an
event that no earlier window of the group covers opens the window [t, t + timespan), which is
measured once it is complete; each that holds is a finding. A mean of the first event alone, or
"fewer than 10" after the first second, would say nothing.

**Measures.** event_count: events, each once. value_count: distinct values (tuples of several
fields; all must be there). value_sum: of numbers, taken to 2^-32, so that order doesn't matter;
what is no number isn't counted. value_percentile: linear interpolation between the nearest
numbers; value_median: percentile 50. temporal: distinct rules. temporal_ordered: the most rules
in the order written, each by an event not before the former's and different from it.

**Absence.** A trigger is unanswered when no event of the expected rule (itself neither) is in
[t, t + timespan); with one rule alone, when no later event of it is. Unanswered triggers less than
a timespan apart are one finding, measured by their number.

**New terms.** A value is new when its group did not have it in the window before, and the group's
first event is at least the time of learning ago.

**Chained.** A correlation is taken by another as events of their own: of one judged at every event
a temporal taker takes all events at moments that hold, any other taker the event that begins each
episode; of whole windows the last event, at the end of the window; of an absence the first trigger,
at the time it is certain; of new terms each. They have the fields of that event; of a field that
was grouped by (or is new) only the group's own value, of other arrays every member.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import floor
from typing import TypeVar

from tocsin.detect.correlate.condition import COMPARED, bounds_of, judges_whole_windows
from tocsin.detect.correlate.watermark import micros
from tocsin.detect.rules.stateful_rule import (
    Bound,
    CorrelationRule,
    CorrelationType,
    NewTermsRule,
    StatefulRule,
)
from tocsin.detect.rules.value_text import number_in, text_of
from tocsin.model.field_path import values_at

_FINEST = 1 << 32
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Taken:
    """An event with the ids of the rules that hit it."""

    id: str
    time: int
    hits: frozenset[str]
    native: Mapping[str, object]
    tenant: str = "default"


@dataclass(frozen=True, slots=True, order=True)
class Episode:
    """What is found of a group: ``ids`` are all its events, in order of time."""

    rule_id: str
    group: tuple[str, ...]
    since: int
    last: int
    count: int
    measured: float
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """An event as a rule takes it, with what is measured of it; ``slot`` is the rule it is of."""

    time: int
    id: str
    slot: int
    terms: frozenset[tuple[str, ...]]
    numbers: tuple[float, ...]


def episodes_of(rule: StatefulRule, events: Sequence[Taken]) -> list[Episode]:
    """Everything a rule that takes match rules finds in these events, sorted."""
    found: list[Episode] = []
    for group, entries in sorted(groups_of(rule, events).items()):
        entries.sort()
        if isinstance(rule, NewTermsRule):
            found += new_terms(rule, group, entries)
        elif rule.type is CorrelationType.ABSENCE:
            found += absences(rule, group, entries)
        elif judges_whole_windows(rule):
            found += whole_windows(rule, group, entries)
        else:
            found += _trailing(rule, group, entries)
    return sorted(found)


def groups_of(rule: StatefulRule, events: Iterable[Taken]) -> dict[tuple[str, ...], list[Entry]]:
    groups: dict[tuple[str, ...], list[Entry]] = {}
    slots = [rule.rule.id] if isinstance(rule, NewTermsRule) else rule.rules
    for event in events:
        for slot, taken in enumerate(slots):
            if taken not in event.hits:
                continue
            fields, measured = fields_of(rule, taken)
            terms: frozenset[tuple[str, ...]] = frozenset()
            numbers: tuple[float, ...] = ()
            if (
                isinstance(rule, CorrelationRule)
                and rule.type.startswith("value_")
                and (rule.type is not CorrelationType.VALUE_COUNT)
            ):
                numbers = _numbers(event.native, measured[0])
                if not numbers:
                    continue
            elif measured:
                terms = frozenset(product(*(_texts(event.native, name) for name in measured)))
                if not terms:
                    continue
            for group in set(product(*(_texts(event.native, name) for name in fields))):
                entry = Entry(event.time, event.id, slot, terms, numbers)
                groups.setdefault((event.tenant, *group), []).append(entry)
    return groups


def fields_of(rule: StatefulRule, taken: str) -> tuple[list[str], list[str]]:
    if isinstance(rule, NewTermsRule):
        return list(rule.group_by), list(rule.fields)

    def resolved(names: Sequence[str]) -> list[str]:
        return [rule.aliases.get(name, {}).get(taken, name) for name in names]

    return resolved(rule.group_by), resolved(rule.fields)


def _texts(native: Mapping[str, object], name: str) -> list[str]:
    texts = [text_of(value) for value in values_at(native, name) or []]
    return list(dict.fromkeys(text.casefold() for text in texts if text is not None))


def _numbers(native: Mapping[str, object], name: str) -> tuple[float, ...]:
    found = (number_in(text) for text in _texts(native, name))
    return tuple(float(number) for number in found if number is not None)


def _trailing(
    rule: CorrelationRule, group: tuple[str, ...], entries: Sequence[Entry]
) -> list[Episode]:
    span = micros(rule.timespan)
    found: list[Episode] = []
    for stretch in linked(held_moments(rule, entries), span):
        events = within(entries, stretch[0][0] - span + 1, stretch[-1][0])
        found.append(_episode(rule, group, events, max(value for _, value in stretch)))
    return found


def held_moments(rule: CorrelationRule, entries: Sequence[Entry]) -> list[tuple[int, float]]:
    """Moments that hold, and what was measured."""
    span = micros(rule.timespan)
    held: list[tuple[int, float]] = []
    for time in sorted({entry.time for entry in entries}):
        measured = measure(rule, within(entries, time - span + 1, time))
        if _keeps(measured, bounds_of(rule)):
            held.append((time, measured))
    return held


def whole_windows(
    rule: CorrelationRule, group: tuple[str, ...], entries: Sequence[Entry]
) -> list[Episode]:
    span = micros(rule.timespan)
    found: list[Episode] = []
    end = None
    for entry in entries:
        if end is None or entry.time >= end:
            end = entry.time + span
            events = within(entries, entry.time, end - 1)
            measured = measure(rule, events)
            if _keeps(measured, bounds_of(rule)):
                found.append(_episode(rule, group, events, measured))
    return found


def absences(
    rule: CorrelationRule, group: tuple[str, ...], entries: Sequence[Entry]
) -> list[Episode]:
    span = micros(rule.timespan)
    expected = len(rule.rules) - 1
    alone = len(set(rule.rules)) == 1
    unanswered = [
        (entry.time, entry)
        for entry in entries
        if entry.slot == 0
        and not any(
            other.slot == expected and entry.time + alone <= other.time < entry.time + span
            for other in entries
        )
    ]
    return [
        _episode(rule, group, [entry for _, entry in stretch], float(len(stretch)))
        for stretch in linked(unanswered, span)
    ]


def new_terms(
    rule: NewTermsRule, group: tuple[str, ...], entries: Sequence[Entry]
) -> list[Episode]:
    window, learning = micros(rule.window), micros(rule.learning)
    found: list[Episode] = []
    for term in sorted({term for entry in entries for term in entry.terms}):
        with_term = [entry for entry in entries if term in entry.terms]
        times = {entry.time for entry in with_term}
        for time in sorted(times):
            known = any(time - window < former < time for former in times)
            if not known and time - entries[0].time >= learning:
                now = [entry for entry in with_term if entry.time == time]
                found.append(_episode(rule, (*group, *term), now, 1.0))
    return found


def measure(rule: CorrelationRule, entries: Sequence[Entry]) -> float:
    """What the rule compares, of the events of one window."""
    match rule.type:
        case CorrelationType.EVENT_COUNT:
            return float(len({entry.id for entry in entries}))
        case CorrelationType.VALUE_COUNT:
            return float(len({term for entry in entries for term in entry.terms}))
        case CorrelationType.TEMPORAL:
            return float(len({rule.rules[entry.slot] for entry in entries}))
        case CorrelationType.TEMPORAL_ORDERED:
            return float(_longest_order(entries, len(rule.rules)))
    by_event = {entry.id: entry.numbers for entry in entries}
    numbers = [_taken_to(number) for each in by_event.values() for number in each]
    match rule.type:
        case CorrelationType.VALUE_SUM:
            return float(sum(numbers))
        case CorrelationType.VALUE_AVG:
            return float(sum(numbers)) / len(numbers)
        case CorrelationType.VALUE_PERCENTILE:
            return _percentile(numbers, rule.percentile)
        case CorrelationType.VALUE_MEDIAN:
            return _percentile(numbers, 50.0)
    raise AssertionError(rule.type)


def _longest_order(entries: Sequence[Entry], steps: int) -> int:
    ends: list[set[Entry]] = [set(entries)]
    for _ in range(1, steps):
        ends.append(
            {
                entry
                for entry in entries
                for former in ends[-1]
                if former.slot < entry.slot
                and former.time <= entry.time
                and (former.time, event_id(former.id)) != (entry.time, event_id(entry.id))
            }
        )
    return sum(1 for level in ends if level)


def event_id(id_: str) -> str:
    return id_.partition("#")[0]


def _taken_to(number: float) -> Fraction:
    bounded = max(-(2.0**62), min(2.0**62, number))
    whole = floor(bounded)
    return whole + Fraction(floor((bounded - whole) * _FINEST + 0.5), _FINEST)


def _percentile(numbers: Sequence[Fraction], percentile: float) -> float:
    ordered = sorted(numbers)
    place = percentile * (len(ordered) - 1) / 100
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    left, right = float(ordered[below]), float(ordered[above])
    return left + (right - left) * (place - below)


def _keeps(measured: float, bounds: Iterable[Bound]) -> bool:
    return all(COMPARED[bound.comparison](measured, bound.value) for bound in bounds)


def within(entries: Iterable[Entry], first: int, last: int) -> list[Entry]:
    return [entry for entry in entries if first <= entry.time <= last]


def linked(moments: Sequence[tuple[int, _T]], span: int) -> list[list[tuple[int, _T]]]:
    stretches: list[list[tuple[int, _T]]] = []
    for one in moments:
        if stretches and one[0] - stretches[-1][-1][0] < span:
            stretches[-1].append(one)
        else:
            stretches.append([one])
    return stretches


def _episode(
    rule: StatefulRule, group: tuple[str, ...], entries: Sequence[Entry], measured: float
) -> Episode:
    ids = tuple(dict.fromkeys(entry.id for entry in sorted(entries)))
    since, last = min(e.time for e in entries), max(e.time for e in entries)
    return Episode(rule.rule.id, group, since, last, len(ids), measured, ids)
