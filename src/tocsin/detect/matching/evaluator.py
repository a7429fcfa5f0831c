"""Conditions as masks over rows: each pattern tested once for each distinct value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

import numpy as np

from tocsin.detect.matching.batch_view import BatchView
from tocsin.detect.matching.column import Column, Rows
from tocsin.detect.matching.predicate import Predicate, cost_of, predicate_of
from tocsin.detect.matching.vocabulary import Codes, Mask
from tocsin.detect.rules.matcher import FIELD_REFERENCES, KEYWORD, All, Any, Matcher, Node, Operator
from tocsin.detect.rules.patience import Patience

_REFERENCES: dict[Operator, Callable[[str, str], bool]] = {
    Operator.FIELD_EQUALS: lambda left, right: left == right,
    Operator.FIELD_STARTSWITH: lambda left, right: left.startswith(right),
    Operator.FIELD_ENDSWITH: lambda left, right: left.endswith(right),
    Operator.FIELD_CONTAINS: lambda left, right: right in left,
}
_MOST_KNOWN = 100_000


@dataclass(frozen=True, slots=True)
class ValueStep:
    """A matcher on a field's values; ``key`` is the same wherever the same matcher stands."""

    field: str
    key: int
    predicate: Predicate


@dataclass(frozen=True, slots=True)
class PresenceStep:
    """True where the field is present, or where it is not."""

    field: str
    present: bool


@dataclass(frozen=True, slots=True)
class ReferenceStep:
    """True where a value of one field compares with a value of another."""

    field: str
    other: str
    holds: Callable[[str, str], bool]
    folded: bool = True


@dataclass(frozen=True, slots=True)
class AllStep:
    """Parts in the order of their cost; each sees only the rows that passed the ones before."""

    parts: "tuple[Step, ...]"


@dataclass(frozen=True, slots=True)
class AnyStep:
    """Parts in the order of their cost; each sees only the rows no part before has passed."""

    parts: "tuple[Step, ...]"


@dataclass(frozen=True, slots=True)
class NotStep:
    """True where the part is not."""

    part: "Step"


Step: TypeAlias = ValueStep | PresenceStep | ReferenceStep | AllStep | AnyStep | NotStep


class StepBuilder:
    """Makes steps of conditions; equal matchers share their key, so their verdicts too."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._known: dict[Matcher, ValueStep] = {}
        self._keys = count()

    def build(self, node: Node) -> Step:
        if isinstance(node, Matcher):
            return self._matcher(node)
        if isinstance(node, All | Any):
            ordered = sorted(node.parts, key=_cost)
            parts = tuple(self.build(part) for part in ordered)
            return AllStep(parts) if isinstance(node, All) else AnyStep(parts)
        return NotStep(self.build(node.part))

    def _matcher(self, matcher: Matcher) -> Step:
        if matcher.operator in (Operator.EXISTS, Operator.NULL):
            return PresenceStep(matcher.field, matcher.operator is Operator.EXISTS)
        if matcher.operator in FIELD_REFERENCES:
            holds = _REFERENCES[matcher.operator]
            return ReferenceStep(matcher.field, matcher.values[0], holds, not matcher.cased)
        step = self._known.get(matcher)
        if step is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()  # many edits later; steps in use stay as they are
            key = next(self._keys)
            step = ValueStep(matcher.field, key, predicate_of(matcher, self._patience))
            self._known[matcher] = step
        return step


def _cost(node: Node) -> float:
    if isinstance(node, Matcher):
        if node.operator in (Operator.EXISTS, Operator.NULL):
            return 0.1
        return cost_of(node) * (50 if node.field == KEYWORD else 1)
    if isinstance(node, All | Any):
        return sum(_cost(part) for part in node.parts)
    return 0.5 + _cost(node.part)


def holds(step: Step, view: BatchView, rows: Rows) -> Mask:
    """Of each of ``rows`` whether the step is true for it."""
    if isinstance(step, ValueStep):
        return _value(step, view, rows)
    if isinstance(step, AllStep):
        return _all(step.parts, view, rows)
    if isinstance(step, AnyStep):
        return _any(step.parts, view, rows)
    if isinstance(step, NotStep):
        return ~holds(step.part, view, rows)
    column = view.column(step.field)
    if isinstance(step, PresenceStep):
        present = np.zeros(len(rows), np.bool_) if column is None else column.has_value(rows)
        return present if step.present else ~present
    return _reference(step, column, view.column(step.other), rows)


def _value(step: ValueStep, view: BatchView, rows: Rows) -> Mask:
    if step.field == KEYWORD:
        return _anywhere(step, view.leaves(), rows)
    column = view.column(step.field)
    if column is None:
        return np.zeros(len(rows), np.bool_)
    return column.holds(step.key, step.predicate, rows)


def _anywhere(step: ValueStep, columns: Sequence[Column], rows: Rows) -> Mask:
    mask = np.zeros(len(rows), np.bool_)
    for column in columns:
        pending = np.flatnonzero(~mask)
        if not len(pending):
            break
        mask[pending] = column.holds(step.key, step.predicate, rows[pending])
    return mask


def _all(parts: Sequence[Step], view: BatchView, rows: Rows) -> Mask:
    left = rows
    at: Rows | None = None
    for part in parts:
        passed = np.flatnonzero(holds(part, view, left))
        if not len(passed):
            return np.zeros(len(rows), np.bool_)
        if len(passed) < len(left):
            left = left[passed]
            at = passed if at is None else at[passed]
    if at is None:
        return np.ones(len(rows), np.bool_)
    mask = np.zeros(len(rows), np.bool_)
    mask[at] = True
    return mask


def _any(parts: Sequence[Step], view: BatchView, rows: Rows) -> Mask:
    mask = holds(parts[0], view, rows)
    for part in parts[1:]:
        pending = np.flatnonzero(~mask)
        if not len(pending):
            break
        mask[pending] = holds(part, view, rows[pending])
    return mask


def _reference(
    step: ReferenceStep, column: Column | None, other: Column | None, rows: Rows
) -> Mask:
    mask = np.zeros(len(rows), np.bool_)
    if column is None or other is None:
        return mask
    left, right = column.single_codes, other.single_codes
    if left is not None and right is not None:
        at = np.flatnonzero((left[rows] >= 0) & (right[rows] >= 0))
        lefts, rights = left[rows[at]], right[rows[at]]
    else:
        at, lefts, rights = _pairs_of_lists(column, other, rows)
    if len(at):
        mask[at[_pairs_hold(step, column, other, lefts, rights)]] = True
    return mask


def _pairs_of_lists(column: Column, other: Column, rows: Rows) -> tuple[Rows, Codes, Codes]:
    """Every pair of values of each row, with the row's position."""
    pairs = [
        (at, left, right)
        for at, (lefts, rights) in enumerate(
            zip(column.values_by_row(rows), other.values_by_row(rows), strict=True)
        )
        for left in lefts
        for right in rights
    ]
    columns = np.array(pairs, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _pairs_hold(
    step: ReferenceStep, column: Column, other: Column, lefts: Codes, rights: Codes
) -> Mask:
    """Of each pair of codes whether the texts compare; each distinct pair is compared once."""
    span = len(other.vocabulary)
    distinct, which = np.unique(lefts * span + rights, return_inverse=True)
    left_texts = column.vocabulary.texts(distinct // span, folded=step.folded)
    right_texts = other.vocabulary.texts(distinct % span, folded=step.folded)
    verdicts = [
        left is not None and right is not None and step.holds(left, right)
        for left, right in zip(left_texts, right_texts, strict=True)
    ]
    return np.array(verdicts, np.bool_)[which]
