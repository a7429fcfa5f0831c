"""Exceptions at work: compiled as rules are, and applied to what the rules found.

They are applied to hits rather than put into conditions: hits are rare, so a hundred thousand
values cost a dictionary lookup, an edit recompiles no rule, and what was hidden can be counted.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.reading_on_demand import reading
from tocsin.detect.rules.matcher import All, Matcher, Node, Operator, fields_in
from tocsin.detect.rules.overlay import RuleException, Scalar
from tocsin.detect.rules.quick_lookup import (
    QuickCondition,
    Record,
    exact_values,
    slow_values,
    texts_at,
)
from tocsin.detect.rules.simplify import simplify
from tocsin.model.lane import LogSource

_MOST_SLOW_VALUES = 1_000
_MOST_VALUES = 1_000_000
_PLAIN = {
    "": Operator.EXACT,
    "contains": Operator.CONTAINS,
    "startswith": Operator.STARTSWITH,
    "endswith": Operator.ENDSWITH,
}


@dataclass(frozen=True, slots=True)
class RuleExceptions:
    """The exceptions of one rule, ready to be asked; those with equal values are equal."""

    exceptions: tuple[RuleException, ...]
    _conditions: tuple[QuickCondition, ...] = field(repr=False, compare=False, default=())
    _by_value: dict[str, dict[str, list[int]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    _others: list[int] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        for at, condition in enumerate(self._conditions):
            exact = exact_values(condition.node)
            if exact is None:
                self._others.append(at)
                continue
            by_value = self._by_value.setdefault(exact.field, defaultdict(list))
            for value in exact.values:
                by_value[value.casefold()].append(at)

    def compiled(self) -> dict[str, tuple[RuleException, QuickCondition]]:
        """What was compiled, by the exceptions' ids."""
        pairs = zip(self.exceptions, self._conditions, strict=True)
        return {one.id: (one, condition) for one, condition in pairs}

    def fields(self) -> frozenset[str]:
        """The native fields that any of them looks at; ``KEYWORD`` stands for all."""
        return frozenset().union(*(fields_in(one.node) for one in self._conditions))

    def find(
        self, record: Record, now: datetime, *, within: Collection[str] | None = None
    ) -> RuleException | None:
        """The first exception that holds for the native fields ``record`` and has not ended.

        ``within``: only of those that name no other fields than these.
        """
        asked = set(self._others)
        for name, by_value in self._by_value.items():
            for text in texts_at(record, name):
                asked.update(by_value.get(text, ()))
        for at in sorted(asked):
            one = self.exceptions[at]
            if within is not None and not _fields_of(one) <= set(within):
                continue
            if not one.has_ended(now) and self._conditions[at].holds(record):
                return one
        return None


def _fields_of(one: RuleException) -> set[str]:
    return {name.partition("|")[0] for name in one.fields}


def compile_exceptions(
    exceptions: Iterable[RuleException],
    logsource: LogSource,
    known: RuleExceptions | None = None,
) -> tuple[RuleExceptions, list[tuple[RuleException, str]]]:
    """The exceptions that can be used, and the others with the reason why not.

    What ``known`` (of the same log source) has compiled for the same fields is taken from it.
    """
    before = known.compiled() if known else {}
    usable: list[RuleException] = []
    conditions: list[QuickCondition] = []
    refused: list[tuple[RuleException, str]] = []
    for one in exceptions:
        earlier = before.get(one.id)
        if earlier is not None and earlier[0].fields == one.fields:
            usable.append(one)
            conditions.append(earlier[1])
            continue
        try:
            conditions.append(QuickCondition(compile_fields(one.fields, logsource)))
        except (Unsupported, ValueError) as error:  # ValueError: pySigma's root
            refused.append((one, str(error)))
        else:
            usable.append(one)
    return RuleExceptions(tuple(usable), tuple(conditions)), refused


def compile_fields(fields: Mapping[str, tuple[Scalar, ...]], logsource: LogSource) -> Node:
    """The condition that all ``fields`` hold, as in a rule of that log source.

    Raises ``Unsupported`` or ``ValueError`` (pySigma's).
    """
    if not fields:
        raise Unsupported("an exception needs fields: without any it would hide everything")
    count = sum(len(values) for values in fields.values())
    if count > _MOST_VALUES:
        raise Unsupported(f"it has {count:,} values, at most {_MOST_VALUES:,} are taken")
    parts: list[Node] = []
    written: dict[str, tuple[Scalar, ...]] = {}
    for name, values in fields.items():
        plain = _plain_matcher(name, values)
        if plain is None:
            written[name] = values
        else:
            parts.append(plain)
    if written:
        parts.append(reading().selection_condition(written, logsource))
    node = simplify(All(tuple(parts)))
    slow = slow_values(node)
    if slow > _MOST_SLOW_VALUES:
        raise Unsupported(
            f"{slow:,} of its values are expressions or hardly more than wildcards, which are "
            f"compared one by one: at most {_MOST_SLOW_VALUES:,} are taken"
        )
    return node


def _plain_matcher(name: str, values: tuple[Scalar, ...]) -> Matcher | None:
    """What a rule's reader makes of a list of texts without wildcards, a thousand times faster."""
    named, _, modifier = name.partition("|")
    if not named or not values:
        return None
    if modifier == "cidr":
        return _networks(named, values)
    operator = _PLAIN.get(modifier)
    if operator is None:
        return None
    texts = [one for one in values if isinstance(one, str) and _is_plain(one)]
    if len(texts) < len(values):
        return None
    return Matcher(named, operator, tuple(dict.fromkeys(texts)))


def _networks(name: str, values: tuple[Scalar, ...]) -> Matcher | None:
    try:
        found = dict.fromkeys(str(ip_network(one)) for one in values if isinstance(one, str))
    except ValueError:
        return None  # the reader says what is wrong
    whole = len(values) == sum(isinstance(one, str) for one in values)
    return Matcher(name, Operator.CIDR, tuple(found)) if whole else None


def _is_plain(text: str) -> bool:
    r"""No wildcard, nothing escaped: ``CORP\svc`` is, ``C:\\a`` and what ends in ``\`` is not."""
    if not text or "*" in text or "?" in text:
        return False
    return "\\\\" not in text and not text.endswith("\\")
