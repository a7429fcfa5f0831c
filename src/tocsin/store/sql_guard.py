"""Lets one reading SELECT over ``events`` through, and nothing else.

What isn't listed here is refused: statement kinds, tables, functions. The reader behind it is
closed to files and network as well; this guard gives the clear message.
"""

from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from tocsin.store.ports import QueryError
from tocsin.store.predicates import timestamp
from tocsin.store.sql_places import place_in, tokens_of
from tocsin.store.sql_words import FUNCTIONS, TABLE_FUNCTIONS, WORDS_BEFORE_PARENTHESES

VIEW = "events"
LONGEST_STATEMENT = 20_000
_REFUSED = (
    exp.DDL,
    exp.DML,
    exp.Command,
    exp.Into,
    exp.Lock,
    exp.Parameter,
    exp.Placeholder,
    exp.SessionParameter,
    exp.TableSample,
)


def checked(statement: str, now: datetime | None = None) -> str:
    """The statement as it may run, times like ``now()`` filled in; QueryError otherwise."""
    tree = _parse(statement)
    try:
        return _checked(tree, statement, now or datetime.now(UTC))
    except RecursionError:
        raise QueryError("the statement is nested too deeply") from None


def _checked(tree: exp.Expr, statement: str, now: datetime) -> str:
    names = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for node in tree.walk():
        if isinstance(node, _REFUSED):
            raise QueryError("only reading is allowed: one SELECT over events")
        if isinstance(node, exp.Table):
            _check_table(node, names)
    filled = tree.transform(lambda node: _with_time(node, now))
    sql = filled.sql("duckdb")
    _check_functions(sql, names, statement)
    return sql


def _parse(statement: str) -> exp.Expr:
    if len(statement) > LONGEST_STATEMENT:
        raise QueryError(f"the statement is longer than {LONGEST_STATEMENT:,} characters")
    try:
        trees = [tree for tree in sqlglot.parse(statement, read="duckdb") if tree is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        place, reason = _place(error, statement)
        raise QueryError(f"the statement can't be read: {reason}", place) from error
    if len(trees) != 1:
        raise QueryError("write exactly one statement", _second(statement))
    tree = trees[0]
    if not isinstance(tree, (exp.Select, exp.SetOperation, exp.Subquery)):
        raise QueryError("only reading is allowed: one SELECT over events", 0)
    return tree


def _place(error: Exception, statement: str) -> tuple[int | None, str]:
    details = getattr(error, "errors", None) or [{}]
    first = details[0]
    line, column = first.get("line"), first.get("col")
    reason = _in_words(first.get("description") or str(error).partition("\n")[0])
    if line is None or column is None:
        open_quote = statement.rfind("'") if statement.count("'") % 2 else -1
        return (open_quote if open_quote >= 0 else None), reason
    before = sum(len(text) + 1 for text in statement.split("\n")[: line - 1])
    wrong = first.get("highlight") or ""  # the column told is that of its last character
    return min(before + max(0, column - len(wrong)), len(statement)), reason


def _in_words(reason: str) -> str:
    """The parser's complaint without the names of its classes."""
    if reason.startswith("Required keyword"):
        return "something is missing here"
    if reason.startswith("Error tokenizing"):
        return "a quote or a bracket is not closed"
    if reason.startswith("Invalid expression"):
        return "this can't stand here"
    expected = reason.partition(" but got <")[0]
    return (
        f"{expected.removeprefix('Expecting ')} is expected before this"
        if (expected.startswith("Expecting "))
        else expected
    )


def _second(statement: str) -> int | None:
    """Where a second statement begins; the start where there is none at all."""
    tokens = tokens_of(statement)
    ends = [at for at, one in enumerate(tokens) if one.token_type is TokenType.SEMICOLON]
    later = [tokens[at + 1].start for at in ends if at + 1 < len(tokens)]
    return later[0] if later else 0


def _check_table(table: exp.Table, names: set[str]) -> None:
    if isinstance(table.this, exp.Func):
        name = table.this.name if isinstance(table.this, exp.Anonymous) else table.this.sql_name()
        if name.lower() in TABLE_FUNCTIONS:
            return
        raise QueryError(
            f"function {name.lower()} can't be read from; the only table is events", _start(table)
        )
    name = table.name
    is_plain = isinstance(table.this, exp.Identifier) and not table.db and not table.catalog
    if not is_plain or name.lower() not in {VIEW, *names}:
        table = table.copy()
        table.set("alias", None)
        raise QueryError(
            f"there is no table {table.sql('duckdb')}; the only table is events", _start(table)
        )


def _start(node: exp.Expr) -> int | None:
    """Where the first name within a node is written."""
    starts = [one.meta["start"] for one in node.walk() if "start" in one.meta]
    return min(starts, default=None)


def _with_time(node: exp.Expr, now: datetime) -> exp.Expr:
    is_now = isinstance(node, exp.Anonymous) and node.name.lower() == "now"
    if is_now or isinstance(node, (exp.CurrentTimestamp, exp.CurrentDatetime)):
        return timestamp(now)
    if isinstance(node, exp.CurrentDate):
        return exp.cast(exp.Literal.string(f"{now:%Y-%m-%d}"), "DATE")
    return node


def _check_functions(sql: str, names: set[str], statement: str) -> None:
    """Every name before a parenthesis, in the very text that will run."""
    tokens = sqlglot.tokenize(sql, read="duckdb")
    for token, following in pairwise(tokens):
        name = token.text.lower()
        is_quoted = token.token_type is TokenType.IDENTIFIER
        is_name = is_quoted or (
            token.token_type is not TokenType.STRING and name[:1].isidentifier()
        )
        if following.token_type is not TokenType.L_PAREN or not is_name:
            continue
        if name in FUNCTIONS or (not is_quoted and name in WORDS_BEFORE_PARENTHESES):
            continue
        at = place_in(statement, sql, token.start)
        if name in names:
            raise QueryError(
                f"name the columns of {name} within its SELECT, not behind its name", at
            )
        near = get_close_matches(name, FUNCTIONS, n=2, cutoff=0.75)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise QueryError(f"function {name} is not among those that may be used{hint}", at)
