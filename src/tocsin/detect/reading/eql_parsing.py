"""Parsing EQL: one event query, or a sequence of them. What can't be carried over is refused.

Syntax: Elastic's EQL reference. Refused by name and place: ``join``, ``sample``, ``until``,
``with runs``, pipes, arithmetic, and functions but those of ``FUNCTIONS``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from tocsin.detect.reading.eql_tokens import EqlRefused, Token, tokens_of

FUNCTIONS: Final = frozenset({"wildcard", "startswith", "endswith", "stringcontains", "cidrmatch"})
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})
_WORDS: Final = frozenset({"like", "like~", "in", "in~"})
_DEEPEST: Final = 40
_LONGEST: Final = 100_000
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Value: TypeAlias = "str | float | bool | Field | None"


@dataclass(frozen=True, slots=True)
class Field:
    """A field's name."""

    name: str


@dataclass(frozen=True, slots=True)
class Test:
    """A field compared with values (any of them) by ``==``, ``:``, ``like`` or a function."""

    field: str
    operator: str
    values: tuple[Value, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Joined:
    """Parts that must all (``and``) or any (``or``) be true."""

    word: str
    parts: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Negated:
    """``not``."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Truth:
    """``true`` or ``false`` standing alone."""

    holds: bool


Expression: TypeAlias = Test | Joined | Negated | Truth


@dataclass(frozen=True, slots=True)
class EventQuery:
    """``CATEGORY where EXPRESSION``; ``by`` are its own join keys; ``missing``: written ``![…]``."""

    category: str
    where: Expression
    by: tuple[str, ...]
    missing: bool
    at: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """Events in that order within ``maxspan``, the same in the fields ``by``."""

    events: tuple[EventQuery, ...]
    by: tuple[str, ...]
    maxspan: timedelta


def parse_eql(text: str) -> EventQuery | Sequence:
    """Raises ``EqlRefused`` with the place."""
    if len(text) > _LONGEST:
        raise EqlRefused(f"a query has at most {_LONGEST:,} characters", text, 0)
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokens_of(text))
        self._next = 0
        self._depth = 0

    def query(self) -> EventQuery | Sequence:
        found = self._sequence() if self._takes("sequence") else self._event_query()
        token = self._token
        if token.value == "|":
            raise self._refuse("pipes can't be carried over: they work on results", token)
        if token.value == "until":
            raise self._refuse("until can't be carried over: Sigma's order has no end event", token)
        if token.kind != "end":
            raise self._refuse(f"{token.value} is not understood here", token)
        return found

    def _sequence(self) -> Sequence:
        start = self._token
        by: tuple[str, ...] = ()
        span: timedelta | None = None
        while self._token.value in ("by", "with"):
            if self._takes("by"):
                by = self._fields()
            else:
                self._expect("with")
                span = self._maxspan()
        events = []
        while self._token.value in ("[", "!"):
            events.append(self._bracketed())
        if span is None:
            raise self._refuse("say 'with maxspan=…': Sigma needs a timespan", start)
        if len(events) < 2:
            raise self._refuse("a sequence needs at least two events", start)
        if len({len(one.by) for one in events}) > 1:
            raise self._refuse("every event needs as many 'by' fields as the others", start)
        return Sequence(tuple(events), by, span)

    def _maxspan(self) -> timedelta:
        token = self._token
        if not self._takes("maxspan"):
            raise self._refuse(f"with {token.value} can't be carried over", token)
        self._expect("=")
        token = self._step()
        if token.kind != "span":
            raise self._refuse("maxspan is a number and one of s, m, h, d", token)
        if token.value.endswith("ms"):
            raise self._refuse("Sigma's timespans begin at one second", token)
        length = int(token.value[:-1][:9]) * _SECONDS[token.value[-1]]
        if not 0 < length <= 3660 * 86400:
            raise self._refuse("maxspan must lie between a second and ten years", token)
        return timedelta(seconds=length)

    def _bracketed(self) -> EventQuery:
        missing = self._takes("!")
        self._expect("[")
        found = self._event_query()
        self._expect("]")
        by = self._fields() if self._takes("by") else ()
        if self._token.value == "with":
            self._step()
            raise self._refuse(f"with {self._token.value} can't be carried over", self._token)
        return EventQuery(found.category, found.where, by, missing, found.at)

    def _event_query(self) -> EventQuery:
        token = self._step()
        if token.value in ("sample", "join"):
            raise self._refuse(f"{token.value} can't be carried over", token)
        if token.kind not in ("word", "string"):
            raise self._refuse("an event category (process, file, any …) belongs here", token)
        self._expect("where")
        return EventQuery(token.value.lower(), self._either(), (), False, token.at)

    def _either(self) -> Expression:
        return self._joined("or", lambda: self._joined("and", self._negated))

    def _joined(self, word: str, part: Callable[[], "Expression"]) -> Expression:
        parts = [part()]
        while self._takes(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _negated(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._refuse("the query goes too deep", self._token)
        try:
            if self._takes("not"):
                return Negated(self._negated())
            if self._takes("("):
                inside = self._either()
                self._expect(")")
                return inside
            return self._test()
        finally:
            self._depth -= 1

    def _test(self) -> Expression:
        token = self._step()
        if token.kind != "word":
            raise self._refuse("a field belongs here, left of the comparison", token)
        if token.value in ("true", "false"):
            return Truth(token.value == "true")
        if self._token.value == "(":
            return self._function(token)
        field = token.value.removeprefix("?")
        operator = self._step()
        word = operator.value.lower()
        if word == "not":
            inner = self._step()
            if inner.value not in ("in", "in~"):
                raise self._refuse("only 'in' goes after 'not' here", inner)
            return Negated(Test(field, inner.value, self._list(), operator.at))
        if word == ":" or word in _WORDS:
            several = self._token.value == "("
            values = self._list() if several or word.startswith("in") else (self._value(),)
            return Test(field, word, values, operator.at)
        if word in _COMPARISONS:
            return Test(field, word, (self._value(),), operator.at)
        raise self._refuse(f"{operator.value} can't be carried over", operator)

    def _function(self, name: Token) -> Expression:
        plain = name.value.lower().removesuffix("~")
        if plain not in FUNCTIONS:
            raise self._refuse(f"function {name.value} can't be carried over", name)
        arguments = self._list()
        if len(arguments) < 2 or not isinstance(arguments[0], Field):
            raise self._refuse(f"{name.value} needs a field and values", name)
        return Test(arguments[0].name, name.value.lower(), arguments[1:], name.at)

    def _list(self) -> tuple[Value, ...]:
        self._expect("(")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._expect(")")
        return tuple(values)

    def _value(self) -> Value:
        token = self._step()
        if token.kind == "string":
            return token.value
        if token.kind == "number":
            number = float(token.value)
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        if token.kind == "word":
            if token.value in ("true", "false"):
                return token.value == "true"
            if self._token.value == "(":
                raise self._refuse(f"function {token.value} can't be carried over here", token)
            return None if token.value == "null" else Field(token.value.removeprefix("?"))
        raise self._refuse(f"a value belongs here, not {token.value}", token)

    def _fields(self) -> tuple[str, ...]:
        names = []
        while True:
            token = self._step()
            if token.kind != "word" or self._token.value == "(":
                raise self._refuse("'by' takes names of fields", token)
            names.append(token.value.removeprefix("?"))
            if not self._takes(","):
                return tuple(names)

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _step(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._next += 1
        return token

    def _takes(self, value: str) -> bool:
        token = self._token
        if token.kind in ("word", "sign") and token.value.lower() == value:
            self._next += 1
            return True
        return False

    def _expect(self, value: str) -> None:
        token = self._token
        if not self._takes(value):
            raise self._refuse(f"{value} belongs here, not {token.value}", token)

    def _refuse(self, reason: str, token: Token) -> EqlRefused:
        return EqlRefused(reason, self._text, token.at)
