"""Fast tests of many texts at once, one for each matcher."""

import operator as compare
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from typing import Any as AnyValue

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import re2

from tocsin.detect import wildcard
from tocsin.detect.matcher import Matcher, Operator
from tocsin.detect.value_text import address_in, number_in, time_part_in

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
}


_FEW = 24
"""Up to so many texts it is quicker not to have Arrow compile the expression anew."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """Says of each text whether the matcher holds; ``folded``: it wants folded texts.

    Expressions (``patterns``: any of them) are searched by Arrow's RE2 in whole arrays, all else
    by ``test`` in lists.
    """

    folded: bool
    test: Test | None = None
    patterns: tuple[str, ...] = ()

    def in_array(self, texts: pa.Array) -> npt.NDArray[np.bool_]:
        """Of each text whether any of ``patterns`` is found in it; null counts as no."""
        if len(texts) <= _FEW:
            searches = [_compiled(pattern).search for pattern in self.patterns]
            return np.array(
                [
                    text is not None and any(search(text) is not None for search in searches)
                    for text in texts.to_pylist()
                ],
                np.bool_,
            )
        found = np.zeros(len(texts), np.bool_)
        for pattern in self.patterns:
            held = pc.match_substring_regex(texts, pattern)
            found |= pc.fill_null(held, False).to_numpy(zero_copy_only=False)
        return found


def predicate_of(matcher: Matcher) -> Predicate:
    """The test of a matcher that looks at one field's texts."""
    kind = matcher.operator
    folded = not matcher.cased
    values = tuple(v.casefold() if folded else v for v in matcher.values)
    if kind is Operator.EXACT:
        return Predicate(folded, _exact(frozenset(values)))
    if kind is Operator.CONTAINS:
        return Predicate(folded, _contains(values))
    if kind is Operator.STARTSWITH:
        return Predicate(folded, lambda texts: [text.startswith(values) for text in texts])
    if kind is Operator.ENDSWITH:
        return Predicate(folded, lambda texts: [text.endswith(values) for text in texts])
    if kind is Operator.GLOB:
        return Predicate(folded, patterns=tuple(wildcard.to_regex(value) for value in values))
    if kind is Operator.REGEX:
        return Predicate(folded=False, patterns=matcher.values)
    if kind is Operator.CIDR:
        return Predicate(False, _within(matcher.values))
    return Predicate(False, _compares(_COMPARE[kind], matcher.values[0], matcher.part))


def cost_of(matcher: Matcher) -> float:
    """Roughly what testing one value costs, in units of a hash lookup."""
    per_value = _COST.get(matcher.operator, 10.0)
    if matcher.operator in (Operator.EXACT, Operator.STARTSWITH, Operator.ENDSWITH):
        return per_value
    return per_value * max(1, len(matcher.values))


def _exact(wanted: frozenset[str]) -> Test:
    return lambda texts: [text in wanted for text in texts]


def _contains(needles: tuple[str, ...]) -> Test:
    if len(needles) == 1:
        needle = needles[0]
        return lambda texts: [needle in text for text in texts]

    def test(texts: Sequence[str]) -> list[bool]:
        found = []
        for text in texts:
            for needle in needles:
                if needle in text:
                    found.append(True)
                    break
            else:
                found.append(False)
        return found

    return test


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> AnyValue:
    return re2.compile(pattern)


def _within(networks: Sequence[str]) -> Test:
    wanted = [ip_network(network) for network in networks]

    def one(text: str) -> bool:
        address = address_in(text)
        return address is not None and any(
            address.version == network.version and address in network for network in wanted
        )

    return lambda texts: [one(text) for text in texts]


def _compares(holds: Callable[[AnyValue, AnyValue], bool], value: str, part: str) -> Test:
    bound = number_in(value)

    def one(text: str) -> bool:
        seen = time_part_in(text, part) if part else number_in(text)
        return seen is not None and holds(seen, bound)

    return lambda texts: [one(text) for text in texts]
