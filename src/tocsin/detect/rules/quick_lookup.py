"""Finds which of very many values a text compares with, in time that doesn't grow with them.

Every answer equals the oracle's; only the way to it differs.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import TypeAlias

from tocsin.detect.rules import wildcard
from tocsin.detect.rules.matcher import All, Any, Matcher, Node, Operator, matchers_in
from tocsin.detect.rules.oracle import holds
from tocsin.detect.rules.value_text import address_in, text_of
from tocsin.model.field_path import values_at

Record: TypeAlias = Mapping[str, object]
Lookup: TypeAlias = Callable[[str], bool]
"""Whether a text (already folded when letter case is ignored) compares with any value."""

_FEW = 8
"""So few values are compared one by one."""
_GRAM = 4


class QuickCondition:
    """A condition whose long lists are looked up; true of a record exactly when ``node`` is."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._lookups: dict[int, Lookup] = {}
        for matcher in matchers_in(node):
            make = _MAKERS.get(matcher.operator)
            if make is not None and matcher.field and len(matcher.values) > _FEW:
                self._lookups[id(matcher)] = make(_folded(matcher))

    def holds(self, record: Record) -> bool:
        return self._holds(self.node, record)

    def _holds(self, node: Node, record: Record) -> bool:
        if isinstance(node, Matcher):
            lookup = self._lookups.get(id(node))
            if lookup is None:
                return holds(node, record)
            return any(map(lookup, texts_at(record, node.field, cased=node.cased)))
        if isinstance(node, All):
            return all(self._holds(part, record) for part in node.parts)
        if isinstance(node, Any):
            return any(self._holds(part, record) for part in node.parts)
        return not self._holds(node.part, record)


def texts_at(record: Record, field: str, *, cased: bool = False) -> Iterator[str]:
    """The texts of a field's values, folded unless ``cased``."""
    for value in values_at(record, field) or ():
        text = text_of(value)
        if text is not None:
            yield text if cased else text.casefold()


def exact_values(node: Node) -> Matcher | None:
    """A matcher that must hold for ``node`` to, whose field must equal one of few values."""
    if isinstance(node, Matcher):
        return node if node.operator is Operator.EXACT and node.field else None
    if isinstance(node, All):
        found = [one for one in map(exact_values, node.parts) if one is not None]
        return min(found, key=lambda one: len(one.values), default=None)
    return None


def slow_values(node: Node) -> int:
    """How many values of the condition can only be compared one by one."""
    count = 0
    for matcher in matchers_in(node):
        if matcher.operator is Operator.REGEX:
            count += len(matcher.values)
        elif matcher.operator is Operator.GLOB:
            count += sum(len(wildcard.longest_literal(one)) < _GRAM for one in matcher.values)
    return count


def _folded(matcher: Matcher) -> Sequence[str]:
    if matcher.cased or matcher.operator is Operator.CIDR:
        return matcher.values
    return [value.casefold() for value in matcher.values]


def _exact(values: Sequence[str]) -> Lookup:
    return frozenset(values).__contains__


def _by_length(values: Sequence[str]) -> list[tuple[int, frozenset[str]]]:
    found: dict[int, set[str]] = defaultdict(set)
    for value in values:
        found[len(value)].add(value)
    return [(length, frozenset(found[length])) for length in sorted(found)]


def _startswith(values: Sequence[str]) -> Lookup:
    by_length = _by_length(values)
    return lambda text: any(text[:length] in known for length, known in by_length)


def _endswith(values: Sequence[str]) -> Lookup:
    by_length = _by_length(values)
    return lambda text: any(
        text[len(text) - length :] in known for length, known in by_length if length <= len(text)
    )


def _contains(values: Sequence[str]) -> Lookup:
    return _Grams([(value, value) for value in values], lambda value, text: value in text).holds


def _glob(values: Sequence[str]) -> Lookup:
    pieces = {value: wildcard.read(value) for value in values}
    needles = [(wildcard.longest_literal(value), value) for value in values]
    return _Grams(needles, lambda value, text: wildcard.matches(text, pieces[value])).holds


def _cidr(values: Sequence[str]) -> Lookup:
    known: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
    for value in values:
        network = ip_network(value)
        shift = network.max_prefixlen - network.prefixlen
        by_shift = known[network.version].setdefault(shift, set())
        by_shift.add(int(network.network_address) >> shift)

    def within(text: str) -> bool:
        address = address_in(text)
        if address is None:
            return False
        number = int(address)
        by_shift = known[address.version]
        return any(number >> shift in networks for shift, networks in by_shift.items())

    return within


class _Grams:
    """Values by four characters that a text must have: of each, those that the fewest have."""

    def __init__(
        self, needles: Sequence[tuple[str, str]], compares: Callable[[str, str], bool]
    ) -> None:
        """``needles`` are (what the text must contain, the value); ``compares(value, text)``."""
        self._compares = compares
        self._short = [value for needle, value in needles if len(needle) < _GRAM]
        long = [(needle, value) for needle, value in needles if len(needle) >= _GRAM]
        common = Counter(gram for needle, _ in long for gram in set(_grams(needle)))
        self._by_gram: dict[str, list[str]] = defaultdict(list)
        for needle, value in long:
            self._by_gram[min(_grams(needle), key=common.__getitem__)].append(value)

    def holds(self, text: str) -> bool:
        if any(self._compares(value, text) for value in self._short):
            return True
        by_gram, compares = self._by_gram, self._compares
        return any(
            compares(value, text)
            for gram in set(_grams(text))
            if gram in by_gram
            for value in by_gram[gram]
        )


def _grams(text: str) -> Iterator[str]:
    return (text[at : at + _GRAM] for at in range(len(text) - _GRAM + 1))


_MAKERS: Mapping[Operator, Callable[[Sequence[str]], Lookup]] = {
    Operator.EXACT: _exact,
    Operator.STARTSWITH: _startswith,
    Operator.ENDSWITH: _endswith,
    Operator.CONTAINS: _contains,
    Operator.GLOB: _glob,
    Operator.CIDR: _cidr,
}
