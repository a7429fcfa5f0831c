"""The compiled form of a detection: a tree of and, or and not over matchers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

KEYWORD = ""
"""The field of matchers that look at every value of the record."""


class Operator(StrEnum):
    """How a matcher compares. A field reference compares with the field named as its value."""

    EXACT = "exact"
    CONTAINS = "contains"
    STARTSWITH = "startswith"
    ENDSWITH = "endswith"
    GLOB = "glob"
    REGEX = "re"
    CIDR = "cidr"
    LISTED = "listed"
    EQUAL = "eq"
    LESS = "lt"
    LESS_EQUAL = "lte"
    GREATER = "gt"
    GREATER_EQUAL = "gte"
    NULL = "null"
    EXISTS = "exists"
    FIELD_EQUALS = "fieldref"
    FIELD_STARTSWITH = "fieldref|startswith"
    FIELD_ENDSWITH = "fieldref|endswith"
    FIELD_CONTAINS = "fieldref|contains"

    __hash__ = str.__hash__  # an enum's own is slow, and literals are looked up by the million


TEXT_OPERATORS = frozenset(
    {
        Operator.EXACT,
        Operator.CONTAINS,
        Operator.STARTSWITH,
        Operator.ENDSWITH,
        Operator.GLOB,
        Operator.REGEX,
        Operator.CIDR,
    }
)
"""Operators whose several values are alternatives of one matcher."""

COMPARISONS = frozenset(
    {
        Operator.EQUAL,
        Operator.LESS,
        Operator.LESS_EQUAL,
        Operator.GREATER,
        Operator.GREATER_EQUAL,
    }
)
FIELD_REFERENCES = frozenset(
    {
        Operator.FIELD_EQUALS,
        Operator.FIELD_STARTSWITH,
        Operator.FIELD_ENDSWITH,
        Operator.FIELD_CONTAINS,
    }
)


@dataclass(frozen=True, slots=True)
class Matcher:
    r"""True when a value of ``field`` compares with any of ``values`` (letter case as written).

    ``values`` of GLOB keep Sigma's ``*``, ``?`` and ``\``; of REGEX carry their flags inline;
    of a comparison are one decimal number, compared with ``part`` of a time when that is set; of
    LISTED are a ``value_list.ValueList``, ``part`` its kind.
    """

    field: str
    operator: Operator
    values: tuple[str, ...] = ()
    cased: bool = False
    part: str = ""

    def words(self, value: str) -> str:
        """The rule's side in Sigma's words: ``CommandLine|contains: mimikatz``."""
        steps = [self.field or "keywords"]
        if self.part:
            steps.append(self.part)
        if self.operator not in (Operator.EXACT, Operator.GLOB, Operator.NULL, Operator.EQUAL):
            steps.append(self.operator.value)
        if self.cased:
            steps.append("cased")
        shown = {Operator.NULL: "null", Operator.EXISTS: "true"}.get(self.operator, value)
        return f"{'|'.join(steps)}: {shown}"


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Any:
    """True when at least one part is."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is not."""

    part: "Node"


Node: TypeAlias = Matcher | All | Any | Not


def fields_in(node: Node) -> frozenset[str]:
    """Every field the tree looks at, those it refers to included; ``KEYWORD`` stands for all."""
    found: set[str] = set()
    for matcher in matchers_in(node):
        found.add(matcher.field)
        if matcher.operator in FIELD_REFERENCES:
            found.update(matcher.values)
    return frozenset(found)


def matchers_in(node: Node) -> list[Matcher]:
    """Every matcher of the tree, in the order written."""
    if isinstance(node, Matcher):
        return [node]
    if isinstance(node, Not):
        return matchers_in(node.part)
    return [matcher for part in node.parts for matcher in matchers_in(part)]
