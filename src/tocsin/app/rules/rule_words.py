"""Says in words what a rule that looks at several events counts, and what one verdict counted."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from tocsin.detect.correlate.correlated import Correlated
from tocsin.detect.rules.health_rule import HealthRule
from tocsin.detect.rules.stateful_rule import (
    Bound,
    Comparison,
    CorrelationType,
    NewTermsRule,
    StatefulRule,
)
from tocsin.model.field_path import values_at

TitleOf = Callable[[str], str]
"""The title of a rule by its id (or its name as written, when it is not loaded)."""

_COMPARED = {
    Comparison.LESS: "less than",
    Comparison.LESS_EQUAL: "at most",
    Comparison.GREATER: "more than",
    Comparison.GREATER_EQUAL: "at least",
    Comparison.EQUAL: "exactly",
    Comparison.NOT_EQUAL: "not",
}
_MEASURES = {
    CorrelationType.VALUE_SUM: "sum",
    CorrelationType.VALUE_AVG: "average",
    CorrelationType.VALUE_MEDIAN: "median",
}
_UNITS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))
_LONGEST = 120


def span_in_words(length: timedelta) -> str:
    """``5 minutes``, ``1 hour``, ``36 hours``, ``90 seconds``: the largest unit that divides it."""
    seconds = length.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit in _UNITS:
        if seconds >= size and seconds % size == 0:
            number = int(seconds // size)
            return f"{number} {unit}{'s' if number != 1 else ''}"
    return f"{seconds / 60:.1f} minutes" if seconds >= 120 else f"{seconds:.1f} seconds"


def bounds_in_words(bounds: tuple[Bound, ...]) -> str:
    """``at least 10 and less than 100``; empty without bounds."""
    return " and ".join(f"{_COMPARED[bound.comparison]} {bound.value:g}" for bound in bounds)


def looked_for(rule: StatefulRule | HealthRule, title_of: TitleOf) -> str:
    """What the rule finds, in one sentence without its window's beginning."""
    if isinstance(rule, NewTermsRule):
        per = f" of each {_listed(rule.group_by)}" if rule.group_by else ""
        return (
            f"a {_listed(rule.fields, 'with')}{per} not seen in {span_in_words(rule.window)}, "
            f"once it was watched for {span_in_words(rule.learning)}"
        )
    if isinstance(rule, HealthRule):
        lasting = f" for {span_in_words(rule.lasting)}" if rule.lasting else ""
        only = f" (only {_listed(rule.only)})" if rule.only else ""
        return f"{rule.metric} of a {rule.subject}{only} {bounds_in_words(rule.bounds)}{lasting}"
    titles = [f"“{title_of(one)}”" for one in rule.rules]
    window = span_in_words(rule.timespan)
    bounds = bounds_in_words(rule.bounds)
    fields = _listed(rule.fields, "with")
    match rule.type:
        case CorrelationType.EVENT_COUNT:
            found = f"{bounds} events of {_listed(titles, 'or')} within {window}"
        case CorrelationType.VALUE_COUNT:
            found = (
                f"{bounds} different values of {fields} in {_listed(titles, 'or')} within {window}"
            )
        case CorrelationType.VALUE_PERCENTILE:
            found = f"percentile {rule.percentile:g} of {fields} {bounds} within {window}"
        case CorrelationType.TEMPORAL:
            every = f"{_listed(titles)} within {window}"
            found = f"{bounds} of {every}" if bounds else every
        case CorrelationType.TEMPORAL_ORDERED:
            found = f"{', then '.join(titles)} within {window}"
        case CorrelationType.ABSENCE:
            found = _absent(titles, window)
        case _:
            found = f"{_MEASURES[rule.type]} of {fields} {bounds} within {window}"
    per = f", for each {_listed(rule.group_by, 'with')}" if rule.group_by else ""
    return found + per


def verdict_in_words(rule: StatefulRule, found: Correlated, title_of: TitleOf) -> str:
    """What was counted, of whom, in how long, and what the rule asks for.

    ``12 events of “SSH password refused” with src_ip 10.0.0.7 in 3.2 minutes (the rule: at least
    10 within 5 minutes)``.
    """
    text = _counted(rule, found, title_of)
    return f"Retracted: {text} no longer holds" if found.retracted else text


def _counted(rule: StatefulRule, found: Correlated, title_of: TitleOf) -> str:
    group = " and ".join(f"{name} {_shown(value)}" for name, value in found.group)
    of_group = f" with {group}" if group else ""
    if isinstance(rule, NewTermsRule):
        terms = " with ".join(f"{name} {_value(found.native, name)}" for name in rule.fields)
        return f"{terms}{of_group}: not seen in {span_in_words(rule.window)} before"
    titles = [f"“{title_of(one)}”" for one in rule.rules]
    asked = f"the rule: {bounds_in_words(rule.bounds)} within {span_in_words(rule.timespan)}"
    took = _took(found.time - found.since)
    events = f"{found.event_count:,} event{'s' if found.event_count != 1 else ''}"
    fields = _listed(rule.fields, "with")
    match rule.type:
        case CorrelationType.EVENT_COUNT:
            return f"{events} of {_listed(titles, 'or')}{of_group} {took} ({asked})"
        case CorrelationType.VALUE_COUNT:
            return (
                f"{found.measured:g} different values of {fields} in {events} of "
                f"{_listed(titles, 'or')}{of_group} {took} ({asked})"
            )
        case CorrelationType.TEMPORAL | CorrelationType.TEMPORAL_ORDERED:
            link = ", then " if rule.type is CorrelationType.TEMPORAL_ORDERED else " and "
            window = span_in_words(rule.timespan)
            return f"{link.join(titles)}{of_group} {took} (the rule: within {window})"
        case CorrelationType.ABSENCE:
            return _absent(titles, span_in_words(rule.timespan)) + of_group
        case CorrelationType.VALUE_PERCENTILE:
            measure = f"percentile {rule.percentile:g}"
        case _:
            measure = _MEASURES[rule.type]
    return f"{measure} of {fields} is {found.measured:g} over {events}{of_group} {took} ({asked})"


def _absent(titles: list[str], window: str) -> str:
    if len(titles) == 1:
        return f"no {titles[0]} for {window} after the last one"
    return f"no {titles[1]} within {window} after {titles[0]}"


def _took(length: timedelta) -> str:
    if length < timedelta(seconds=1):
        return "at once"
    left, parts = round(length.total_seconds()), []
    for size_s, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        number, left = divmod(left, size_s)
        if number:
            parts.append(f"{number} {unit}{'s' if number != 1 else ''}")
    return f"in {' '.join(parts[:2])}"


def _value(native: Mapping[str, object], name: str) -> str:
    found = values_at(native, name)
    return _shown(", ".join(str(one) for one in found)) if found else "(as told before)"


def _shown(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"


def _listed(names: tuple[str, ...] | list[str], last: str = "and") -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
