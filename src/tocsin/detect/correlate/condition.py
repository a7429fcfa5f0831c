"""Conditions of correlations on many measured values at once, and how they are said."""

import operator
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from tocsin.detect.correlate.arrivals import Floats
from tocsin.detect.rules.stateful_rule import (
    Bound,
    Comparison,
    CorrelationRule,
    CorrelationType,
    NewTermsRule,
    StatefulRule,
)

_TEMPORAL = frozenset({CorrelationType.TEMPORAL, CorrelationType.TEMPORAL_ORDERED})
_RISING = frozenset({Comparison.GREATER, Comparison.GREATER_EQUAL})
_WHOLE_WINDOW = frozenset(
    {CorrelationType.VALUE_AVG, CorrelationType.VALUE_PERCENTILE, CorrelationType.VALUE_MEDIAN}
)
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def bounds_of(rule: CorrelationRule) -> tuple[Bound, ...]:
    """The rule's bounds; a temporal rule without any wants every rule it names."""
    if rule.bounds or rule.type not in _TEMPORAL:
        return rule.bounds
    steps = rule.rules if rule.type is CorrelationType.TEMPORAL_ORDERED else set(rule.rules)
    return (Bound(Comparison.GREATER_EQUAL, len(steps)),)


def judges_whole_windows(rule: CorrelationRule) -> bool:
    """True when only a complete window can be judged: an upper bound, or a mean of some kind."""
    rising = all(bound.comparison in _RISING for bound in rule.bounds)
    return rule.type in _WHOLE_WINDOW or not rising


def holds(measured: Floats, bounds: Sequence[Bound]) -> npt.NDArray[np.bool_]:
    """Which values keep all bounds."""
    kept = np.ones(len(measured), bool)
    for bound in bounds:
        kept &= _kept(measured, bound)
    return kept


def _kept(measured: Floats, bound: Bound) -> npt.NDArray[np.bool_]:
    compared = COMPARED[bound.comparison](measured, bound.value)
    return np.asarray(compared, bool)


COMPARED: dict[Comparison, Callable[[Any, float], Any]] = {
    Comparison.LESS: operator.lt,
    Comparison.LESS_EQUAL: operator.le,
    Comparison.GREATER: operator.gt,
    Comparison.GREATER_EQUAL: operator.ge,
    Comparison.EQUAL: operator.eq,
    Comparison.NOT_EQUAL: operator.ne,
}
"""For single values and arrays alike."""


def span_text(span: timedelta) -> str:
    """A timespan as Sigma writes it (``90m``)."""
    seconds = span.total_seconds()
    for unit, letter in _UNITS:
        if seconds >= unit and seconds % unit == 0:
            return f"{int(seconds // unit)}{letter}"
    return f"{seconds:g}s"


def because(rule: StatefulRule, measured: float) -> str:
    """The value and the condition in words: ``event_count 12, gte 10 within 5m``."""
    if isinstance(rule, NewTermsRule):
        fields = " and ".join(rule.fields)
        return f"{fields} not seen before within {span_text(rule.window)}"
    if rule.type is CorrelationType.ABSENCE:
        return f"nothing expected came within {span_text(rule.timespan)} of {measured:.15g} events"
    wanted = " and ".join(f"{one.comparison} {one.value:.15g}" for one in bounds_of(rule))
    of = f" of {', '.join(rule.fields)}" if rule.fields else ""
    return f"{rule.type}{of} {measured:.15g}, {wanted} within {span_text(rule.timespan)}"
