"""Turning what pySigma parsed into our compiled form."""

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.rule import SigmaRule
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from tocsin.detect.errors import Unsupported
from tocsin.detect.reading.detection_shape import ESCAPED_PERCENT
from tocsin.detect.reading.sigma_modifiers import CasedFieldReference, install, out_of_range
from tocsin.detect.rules import wildcard
from tocsin.detect.rules.matcher import KEYWORD, All, Any, Matcher, Node, Not, Operator
from tocsin.detect.rules.simplify import simplify
from tocsin.detect.rules.value_text import text_of

install()

_COMPARISONS = {
    CompareOperators.LT: Operator.LESS,
    CompareOperators.LTE: Operator.LESS_EQUAL,
    CompareOperators.GT: Operator.GREATER,
    CompareOperators.GTE: Operator.GREATER_EQUAL,
}


def compile_condition(rule: SigmaRule) -> Node:
    """The rule's conditions (several: any of them) as one tree. Raises ``Unsupported``."""
    trees = [_node(condition.parsed) for condition in rule.detection.parsed_condition]
    return simplify(Any(tuple(trees)))


def _node(tree: object) -> Node:
    if isinstance(tree, ConditionAND):
        return All(tuple(_node(part) for part in tree.args))
    if isinstance(tree, ConditionOR):
        return Any(tuple(_node(part) for part in tree.args))
    if isinstance(tree, ConditionNOT):
        return Not(_node(tree.args[0]))
    if isinstance(tree, ConditionFieldEqualsValueExpression):
        return _field_value(tree.field, tree.value)
    if isinstance(tree, ConditionValueExpression):
        return _field_value(KEYWORD, tree.value)
    raise Unsupported(f"the condition has a part of kind {type(tree).__name__}", "condition")


def _field_value(field: str, value: SigmaType) -> Node:
    if isinstance(value, SigmaExpansion):
        return Any(tuple(_field_value(field, one) for one in value.values))
    if isinstance(value, SigmaString):
        return _string(field, value)
    if isinstance(value, SigmaRegularExpression):
        return _regex(field, value)
    if isinstance(value, SigmaTimestampPart):
        return _time_part(_named(field), value)
    if isinstance(value, SigmaNumber):
        return _plain_value(field, _number(value))
    if isinstance(value, SigmaBool):
        return _plain_value(field, "true" if value.boolean else "false")
    return _of_field(_named(field), value)


def _of_field(field: str, value: SigmaType) -> Node:
    """What has no meaning without a field."""
    if isinstance(value, SigmaNull):
        return Matcher(field, Operator.NULL)
    if isinstance(value, SigmaExists):
        present = Matcher(field, Operator.EXISTS)
        return present if value.exists else Not(present)
    if isinstance(value, SigmaCIDRExpression):
        return Matcher(field, Operator.CIDR, (str(value.network),))
    if isinstance(value, SigmaCompareExpression):
        number = value.number
        name = number.timestamp_part.name.lower() if isinstance(number, SigmaTimestampPart) else ""
        return Matcher(field, _COMPARISONS[value.op], (_number(number),), part=name)
    if isinstance(value, SigmaFieldReference):
        cased = isinstance(value, CasedFieldReference)
        return Matcher(field, _reference(value), (value.field,), cased)
    raise Unsupported(f"values of kind {type(value).__name__} are not supported", field)


def _time_part(field: str, value: SigmaTimestampPart) -> Matcher:
    if reason := out_of_range(value):
        raise Unsupported(reason, field)
    part = value.timestamp_part.name.lower()
    return Matcher(field, Operator.EQUAL, (_number(value),), part=part)


def _plain_value(field: str, text: str) -> Matcher:
    return Matcher(field, Operator.EXACT if field else Operator.CONTAINS, (text,))


def _named(field: str) -> str:
    if field == KEYWORD:
        raise Unsupported("a keyword (a value without a field) must be a text or an expression")
    return field


def _number(value: SigmaNumber) -> str:
    return text_of(value.number) or ""


def _reference(value: SigmaFieldReference) -> Operator:
    if value.starts_with and value.ends_with:
        return Operator.FIELD_CONTAINS
    if value.starts_with:
        return Operator.FIELD_STARTSWITH
    return Operator.FIELD_ENDSWITH if value.ends_with else Operator.FIELD_EQUALS


def _regex(field: str, value: SigmaRegularExpression) -> Matcher:
    if value.contains_placeholder():
        raise _without_value(field, value.regexp)
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    prefix = f"(?{flags})" if flags else ""
    pattern = str(value.regexp).replace(ESCAPED_PERCENT, "%")
    return Matcher(field, Operator.REGEX, (prefix + pattern,))


def _string(field: str, value: SigmaString) -> Matcher:
    if value.contains_placeholder():
        raise _without_value(field, value)
    pieces: list[wildcard.Piece] = []
    for part in value.s:
        piece: wildcard.Piece
        if isinstance(part, str):
            piece = _plain(part, field)
        else:
            piece = wildcard.MANY if part is SpecialChars.WILDCARD_MULTI else wildcard.ONE
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        elif piece is not wildcard.MANY or not pieces or pieces[-1] is not wildcard.MANY:
            pieces.append(piece)
    if field == KEYWORD:
        pieces = _unanchored(pieces)
    operator, text = _text_operator(pieces)
    return Matcher(field, operator, (text,), cased=isinstance(value, SigmaCasedString))


def _without_value(field: str, value: SigmaString) -> Unsupported:
    """Refuses placeholders that no pipeline has put a value for, and says what to write."""
    names = list(dict.fromkeys(part.name for part in value.s if isinstance(part, Placeholder)))
    given = ", ".join(f"{name}: [VALUE]" for name in names)
    return Unsupported(
        f"no value for {', '.join(f'%{name}%' for name in names)}: put the value in, or load the "
        f"rule with --pipeline FILE, the file being: {{vars: {{{given}}}, "
        "transformations: [{type: value_placeholders}]}",
        field,
    )


def _plain(text: str, field: str) -> str:
    if not text.isascii():
        text = text.replace(ESCAPED_PERCENT, "%")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise Unsupported("UTF-16 of letters beyond ASCII is no text: add base64", field)
    return text


def _unanchored(pieces: list[wildcard.Piece]) -> list[wildcard.Piece]:
    """A keyword is found anywhere in a value."""
    if not pieces or pieces[0] is not wildcard.MANY:
        pieces = [wildcard.MANY, *pieces]
    return pieces if pieces[-1] is wildcard.MANY else [*pieces, wildcard.MANY]


def _text_operator(pieces: list[wildcard.Piece]) -> tuple[Operator, str]:
    literals = [piece for piece in pieces if isinstance(piece, str)]
    if wildcard.ONE in pieces or len(literals) > 1:
        return Operator.GLOB, wildcard.write(pieces)
    text = literals[0] if literals else ""
    open_start = bool(pieces) and pieces[0] is wildcard.MANY
    open_end = bool(pieces) and pieces[-1] is wildcard.MANY
    if open_start and open_end:
        return Operator.CONTAINS, text
    if open_start:
        return Operator.ENDSWITH, text
    return (Operator.STARTSWITH if open_end else Operator.EXACT), text
