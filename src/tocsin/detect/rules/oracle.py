"""What a Sigma rule means: the plain evaluator every faster path is held to.

Semantics, where Sigma 2.1 leaves room:

- A value is compared by its text (``value_text.text_of``): number 4624 matches 4624 and "4624".
- Letter case is ignored by Unicode case folding (``str.casefold``) unless ``cased``; it works
  character by character, so folding a part is part of the folding. ``?`` is one folded character.
- Regular expressions (``expression.py``) are searched for anywhere in the text and mind letter
  case unless ``|i``. A value that an expression takes too long for counts as not matching.
- An array matches when any member does. Objects have no text: only ``exists`` sees them.
- A field is present when it has a value that is not null. A missing field matches no value;
  ``null`` is true and ``exists`` false for it. (Null and absent are one: columns keep no more.)
- A keyword is found anywhere in any value at any depth of the record; field names don't count.
- A value is ``listed`` (indicator rules) by what the list is of: ``value_list.ListKind``.
- Comparisons read decimal numbers; ``cidr`` reads IPv4-mapped IPv6 addresses as IPv4.
- A field reference compares any value of one field with any of the other, ignoring letter case
  unless ``cased``.
"""

import operator as compare
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any as AnyValue

from tocsin.detect.rules import wildcard
from tocsin.detect.rules.expression import compiled
from tocsin.detect.rules.match_rule import SigmaMatchRule
from tocsin.detect.rules.matcher import (
    FIELD_REFERENCES,
    KEYWORD,
    All,
    Any,
    Matcher,
    Node,
    Operator,
)
from tocsin.detect.rules.value_list import ValueList
from tocsin.detect.rules.value_text import address_in, number_in, text_of, time_part_in
from tocsin.model.field_path import values_at
from tocsin.model.finding import MatchedField

Record = Mapping[str, object]

_COMPARE: dict[Operator, Callable[[AnyValue, AnyValue], bool]] = {
    Operator.EQUAL: compare.eq,
    Operator.LESS: compare.lt,
    Operator.LESS_EQUAL: compare.le,
    Operator.GREATER: compare.gt,
    Operator.GREATER_EQUAL: compare.ge,
}
_OF_TEXTS: dict[Operator, Callable[[str, str], bool]] = {
    Operator.EXACT: compare.eq,
    Operator.CONTAINS: compare.contains,
    Operator.STARTSWITH: str.startswith,
    Operator.ENDSWITH: str.endswith,
}


def matches(rule: SigmaMatchRule, record: Record) -> bool:
    """True when the rule's condition holds for the native fields ``record``."""
    return holds(rule.condition, record)


def explain(rule: SigmaMatchRule, record: Record) -> list[MatchedField]:
    """The parts of the condition that held, in the order written; none when it doesn't match.

    What a rule excludes (under ``not``) is not listed: nothing of the record made it match.
    """
    return list(dict.fromkeys(_because(rule.condition, record) or ()))


def holds(node: Node, record: Record) -> bool:
    """Whether a part of a condition is true of the record."""
    if isinstance(node, Matcher):
        return next(found_by(node, record), None) is not None
    if isinstance(node, All):
        return all(holds(part, record) for part in node.parts)
    if isinstance(node, Any):
        return any(holds(part, record) for part in node.parts)
    return not holds(node.part, record)


def _because(node: Node, record: Record) -> list[MatchedField] | None:
    """What makes a part of a condition true of the record; None where it is not true."""
    if isinstance(node, Matcher):
        return list(found_by(node, record)) or None
    if isinstance(node, All | Any):
        found: list[MatchedField] = []
        is_true = needs_all = isinstance(node, All)
        for part in node.parts:
            because = _because(part, record)
            if because is not None:
                found += because
                is_true = True
            elif needs_all:
                return None
        return found if is_true else None
    return None if holds(node.part, record) else []


def found_by(matcher: Matcher, record: Record) -> Iterator[MatchedField]:
    """Each (field, value, pattern) by which the matcher holds."""
    if matcher.field == KEYWORD:
        for name, text in _texts_within(record, ""):
            yield from _matched_values(matcher, name, text)
        return
    present = [v for v in values_at(record, matcher.field) or [] if v is not None]
    if matcher.operator is Operator.NULL:
        if not present:
            yield MatchedField(matcher.field, "", matcher.words(""))
    elif matcher.operator is Operator.EXISTS:
        if present:
            text = text_of(present[0]) or ""
            yield MatchedField(matcher.field, text, matcher.words(""))
    else:
        for value in present:
            text_or_none = text_of(value)
            if text_or_none is None:
                continue
            if matcher.operator in FIELD_REFERENCES:
                yield from _referenced(matcher, text_or_none, record)
            else:
                yield from _matched_values(matcher, matcher.field, text_or_none)


def _texts_within(value: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts_within(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts_within(inner, name)
    else:
        text = text_of(value)
        if text is not None:
            yield name, text


def _matched_values(matcher: Matcher, name: str, text: str) -> Iterator[MatchedField]:
    if isinstance(matcher.values, ValueList):
        listed = matcher.values.find(text)
        if listed is not None:
            yield MatchedField(name, text, matcher.words(listed))
        return
    kind = matcher.operator
    if kind in _OF_TEXTS:
        holds, seen = _OF_TEXTS[kind], text if matcher.cased else text.casefold()
        for value in matcher.values:
            if holds(seen, value if matcher.cased else value.casefold()):
                yield MatchedField(name, text, matcher.words(value))
        return
    for value in matcher.values:
        if _compares(matcher, text, value):
            yield MatchedField(name, text, matcher.words(value))


def _referenced(matcher: Matcher, text: str, record: Record) -> Iterator[MatchedField]:
    left = text if matcher.cased else text.casefold()
    for other in values_at(record, matcher.values[0]) or []:
        other_text = text_of(other)
        if other_text is None:
            continue
        right = other_text if matcher.cased else other_text.casefold()
        held = {
            Operator.FIELD_EQUALS: left == right,
            Operator.FIELD_STARTSWITH: left.startswith(right),
            Operator.FIELD_ENDSWITH: left.endswith(right),
            Operator.FIELD_CONTAINS: right in left,
        }[matcher.operator]
        if held:
            yield MatchedField(matcher.field, text, matcher.words(matcher.values[0]))


def _compares(matcher: Matcher, text: str, value: str) -> bool:
    kind = matcher.operator
    if kind in _COMPARE:
        seen = time_part_in(text, matcher.part) if matcher.part else number_in(text)
        return seen is not None and _COMPARE[kind](seen, number_in(value))
    if kind is Operator.REGEX:
        return _is_found(value, text)
    if kind is Operator.CIDR:
        address, network = address_in(text), _network(value)
        return address is not None and address.version == network.version and address in network
    if not matcher.cased:
        text, value = text.casefold(), value.casefold()
    return wildcard.matches(text, wildcard.read(value))


def _is_found(pattern: str, text: str) -> bool:
    try:
        return compiled(pattern).found_in(text)
    except TimeoutError:
        return False


@lru_cache(maxsize=4096)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)
