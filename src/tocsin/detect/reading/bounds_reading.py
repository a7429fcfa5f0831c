"""Reading conditions such as ``{gte: 10, lt: 100}``: several bounds of which all must hold."""

from typing import Final

from tocsin.detect.reading.rule_section import Section
from tocsin.detect.rules.stateful_rule import Bound, Comparison

COMPARISONS: Final = tuple(comparison.value for comparison in Comparison)
_ABOVE: Final = frozenset({Comparison.GREATER, Comparison.GREATER_EQUAL})
_BELOW: Final = frozenset({Comparison.LESS, Comparison.LESS_EQUAL})


def read_bounds(condition: Section) -> tuple[Bound, ...]:
    """At least one bound, and such that some number lies within all. Raises ``Unsupported``."""
    bounds = tuple(
        Bound(Comparison(key), condition.number(key))
        for key in COMPARISONS
        if key in condition.content
    )
    if not bounds:
        raise condition.refuse(f"the condition needs at least one of {', '.join(COMPARISONS)}")
    if not _can_hold(bounds):
        raise condition.refuse("the condition can never hold: no number lies within it")
    return bounds


def _can_hold(bounds: tuple[Bound, ...]) -> bool:
    """The lowest and the highest number allowed, each with whether it is itself left out."""
    above = max(
        (
            (one.value, one.comparison is Comparison.GREATER)
            for one in bounds
            if one.comparison in _ABOVE
        ),
        default=(float("-inf"), False),
    )
    below = min(
        (
            (one.value, one.comparison is not Comparison.LESS)
            for one in bounds
            if one.comparison in _BELOW
        ),
        default=(float("inf"), True),
    )
    if above[0] > below[0] or (above[0] == below[0] and (above[1] or not below[1])):
        return False
    equal = next((one.value for one in bounds if one.comparison is Comparison.EQUAL), None)
    if equal is None:
        return True
    within = (equal > above[0] or (equal == above[0] and not above[1])) and (
        equal < below[0] or (equal == below[0] and below[1])
    )
    return within and Bound(Comparison.NOT_EQUAL, equal) not in bounds
