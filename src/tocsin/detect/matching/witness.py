"""What must be seen before a rule can match: its necessary witnesses, the rarest chosen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from tocsin.detect.matching.literal_scan import Literal, is_scannable
from tocsin.detect.matching.mandatory import mandatory_literal
from tocsin.detect.rules import wildcard
from tocsin.detect.rules.matcher import FIELD_REFERENCES, All, Matcher, Node, Not, Operator

_LITERALS = frozenset({Operator.EXACT, Operator.CONTAINS, Operator.STARTSWITH, Operator.ENDSWITH})
_PROBE_COST = 0.25
_PRESENCE_COST = 0.5
MOST_LITERALS = 4096
"""More values than that are tested as one set on each distinct value, not looked for one by one."""


class FieldLiteral(NamedTuple):
    """A literal in a field's values (in any field's for keywords)."""

    field: str
    literal: Literal


@dataclass(frozen=True, slots=True)
class Probe:
    """A matcher that itself must hold: tested on every distinct value, no literal stands for it."""

    matcher: Matcher


Atom: TypeAlias = FieldLiteral | Probe
Rate = Callable[[FieldLiteral], float]


@dataclass(frozen=True, slots=True)
class Witness:
    """Atoms of which at least one is seen in every event the rule matches.

    ``cost`` is the expected share of events that show one, plus a little for the looking.
    """

    cost: float
    atoms: tuple[Atom, ...]


def choose_witness(node: Node, rate: Rate) -> Witness | None:
    """The witness of least cost; None when the rule may match an event that shows nothing.

    Of parts that must all hold, the best part's; of alternatives, all of theirs together.
    """
    if isinstance(node, Matcher):
        return _of_matcher(node, rate)
    if isinstance(node, Not):
        return None
    parts = [choose_witness(part, rate) for part in node.parts]
    if isinstance(node, All):
        known = [part for part in parts if part is not None]
        return min(known, key=lambda witness: witness.cost, default=None)
    together: dict[Atom, None] = {}
    cost = 0.0
    for part in parts:
        if part is None:
            return None
        together.update(dict.fromkeys(part.atoms))
        cost += part.cost
    return Witness(cost, tuple(together))


def _of_matcher(matcher: Matcher, rate: Rate) -> Witness | None:
    many = len(matcher.values) > MOST_LITERALS
    literals = None if many else _literals(matcher)
    if literals is not None:
        cost = sum(map(rate, literals))
        if cost < _PROBE_COST * len(literals) or matcher.operator in _LITERALS:
            return Witness(cost, tuple(literals))
    if matcher.operator is Operator.NULL:
        return None
    if matcher.operator is Operator.EXISTS or matcher.operator in FIELD_REFERENCES:
        presence = Matcher(matcher.field, Operator.EXISTS)
        return Witness(_PRESENCE_COST, (Probe(presence),))
    return Witness(_PROBE_COST * (1 if many else len(matcher.values)), (Probe(matcher),))


def _literals(matcher: Matcher) -> list[FieldLiteral] | None:
    """One literal for each value, or None when some value has none."""
    if matcher.operator in _LITERALS:
        kind = matcher.operator
        found = [Literal(value.casefold(), kind) for value in matcher.values]
    elif matcher.operator is Operator.GLOB:
        texts = [wildcard.longest_literal(value).casefold() for value in matcher.values]
        found = [Literal(text, Operator.CONTAINS) for text in texts]
    elif matcher.operator is Operator.REGEX:
        texts = [mandatory_literal(value) for value in matcher.values]
        found = [Literal(text, Operator.CONTAINS) for text in texts]
    else:
        return None
    if not all(is_scannable(literal) for literal in found):
        return None
    return [FieldLiteral(matcher.field, literal) for literal in found]
