"""Fast tests of many texts at once, one for each matcher."""

import operator as compare
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from typing import Any as AnyValue

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.errors import Unsupported
from tocsin.detect.matching.needle_set import NeedleSet
from tocsin.detect.rules import wildcard
from tocsin.detect.rules.expression import ExpressionKind, Searcher, compiled
from tocsin.detect.rules.matcher import Matcher, Operator
from tocsin.detect.rules.patience import Patience
from tocsin.detect.rules.value_list import ValueList
from tocsin.detect.rules.value_text import address_in, number_in, time_part_in

Test = Callable[[Sequence[str]], list[bool]]

_COMPARE: dict[Operator, Callable[[AnyValue, AnyValue], bool]] = {
    Operator.EQUAL: compare.eq,
    Operator.LESS: compare.lt,
    Operator.LESS_EQUAL: compare.le,
    Operator.GREATER: compare.gt,
    Operator.GREATER_EQUAL: compare.ge,
}
_COST = {
    Operator.EXACT: 1.0,
    Operator.STARTSWITH: 1.2,
    Operator.ENDSWITH: 1.2,
    Operator.CONTAINS: 2.0,
    Operator.GLOB: 20.0,
    Operator.REGEX: 20.0,
    Operator.CIDR: 30.0,
    Operator.LISTED: 4.0,
}


_MOST_COSTS = {Operator.CONTAINS: 20, Operator.CIDR: 3}
"""From so many values on they are looked for together: further ones cost nothing."""

_BY_HAND = 4_000
"""Up to so many comparisons of a text and a value it is quicker to make them one by one."""

_FEW = 24
"""Up to so many texts it is quicker not to have Arrow compile the expression anew."""


Verdicts = npt.NDArray[np.uint8]
FALSE, TRUE, UNKNOWN = np.uint8(0), np.uint8(1), np.uint8(2)


@dataclass(frozen=True, slots=True)
class Predicate:
    """Says of each text whether the matcher holds; ``folded``: it wants folded texts.

    Expressions (any of them) are searched for in whole arrays: ``patterns`` by Arrow's RE2,
    ``limited`` one by one within ``patience``. All else is done by ``test`` in lists.
    """

    folded: bool
    test: Test | None = None
    patterns: tuple[str, ...] = ()
    limited: tuple[Searcher, ...] = ()
    patience: Patience | None = None

    def in_array(self, texts: pa.Array) -> Verdicts:
        """Of each text whether any expression is found in it; null counts as no."""
        if len(texts) <= _FEW:
            found = _few_found(self.patterns, texts.to_pylist())
        else:
            found = np.zeros(len(texts), np.bool_)
            for pattern in self.patterns:
                held = pc.match_substring_regex(texts, pattern)
                found |= pc.fill_null(held, False).to_numpy(zero_copy_only=False)
        verdicts = found.astype(np.uint8)
        if self.limited:
            for at in np.flatnonzero(~found).tolist():
                verdicts[at] = self._limited_verdict(texts[at].as_py())
        return verdicts

    def _limited_verdict(self, text: str | None) -> np.uint8:
        if text is None:
            return FALSE
        assert self.patience is not None  # noqa: S101 - comes with ``limited``
        verdict = FALSE
        for searcher in self.limited:
            found = self.patience.found_in(searcher, text)
            if found:
                return TRUE
            if found is None:
                verdict = UNKNOWN
        return verdict


def _few_found(patterns: Sequence[str], texts: list[str | None]) -> npt.NDArray[np.bool_]:
    searchers = [compiled(pattern) for pattern in patterns]
    found = [
        text is not None and any(searcher.found_in(text) for searcher in searchers)
        for text in texts
    ]
    return np.array(found, np.bool_)


def predicate_of(matcher: Matcher, patience: Patience) -> Predicate:
    """The test of a matcher that looks at one field's texts."""
    kind = matcher.operator
    folded = not matcher.cased
    values = tuple(v.casefold() if folded else v for v in matcher.values)
    if kind is Operator.EXACT:
        return Predicate(folded, _exact(frozenset(values)))
    if kind is Operator.CONTAINS:
        return Predicate(folded, _contains(values))
    if kind is Operator.STARTSWITH:
        return Predicate(folded, _at_edge(values, at_end=False))
    if kind is Operator.ENDSWITH:
        return Predicate(folded, _at_edge(values, at_end=True))
    if kind is Operator.GLOB:
        return _wildcards(folded, values)
    if kind is Operator.REGEX:
        return _expressions(matcher.values, patience)
    if kind is Operator.CIDR:
        return Predicate(False, _within(matcher.values))
    if isinstance(matcher.values, ValueList):
        find = matcher.values.find
        return Predicate(False, lambda texts: [find(text) is not None for text in texts])
    return Predicate(False, _compares(_COMPARE[kind], matcher.values[0], matcher.part))


def cost_of(matcher: Matcher) -> float:
    """Roughly what testing one value costs, in units of a hash lookup."""
    per_value = _COST.get(matcher.operator, 10.0)
    several_as_one = (Operator.EXACT, Operator.STARTSWITH, Operator.ENDSWITH, Operator.LISTED)
    if matcher.operator in several_as_one:
        return per_value
    return per_value * min(max(1, len(matcher.values)), _MOST_COSTS.get(matcher.operator, 10**9))


def _exact(wanted: frozenset[str]) -> Test:
    return lambda texts: [text in wanted for text in texts]


def _contains(needles: tuple[str, ...]) -> Test:
    if len(needles) == 1:
        needle = needles[0]
        return lambda texts: [needle in text for text in texts]

    @cache
    def together() -> NeedleSet:
        return NeedleSet(needles)

    def test(texts: Sequence[str]) -> list[bool]:
        if len(texts) * len(needles) > _BY_HAND:
            return together().occur_in(texts)
        return [any(needle in text for needle in needles) for text in texts]

    return test


def _at_edge(values: tuple[str, ...], *, at_end: bool) -> Test:
    if len(values) <= _FEW:
        if at_end:
            return lambda texts: [text.endswith(values) for text in texts]
        return lambda texts: [text.startswith(values) for text in texts]
    wanted = frozenset(values)
    lengths = sorted({len(value) for value in values})

    def is_wanted(text: str) -> bool:
        size = len(text)
        return any(
            (text[size - length :] if at_end else text[:length]) in wanted
            for length in lengths
            if length <= size
        )

    return lambda texts: [is_wanted(text) for text in texts]


def _wildcards(folded: bool, values: Sequence[str]) -> Predicate:
    patterns = tuple(wildcard.to_regex(value) for value in values)
    if all(_is_quick(pattern) for pattern in patterns):
        return Predicate(folded, patterns=patterns)
    pieces = [wildcard.read(value) for value in values]  # too large for RE2
    return Predicate(
        folded, lambda texts: [any(wildcard.matches(text, one) for one in pieces) for text in texts]
    )


def _is_quick(pattern: str) -> bool:
    try:
        return compiled(pattern).kind is ExpressionKind.RE2
    except Unsupported:
        return False


def _expressions(patterns: Sequence[str], patience: Patience) -> Predicate:
    searchers = [compiled(pattern) for pattern in patterns]
    quick = tuple(one.pattern for one in searchers if one.kind is ExpressionKind.RE2)
    limited = tuple(one for one in searchers if one.kind is ExpressionKind.FALLBACK)
    return Predicate(False, patterns=quick, limited=limited, patience=patience)


def _within(networks: Sequence[str]) -> Test:
    wanted: dict[tuple[int, int], set[int]] = {}
    for network in map(ip_network, networks):
        host_bits = network.max_prefixlen - network.prefixlen
        starts = wanted.setdefault((network.version, host_bits), set())
        starts.add(int(network.network_address) >> host_bits)

    def one(text: str) -> bool:
        address = address_in(text)
        return address is not None and any(
            address.version == version and int(address) >> host_bits in starts
            for (version, host_bits), starts in wanted.items()
        )

    return lambda texts: [one(text) for text in texts]


def _compares(holds: Callable[[AnyValue, AnyValue], bool], value: str, part: str) -> Test:
    bound = number_in(value)

    def one(text: str) -> bool:
        seen = time_part_in(text, part) if part else number_in(text)
        return seen is not None and holds(seen, bound)

    return lambda texts: [one(text) for text in texts]
