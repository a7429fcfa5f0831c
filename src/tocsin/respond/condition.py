"""Conditions of CACAO steps: STIX 2.1 patterning comparisons over playbook variables.

Understood: ``__name__:value`` compared by ``= == != < <= > >= IN LIKE ISSUBSET`` (each may be
preceded by NOT, STIX 2.1 §9.2), joined by AND and OR, grouped by ``( )`` or ``[ ]``. A quoted
literal compares as text, an unquoted number as a number. Anything else is refused at load.
"""

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tocsin.respond.errors import RespondError

Variables = Mapping[str, str]
Test = Callable[[Variables], bool]

_LONGEST = 2000
_DEEPEST = 40
_TOKEN = re.compile(
    r"""\s*(?:(?P<variable>__[A-Za-z][A-Za-z0-9_-]*__:value)
        |(?P<text>'(?:[^'\\]|\\.)*')
        |(?P<number>-?\d+(?:\.\d+)?)
        |(?P<operator>==|!=|<=|>=|=|<|>)
        |(?P<mark>[()\[\],])
        |(?P<word>[A-Za-z]+))""",
    re.VERBOSE,
)


class BadCondition(RespondError):
    """A condition that can't be read, or can't be decided with the values at hand."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition ready to be decided; ``variables`` are the names it reads (``__name__``)."""

    text: str
    variables: tuple[str, ...]
    _test: Test

    def holds(self, variables: Variables) -> bool:
        """Decide it; raises ``BadCondition`` when a value does not fit the comparison."""
        return self._test(variables)


def read_condition(text: str) -> Condition:
    """Parse a condition; raises ``BadCondition`` naming the character where it stops making sense."""
    if len(text) > _LONGEST:
        raise BadCondition(f"a condition may have {_LONGEST} characters, this one has {len(text)}")
    reader = _Reader(_tokens(text))
    test = reader.any_of(0)
    reader.expect_end()
    return Condition(text, tuple(dict.fromkeys(reader.variables)), test)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise BadCondition(f"condition {text!r}: can't read it from character {at}")
        found.append(_Token(match.lastgroup, match.group(match.lastgroup), at))
        at = match.end()
    return found


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self.variables: list[str] = []

    def any_of(self, depth: int) -> Test:
        if depth > _DEEPEST:
            raise BadCondition(f"a condition may nest {_DEEPEST} deep")
        parts = [self._all_of(depth)]
        while self._take_word("OR"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else lambda v: any(part(v) for part in parts)

    def _all_of(self, depth: int) -> Test:
        parts = [self._one(depth)]
        while self._take_word("AND"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else lambda v: all(part(v) for part in parts)

    def _one(self, depth: int) -> Test:
        token = self._next("a comparison")
        if token.kind == "mark" and token.text in "([":
            inner = self.any_of(depth + 1)
            closing = ")" if token.text == "(" else "]"
            self._expect_mark(closing)
            return inner
        if token.kind != "variable":
            raise self._wrong(token, "a variable such as __name__:value")
        name = token.text.removesuffix(":value")
        self.variables.append(name)
        negated = self._take_word("NOT")
        test = self._comparison(name)
        return (lambda v: not test(v)) if negated else test

    def _comparison(self, name: str) -> Test:
        token = self._next("an operator")
        if token.kind == "operator":
            return _compare(name, token.text, self._literal())
        word = token.text.upper()
        if token.kind == "word" and word == "IN":
            wanted = self._literals()
            tests = [_compare(name, "=", literal) for literal in wanted]
            return lambda v: any(test(v) for test in tests)
        if token.kind == "word" and word == "LIKE":
            pattern = _like(self._text_literal())
            return lambda v: pattern.fullmatch(_value(v, name)) is not None
        if token.kind == "word" and word == "ISSUBSET":
            network = _network(self._text_literal())
            return lambda v: _is_inside(_value(v, name), network)
        raise self._wrong(token, "one of = == != < <= > >= IN LIKE ISSUBSET")

    def _literals(self) -> list[_Token]:
        self._expect_mark("(")
        found = [self._literal()]
        while (token := self._next(", or )")).text == ",":
            found.append(self._literal())
        if token.text != ")":
            raise self._wrong(token, ", or )")
        return found

    def _literal(self) -> _Token:
        token = self._next("a value")
        if token.kind not in ("text", "number"):
            raise self._wrong(token, "a quoted text or a number")
        return token

    def _text_literal(self) -> str:
        token = self._literal()
        return _unquoted(token.text) if token.kind == "text" else token.text

    def _take_word(self, word: str) -> bool:
        here = self._tokens[self._at] if self._at < len(self._tokens) else None
        if here is not None and here.kind == "word" and here.text.upper() == word:
            self._at += 1
            return True
        return False

    def _expect_mark(self, mark: str) -> None:
        token = self._next(repr(mark))
        if token.text != mark:
            raise self._wrong(token, repr(mark))

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise self._wrong(self._tokens[self._at], "AND, OR or the end")

    def _next(self, wanted: str) -> _Token:
        if self._at >= len(self._tokens):
            raise BadCondition(f"the condition ends where {wanted} was expected")
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _wrong(self, token: _Token, wanted: str) -> BadCondition:
        return BadCondition(f"character {token.at}: found {token.text!r}, expected {wanted}")


def _compare(name: str, operator: str, literal: _Token) -> Test:
    if literal.kind == "number":
        number = float(literal.text)
        return lambda v: _ordered(operator, _number(v, name), number)
    text = _unquoted(literal.text)
    return lambda v: _ordered(operator, _value(v, name), text)


def _ordered(operator: str, left: float | str, right: float | str) -> bool:
    if operator in ("=", "=="):
        return left == right
    if operator == "!=":
        return left != right
    smaller, equal = left < right, left == right  # type: ignore[operator]  # both of one kind
    return {"<": smaller, "<=": smaller or equal, ">": not (smaller or equal), ">=": not smaller}[
        operator
    ]


def _value(variables: Variables, name: str) -> str:
    if name not in variables:
        raise BadCondition(f"variable {name} has no value")
    return variables[name]


def _number(variables: Variables, name: str) -> float:
    value = _value(variables, name)
    try:
        return float(value)
    except ValueError as error:
        raise BadCondition(f"variable {name} is {value!r}, compared with a number") from error


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _like(pattern: str) -> re.Pattern[str]:
    wild = "".join(
        {"%": "*", "_": "?"}.get(char, f"[{char}]" if char in "*?[" else char) for char in pattern
    )
    return re.compile(fnmatch.translate(wild))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise BadCondition(f"ISSUBSET needs a network, {text!r} is none: {error}") from error


def _is_inside(value: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        inner = ipaddress.ip_network(value)
    except ValueError as error:
        raise BadCondition(f"{value!r} is not an address, so ISSUBSET can't be decided") from error
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(network, ipaddress.IPv4Network):
        return inner.subnet_of(network)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(network, ipaddress.IPv6Network):
        return inner.subnet_of(network)
    return False
