"""Conditions on columns as SQL expression trees: equality, patterns, ranges, networks, presence."""

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlglot import exp

from tocsin.store.fields import Column, Kind, each
from tocsin.store.ports import QueryError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
IPV4_PATTERN = r"\d{1,3}(\.\d{1,3}){3}"
IPV6_PATTERN = r"[0-9a-fA-F:]*:[0-9a-fA-F:]*"
_MOST_DIGITS = 18
_LOOKS_LIKE_NETWORK = re.compile(IPV4_PATTERN + r"/\d+")


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range; ``at`` is the character it is written at."""

    text: str
    at: int
    is_included: bool = True


def any_of(conditions: list[exp.Expr]) -> exp.Expr:
    return exp.or_(*conditions) if conditions else exp.false()


def negated(condition: exp.Expr) -> exp.Expr:
    """True also where the field is absent."""
    return exp.not_(exp.Coalesce(this=exp.paren(condition), expressions=[exp.false()]))


def equals(column: Column, text: str, at: int | None = None) -> exp.Expr:
    """The value is ``text``, whatever its case; prose holds it."""
    if column.kind is Kind.PROSE:
        return contains(column, text)
    if column.kind is Kind.NUMBER:
        return exp.EQ(this=column.value.copy(), expression=_number(text, at))
    if column.kind is Kind.BOOLEAN:
        return exp.EQ(this=column.value.copy(), expression=_truth(text, at))
    if column.kind is Kind.TIME:
        return exp.EQ(this=column.value.copy(), expression=_moment(text, at))
    return _on_text(column, lambda value: exp.EQ(this=_lower(value), expression=_folded(text)))


def equals_one_of(column: Column, texts: Sequence[tuple[str, int]]) -> exp.Expr:
    """The value is one of many, each with the character it is written at: one look for all."""
    if column.kind is Kind.NUMBER:
        numbers = [_number(text, at) for text, at in texts]
        return exp.In(this=column.value.copy(), expressions=numbers)
    if column.kind in (Kind.PROSE, Kind.BOOLEAN, Kind.TIME):
        return exp.paren(any_of([equals(column, text, at) for text, at in texts]))
    folded = [_folded(text) for text, _ in texts]
    return _on_text(column, lambda value: exp.In(this=_lower(value), expressions=folded))


def contains(column: Column, text: str) -> exp.Expr:
    return _on_text(column, lambda value: _call("contains", _lower(value), _folded(text)))


def like(column: Column, parts: list[str | None], *, anywhere: bool = False) -> exp.Expr:
    """Pattern match: texts with None for ``*`` and "" never; ``?`` comes as ``_ANY_CHARACTER``."""
    open_ended = anywhere or column.kind is Kind.PROSE
    return _on_text(column, lambda value: _like(value, parts, open_ended))


ANY_CHARACTER = "\x00"
"""Stands for one arbitrary character within a text of ``like``."""


def matches(column: Column, pattern: str) -> exp.Expr:
    """RE2 pattern found anywhere, whatever the case."""
    return _on_text(
        column,
        lambda value: _call("regexp_matches", value, _literal(pattern), _literal("i")),
    )


def exists(column: Column) -> exp.Expr:
    if column.is_list:
        return exp.GT(this=_call("len", column.value.copy()), expression=exp.Literal.number(0))
    return exp.not_(exp.Is(this=column.value.copy(), expression=exp.null()))


def compare(column: Column, low: Bound | None, high: Bound | None, at: int) -> exp.Expr:
    """``low`` to ``high``; None is open. Numbers, times and addresses by value, text by letters."""
    bounds = [bound.text for bound in (low, high) if bound is not None]
    if column.kind is Kind.TIME:
        return _between(column.value, low, high, _moment)
    if column.kind is Kind.NUMBER:
        return _between(column.value, low, high, _decimal)
    if column.kind is Kind.BOOLEAN:
        raise QueryError("a true/false field has no range; write :true or :false", at)
    if all(map(_is_number, bounds)):
        return _on_text(
            column,
            lambda value: _between(
                exp.TryCast(this=value, to=exp.DataType.build("DOUBLE")), low, high, _decimal
            ),
        )
    if all(map(_is_ip4, bounds)):
        return _on_text(
            column,
            lambda value: _between(
                _ip4(value), low, high, lambda text, _: _integer(int(ipaddress.IPv4Address(text)))
            ),
        )
    return _on_text(
        column, lambda value: _between(_lower(value), low, high, lambda text, _: _folded(text))
    )


def in_network(column: Column, network: Network) -> exp.Expr:
    """The address lies in the network, however it is written."""
    first, last = network[0], network[-1]
    if isinstance(network, ipaddress.IPv4Network):
        bounds = (_integer(int(first)), _integer(int(last)))
        return _on_text(column, lambda value: _within(_ip4(value), *bounds))
    digits = (_literal(f"{int(first):032x}"), _literal(f"{int(last):032x}"))
    return _on_text(column, lambda value: _within(_ip6(value), *digits))


def network_of(text: str) -> Network | None:
    """The network ``text`` writes in CIDR form, None when it is something else."""
    if "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def check_network(text: str, at: int) -> None:
    """Raises QueryError for what was meant as an IPv4 network and is none."""
    if _LOOKS_LIKE_NETWORK.fullmatch(text) and network_of(text) is None:
        raise QueryError(f"{text!r} is no network; write it like 10.0.0.0/8", at)


def _on_text(column: Column, test: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
    if not column.is_list:
        return test(column.text)
    return _call("list_bool_or", each(column.value.copy(), test))


def _like(value: exp.Expr, parts: list[str | None], anywhere: bool) -> exp.Expr:
    texts = [part for part in parts if part]
    if len(texts) == 1 and ANY_CHARACTER not in texts[0]:
        starts, ends = parts[0] is None or anywhere, parts[-1] is None or anywhere
        test = {(True, True): "contains", (True, False): "ends_with", (False, True): "starts_with"}
        if (starts, ends) in test:
            return _call(test[starts, ends], _lower(value), _folded(texts[0]))
    pattern = "".join("%" if part is None else _escaped(part) for part in parts)
    ilike = exp.ILike(this=value, expression=_literal(f"%{pattern}%" if anywhere else pattern))
    return exp.Escape(this=ilike, expression=_literal("\\"))


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text).replace(ANY_CHARACTER, "_")


def _between(
    value: exp.Expr,
    low: Bound | None,
    high: Bound | None,
    literal: Callable[[str, int], exp.Expr],
) -> exp.Expr:
    tests: list[exp.Expr] = []
    if low is not None:
        above = exp.GTE if low.is_included else exp.GT
        tests.append(above(this=value.copy(), expression=literal(low.text, low.at)))
    if high is not None:
        below = exp.LTE if high.is_included else exp.LT
        tests.append(below(this=value.copy(), expression=literal(high.text, high.at)))
    return exp.and_(*tests) if tests else exp.not_(exp.Is(this=value.copy(), expression=exp.null()))


def _within(value: exp.Expr, low: exp.Expr, high: exp.Expr) -> exp.Expr:
    return exp.Between(this=value, low=low, high=high)


def _ip4(value: exp.Expr) -> exp.Expr:
    """The address as a whole number; NULL for what isn't an IPv4 address."""
    number: exp.Expr | None = None
    for place in range(1, 5):
        part = exp.TryCast(
            this=_call("split_part", value.copy(), _literal("."), _integer(place)),
            to=exp.DataType.build("BIGINT"),
        )
        scaled = exp.Mul(this=part, expression=_integer(256 ** (4 - place)))
        number = scaled if number is None else exp.Add(this=number, expression=scaled)
    return exp.Case(
        ifs=[
            exp.If(
                this=_call("regexp_full_match", value.copy(), _literal(IPV4_PATTERN)), true=number
            )
        ]
    )


def _ip6(value: exp.Expr) -> exp.Expr:
    """The address as 32 hexadecimal digits; NULL for what isn't a plain IPv6 address."""
    left, right = (
        _digits(_call("split_part", value.copy(), _literal("::"), _integer(half)))
        for half in (1, 2)
    )
    written = exp.Add(this=_call("length", left.copy()), expression=_call("length", right.copy()))
    gap = exp.Sub(this=_integer(32), expression=exp.paren(written))
    zeros = _call("repeat", _literal("0"), gap)
    is_address = _call("regexp_full_match", value.copy(), _literal(IPV6_PATTERN))
    return exp.Case(ifs=[exp.If(this=is_address, true=_lower(_call("concat", left, zeros, right)))])


def _digits(text: exp.Expr) -> exp.Expr:
    """The groups of half an address, four digits each; nothing for an empty half."""
    parts = _call("string_split", text.copy(), _literal(":"))
    padded = each(parts, lambda group: _call("lpad", group, _integer(4), _literal("0")))
    is_empty = exp.EQ(this=text, expression=_literal(""))
    digits = _call("array_to_string", padded, _literal(""))
    return exp.Case(ifs=[exp.If(this=is_empty, true=_literal(""))], default=digits)


def _moment(text: str, at: int | None) -> exp.Expr:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise QueryError(f"{text!r} is no time; write it like 2026-03-01T14:00:00Z", at) from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return timestamp(moment)


def timestamp(moment: datetime) -> exp.Expr:
    """A time (UTC) as a literal."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return exp.cast(_literal(moment.isoformat(sep=" ")), "TIMESTAMP")


def _number(text: str, at: int | None) -> exp.Expr:
    if not re.fullmatch(r"-?\d+", text):
        raise QueryError(f"this field holds whole numbers and {text!r} is none", at)
    if len(text.lstrip("-")) > _MOST_DIGITS:
        raise QueryError(f"{text!r} has more than {_MOST_DIGITS} digits, as no number here has", at)
    return _integer(int(text))


def _decimal(text: str, at: int | None) -> exp.Expr:
    if not re.fullmatch(r"-?\d+(\.\d{1,18})?", text):
        raise QueryError(f"this field holds numbers and {text!r} is none", at)
    return exp.cast(_literal(text), "DOUBLE") if "." in text else _number(text, at)


def _truth(text: str, at: int | None) -> exp.Expr:
    if text.lower() not in {"true", "false"}:
        raise QueryError(f"this field is true or false, not {text!r}", at)
    return exp.true() if text.lower() == "true" else exp.false()


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", text) is not None


def _is_ip4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _lower(value: exp.Expr) -> exp.Expr:
    return _call("lower", value.copy())


def _folded(text: str) -> exp.Expr:
    return _lower(_literal(text))


def _literal(text: str) -> exp.Expr:
    return exp.Literal.string(text)


def _integer(number: int) -> exp.Expr:
    literal = exp.Literal.number(abs(number))
    return literal if number >= 0 else exp.Neg(this=literal)


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))
