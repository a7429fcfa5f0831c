"""The logical query in ClickHouse's words: the trees that DuckDB runs, told again.

Filters, histograms and people's SQL are built once, as sqlglot trees with DuckDB's functions.
sqlglot knows most of both dialects; what it leaves is said here, function by function.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlglot import exp

from tocsin.store.engines.variant.flat_fields import key_of
from tocsin.store.fields import ANY_MEMBER, Column, FieldCatalogue, Kind, without_escapes
from tocsin.store.predicates import IPV4_PATTERN, IPV6_PATTERN

LEAVES = {"ocsf": "ocsf_leaves", "native": "native_leaves"}
LISTS = {"ocsf": "ocsf_lists", "native": "native_lists"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RENAMED = {
    "ends_with": "endsWith",
    "len": "length",
    "lower": "lowerUTF8",
    "starts_with": "startsWith",
}
_NUMBERS = {"BIGINT": "toInt64OrNull", "DOUBLE": "toFloat64OrNull"}


class ClickHouseFields(FieldCatalogue):
    """Fields beyond the hot columns are texts, or lists of them, in two maps a space."""

    def column_at(self, space: str, path: tuple[str, ...]) -> Column:
        is_list = ANY_MEMBER in path
        held = exp.column(LISTS[space] if is_list else LEAVES[space], quoted=True)
        # Not exp.Bracket: its generator counts members of lists from another number.
        value = _call("arrayElement", held, exp.Literal.string(key_of(path)))
        return Column(value, Kind.ANY, is_list)

    def whole_native(self) -> Column:
        return Column(without_escapes(exp.column("native_text", quoted=True)), Kind.PROSE)

    def within_text(self, text: Column, keys: list[str]) -> Column:
        whole = _call("ifNull", text.value.copy(), exp.Literal.string(""))
        place = [whole, *(exp.Literal.string(key) for key in keys)]
        is_text = exp.EQ(
            this=exp.cast(_call("JSONType", *place), "VARCHAR"),
            expression=exp.Literal.string("String"),
        )
        other = _call("nullIf", _call("JSONExtractRaw", *place), exp.Literal.string(""))
        return Column(_call("if", is_text, _call("JSONExtractString", *place), other), Kind.ANY)


def retold(tree: exp.Expr) -> exp.Expr:
    """A filter's tree as ClickHouse understands it; the one given stays as it is."""
    return tree.copy().transform(_node, copy=False)


def micros_of(text: str) -> int:
    """A time as a query writes it (UTC), in microseconds since 1970."""
    moment = datetime.fromisoformat(text)
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (aware - _EPOCH) // timedelta(microseconds=1)


def _node(node: exp.Expr) -> exp.Expr:
    """What stands for the node; what is new is whole already, what is old is looked into."""
    if isinstance(node, exp.Case):
        return _address(node)
    if isinstance(node, exp.TryCast):
        return _call(_NUMBERS[node.to.sql("duckdb")], retold(node.this))
    if isinstance(node, exp.Cast):
        return _cast(node)
    if isinstance(node, exp.Escape):
        return retold(node.this)  # the backslash is what escapes in any case
    if isinstance(node, exp.Anonymous):
        return _function(node)
    return node


def _cast(node: exp.Cast) -> exp.Expr:
    if node.to.is_type("timestamp") and isinstance(node.this, exp.Literal):
        return number(micros_of(node.this.this))
    if node.to.is_type("double") and isinstance(node.this, exp.Literal):
        return _call("toFloat64", node.this.copy())
    if node.to.is_type("varchar"):
        is_text = isinstance(node.this, exp.Column) and node.this.name == "raw"
        return node.this.copy() if is_text else _call("toString", retold(node.this))
    return node


def _function(node: exp.Anonymous) -> exp.Expr:
    name = node.name.lower()
    if name == "list_bool_or":
        members, test = node.expressions[0].expressions
        return _call("arrayExists", retold(test), retold(members))
    arguments = [retold(argument) for argument in node.expressions]
    if name == "regexp_matches":
        # In ClickHouse a dot is any character, a line's end as well.
        return _call("match", arguments[0], exp.Literal.string(f"(?i-s){arguments[1].this}"))
    if name == "contains":
        return exp.GT(this=_call("position", *arguments), expression=number(0))
    return _call(_RENAMED.get(name, node.name), *arguments)


def _address(node: exp.Case) -> exp.Expr:
    """The number of an IPv4 address, the digits of an IPv6 one; see ``predicates``."""
    (choice,) = node.args["ifs"]
    test = choice.this
    value, pattern = test.expressions
    readers: dict[str, Callable[[exp.Expr], exp.Expr]] = {IPV4_PATTERN: _ip4, IPV6_PATTERN: _ip6}
    return readers[pattern.this](retold(value))


def _ip4(value: exp.Expr) -> exp.Expr:
    return _call("toUInt32", _call("toIPv4OrNull", value))


def _ip6(value: exp.Expr) -> exp.Expr:
    has_colon = exp.GT(
        this=_call("position", value.copy(), exp.Literal.string(":")), expression=number(0)
    )
    digits = _call("lower", _call("hex", _call("toIPv6OrNull", value)))
    return _call("if", has_colon, digits, exp.null())


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


def number(value: int) -> exp.Expr:
    literal = exp.Literal.number(abs(value))
    return literal if value >= 0 else exp.paren(exp.Neg(this=literal))
