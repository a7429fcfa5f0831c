"""Simplifies a filter for each segment by what is known of it, without opening the file.

A part of a filter that asks for one column only is tried, by DuckDB itself, on the values the
column has in the segments. Where none makes it true, or all do, it is no question any more; so
most segments need not be opened, and of those that are fewer columns are read.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from sqlglot import exp

from tocsin.store.engines.parquet import event_queries as build
from tocsin.store.engines.parquet.duckdb_reader import DuckDbReader
from tocsin.store.engines.parquet.segment_facts import RAW, Numbers, SegmentFacts
from tocsin.store.engines.parquet.value_index import Mask, ValueIndex, Values
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.lucene import Filter
from tocsin.store.ports import Segment
from tocsin.store.query import EventQuery

_KNOWN = frozenset(
    (*(name for name, kind in ENVELOPE.items() if kind == "VARCHAR" and name != "event_id"),)
) | {column.name for column in HOT_COLUMNS}
_VARIANTS = frozenset({"ocsf", "native"})
_LEAST, _MOST = -(1 << 40), 1 << 40
"""Beyond all minutes there are."""

Outcome: TypeAlias = bool | None
"""What a part of the filter says of every event of a segment; None: it must be asked."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A part of a filter without AND, OR or NOT.

    ``column`` is the only one it asks for, ``fields`` those of a VARIANT by their keys. One that
    is ``never_of_objects`` asks for a text that no object has.
    """

    condition: exp.Expr
    column: str | None
    fields: tuple[tuple[str, ...], ...] = ()
    never_of_objects: bool = False


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of the filter; ``says`` is set when it is true, or false, in any case."""

    condition: exp.Expr
    says: Outcome


@dataclass(frozen=True, slots=True)
class _Group:
    kind: str
    parts: "tuple[_Tree, ...]"


_Tree: TypeAlias = "_Group | int"
"""A group of parts, or the number of a leaf."""


class Narrowing:
    """What is left to ask of each segment for one query."""

    def __init__(
        self,
        query: EventQuery,
        found: Filter,
        facts: Mapping[str, SegmentFacts | None],
        index: ValueIndex,
        reader: DuckDbReader,
    ) -> None:
        self._query = query
        self.facts = {one: known for one, known in facts.items() if known is not None}
        self._index = index
        self._reader = reader
        self._leaves: list[_Leaf] = []
        self._tree = self._planted(found.condition)
        self._values: dict[int, dict[str, Values | None]] = {}
        self._masks: dict[int, Mask] = {}
        self._of_null: dict[int, bool] = {}
        self._outcomes: dict[str, tuple[Outcome, ...]] = {}
        self._folded: dict[tuple[Outcome, ...], _Rest] = {}

    def asked_alike(self, segment: Segment) -> Hashable:
        """The same for segments of which the same is to be asked."""
        return self._is_within(segment), id(self._rest(segment))

    def condition(self, segment: Segment) -> exp.Expr:
        """What to ask of the segment's events, times included; ``true`` when all match."""
        rest = self._rest(segment)
        if rest.says is False:
            return rest.condition
        tests = [] if self._is_within(segment) else build.time_tests(self._query)
        if rest.says is None:
            tests.append(exp.paren(rest.condition.copy()))
        return exp.and_(*tests) if tests else exp.true()

    def may_hold(self, segment: Segment) -> bool:
        return self._rest(segment).says is not False

    def is_whole(self, segment: Segment) -> bool:
        """True when every event of the segment matches."""
        return self._is_within(segment) and self._rest(segment).says is True

    def count(self, segment: Segment) -> int | None:
        """How many events of the segment match; None when it must be opened to know."""
        says = self._rest(segment).says
        if says is False:
            return 0
        if not self._is_within(segment):
            return None
        if says:
            return segment.rows
        leaf = self._leaves[0]
        if self._tree != 0 or leaf.column not in _KNOWN or segment.id not in self.facts:
            return None
        values = self._values_of(0, leaf.column)[segment.id]
        if values is None:
            return None
        return int(values.counts[self._mask(0, leaf.column)[values.numbers]].sum())

    def minutes(self, segment: Segment) -> tuple[Numbers, Numbers] | None:
        """Minutes since 1970 (ascending) of which all events match, and how many there are.

        None when it is not known.
        """
        if not self.knows_minutes(segment):
            return None
        minutes, _, events = self.facts[segment.id].minutes
        first, end = np.searchsorted(minutes, self.whole_minutes)
        return minutes[first:end], events[first:end]

    def knows_minutes(self, segment: Segment) -> bool:
        """True when all of a minute's events match wherever it is wholly within the times."""
        return segment.id in self.facts and self._rest(segment).says is True

    @cached_property
    def whole_minutes(self) -> tuple[int, int]:
        """The minutes since 1970 that lie wholly within the times asked for: first, and end."""
        start, end = self._query.start, self._query.end
        first = _LEAST if start is None else -(-build.micros(start) // build.MINUTE_US)
        last = _MOST if end is None else build.micros(end) // build.MINUTE_US
        return first, max(first, last)

    def cut_minutes(self) -> list[int]:
        """Minutes since 1970 of which only a part lies within the times asked for."""
        ends = (self._query.start, self._query.end)
        moments = [build.micros(one) for one in ends if one is not None]
        return sorted({one // build.MINUTE_US for one in moments if one % build.MINUTE_US})

    def _is_within(self, segment: Segment) -> bool:
        query = self._query
        return (query.start is None or query.start <= segment.first_time) and (
            query.end is None or segment.last_time < query.end
        )

    def _rest(self, segment: Segment) -> _Rest:
        outcomes = self._outcomes.get(segment.id)
        if outcomes is None:
            numbers = range(len(self._leaves))
            outcomes = tuple(self._outcome(number, segment) for number in numbers)
            self._outcomes[segment.id] = outcomes
        folded = self._folded.get(outcomes)
        if folded is None:
            condition = self._fold(self._tree, outcomes)
            says = condition.this if isinstance(condition, exp.Boolean) else None
            folded = self._folded[outcomes] = _Rest(condition, says)
        return folded

    def _outcome(self, number: int, segment: Segment) -> Outcome:
        leaf, facts = self._leaves[number], self.facts.get(segment.id)
        if leaf.condition == exp.true():
            return True
        if leaf.column is None or facts is None:
            return None
        if leaf.column in _VARIANTS:
            asked = any(
                facts.may_have(leaf.column, keys)
                and not (leaf.never_of_objects and facts.is_object(leaf.column, keys))
                for keys in leaf.fields
            )
            return None if asked else self._is_true_of_null(number)
        if leaf.column == RAW:
            is_absent = RAW in facts.columns and facts.columns[RAW] is None
            return self._is_true_of_null(number) if is_absent else None
        values = self._values_of(number, leaf.column)[segment.id]
        if values is None:
            return None
        true = self._mask(number, leaf.column)[values.numbers]
        return bool(true[0]) if np.all(true == true[0]) else None

    def _values_of(self, number: int, column: str) -> dict[str, Values | None]:
        if number not in self._values:
            self._values[number] = self._index.values_of(column, self.facts)
        return self._values[number]

    def _mask(self, number: int, column: str) -> Mask:
        if number not in self._masks:
            self._masks[number] = self._index.mask(column, self._leaves[number].condition)
        return self._masks[number]

    def _is_true_of_null(self, number: int) -> bool:
        if number not in self._of_null:
            leaf = self._leaves[number]
            kind = "BLOB" if leaf.column == RAW else "VARIANT"
            nothing = exp.cast(exp.null(), exp.DataType.build(kind, dialect="duckdb"))
            row = exp.select(exp.alias_(nothing, leaf.column, quoted=True)).subquery("nothing")
            asked = exp.select(exp.Count(this=exp.Star())).from_(row).where(leaf.condition.copy())
            self._of_null[number] = bool(self._reader.rows(asked)[0][0])
        return self._of_null[number]

    def _planted(self, node: exp.Expr) -> _Tree:
        if isinstance(node, exp.Paren):
            return self._planted(node.this)
        if isinstance(node, exp.Coalesce) and node.expressions == [exp.false()]:
            return self._planted(node.this)
        if isinstance(node, (exp.And, exp.Or)):
            parts = tuple(self._planted(part) for part in node.flatten())
            return _Group("and" if isinstance(node, exp.And) else "or", parts)
        if isinstance(node, exp.Not):
            return _Group("not", (self._planted(node.this),))
        self._leaves.append(_leaf(node))
        return len(self._leaves) - 1

    def _fold(self, tree: _Tree, outcomes: Sequence[Outcome]) -> exp.Expr:
        if isinstance(tree, int):
            known = outcomes[tree]
            if known is None:
                return self._leaves[tree].condition.copy()
            return exp.true() if known else exp.false()
        parts = [self._fold(part, outcomes) for part in tree.parts]
        if tree.kind == "not":
            return _negated(parts[0])
        ends, drops = (exp.false(), exp.true()) if tree.kind == "and" else (exp.true(), exp.false())
        if ends in parts:
            return ends
        left = [part for part in parts if part != drops]
        if not left:
            return drops
        join = exp.and_ if tree.kind == "and" else exp.or_
        return left[0] if len(left) == 1 else exp.paren(join(*left))


def _negated(part: exp.Expr) -> exp.Expr:
    """Also true where ``part`` is null."""
    if part in (exp.true(), exp.false()):
        return exp.false() if part == exp.true() else exp.true()
    return exp.not_(exp.Coalesce(this=exp.paren(part), expressions=[exp.false()]))


def _leaf(node: exp.Expr) -> _Leaf:
    columns = {column.name for column in node.find_all(exp.Column)}
    if len(columns) != 1:
        return _Leaf(node, None)
    (column,) = columns
    if column in _VARIANTS:
        fields = [_keys(one) for one in node.find_all(exp.Column)]
        return _Leaf(
            node, column if all(fields) else None, tuple(fields), _is_equal_to_plain_text(node)
        )
    return _Leaf(node, column if column in _KNOWN or column == RAW else None)


def _is_equal_to_plain_text(node: exp.Expr) -> bool:
    """True for ``text = literal``, or one of some, where no literal is an object's text.

    Whatever the case.
    """
    if isinstance(node, exp.In):
        wanted = [_lowered(one) for one in node.expressions]
    elif isinstance(node, exp.EQ):
        wanted = [_lowered(node.expression)]
    else:
        return False
    return isinstance(_lowered(node.this), exp.Cast) and all(
        isinstance(one, exp.Literal) and one.is_string and not one.this.startswith("{")
        for one in wanted
    )


def _lowered(node: exp.Expr) -> exp.Expr:
    is_lower = isinstance(node, exp.Anonymous) and str(node.this).lower() == "lower"
    return node.expressions[0] if is_lower else node


def _keys(column: exp.Column) -> tuple[str, ...]:
    """The keys that are extracted from a VARIANT one after the other; none: all of it is asked."""
    keys: list[str] = []
    within: exp.Expr = column
    while (parent := within.parent) is not None and _is_extract_of(within, parent):
        keys.append(parent.expressions[1].this)
        within = parent
    return tuple(keys)


def _is_extract_of(value: exp.Expr, node: exp.Expr) -> bool:
    return (
        isinstance(node, exp.Anonymous)
        and str(node.this).lower() == "variant_extract"
        and len(node.expressions) == 2
        and node.expressions[0] is value
        and isinstance(node.expressions[1], exp.Literal)
    )
