"""Rules that look at several events: Sigma 2.1 correlations, absence, new terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from tocsin.model.rule import Rule


class CorrelationType(StrEnum):
    """What is measured in a window (Sigma 2.1 correlation types, and ``absence``)."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_PERCENTILE = "value_percentile"
    VALUE_MEDIAN = "value_median"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    ABSENCE = "absence"


class Comparison(StrEnum):
    """How a measured value is compared."""

    LESS = "lt"
    LESS_EQUAL = "lte"
    GREATER = "gt"
    GREATER_EQUAL = "gte"
    EQUAL = "eq"
    NOT_EQUAL = "neq"


@dataclass(frozen=True, slots=True)
class Bound:
    """One side of a condition; several of a rule must all hold (a range)."""

    comparison: Comparison
    value: float


@dataclass(frozen=True, slots=True)
class Sequenced:
    """A test of a stateful rule: events at times, and how many findings must come of them.

    ``events`` are (seconds since the start of the test, name or id of the match rule whose log
    source the event is of ("" when there is only one), native fields), in the order of arrival.
    """

    name: str
    findings: int
    events: tuple[tuple[float, str, dict[str, object]], ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class CorrelationRule:
    """A Sigma correlation or an absence rule ready to run.

    ``rules`` are ids of what it takes: match rules or other correlations (chained), in the order
    written. ``group_by`` names fields or aliases; ``aliases`` gives each alias the field to read
    by rule id. ``fields`` are what a value type measures (several only for ``value_count``).
    ABSENCE: ``rules`` are (trigger, expected): found when no expected event follows a trigger of
    the group within ``timespan``; one rule alone: when the group, once seen, is not seen again
    for ``timespan``.
    """

    rule: Rule
    type: CorrelationType
    rules: tuple[str, ...]
    timespan: timedelta
    group_by: tuple[str, ...] = ()
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    bounds: tuple[Bound, ...] = ()
    fields: tuple[str, ...] = ()
    percentile: float = 50.0
    generate: bool = False
    name: str = ""
    tests: tuple[Sequenced, ...] = ()
    line: int = 1


@dataclass(frozen=True, slots=True)
class NewTermsRule:
    """Finds values of ``fields`` (together) not seen in the last ``window``, within each group.

    Takes the hits of the match rule with its own id. It finds nothing of a group until that was
    watched for ``learning``; what is seen meanwhile counts as known.
    """

    rule: Rule
    fields: tuple[str, ...]
    window: timedelta
    learning: timedelta
    group_by: tuple[str, ...] = ()
    tests: tuple[Sequenced, ...] = ()
    line: int = 1


StatefulRule: TypeAlias = CorrelationRule | NewTermsRule
