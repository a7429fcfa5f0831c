"""Where in a statement, as it was written, that stands which a check or an engine names."""

import re
from collections.abc import Sequence

import sqlglot
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token

_LINE = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)


def tokens_of(statement: str) -> Sequence[Token]:
    """Empty where it can't be read."""
    try:
        return sqlglot.tokenize(statement, read="duckdb")
    except SqlglotError:
        return ()


def place_in(statement: str, told: str, at: int) -> int | None:
    """Where the token at character ``at`` of ``told`` stands in the statement it was told from.

    The first that is written alike counts as the first, and so on.
    """
    name, before = "", 0
    told_tokens = tokens_of(told)
    for token in told_tokens:
        if token.start <= at <= token.end:
            name = token.text.lower()
            before = sum(one.text.lower() == name for one in told_tokens if one.start < token.start)
            break
    alike = [one.start for one in tokens_of(statement) if name and one.text.lower() == name]
    return alike[before] if before < len(alike) else None


def place_told(statement: str, run: str, complaint: str) -> int | None:
    """The place DuckDB points at in ``run`` (``LINE 1: … ^``), in the statement as written."""
    found = _LINE.search(complaint)
    if found is None:
        return None
    excerpt, indent = found[2], len(found[3])
    column = indent - len(f"LINE {found[1]}: ")
    shown = excerpt.strip(".")
    start = run.find(shown) if shown else -1
    if start < 0 or column < 0:
        return None
    cut = len(excerpt) - len(excerpt.lstrip("."))
    return place_in(statement, run, start + column - cut)
