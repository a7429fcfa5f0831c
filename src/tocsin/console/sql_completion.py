"""What may come next in an SQL statement: tables, columns, native fields, functions, keywords."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tocsin.console.column_meanings import columns
from tocsin.store.fields import NATIVE, WHOLE_NATIVE
from tocsin.store.hot_columns import ENVELOPE, HOT_COLUMNS
from tocsin.store.sql_guard import VIEW
from tocsin.store.sql_words import FUNCTIONS

KEYWORDS = (
    "SELECT",
    "SELECT DISTINCT",
    "FROM events",
    "WHERE",
    "GROUP BY",
    "GROUP BY ALL",
    "ORDER BY",
    "DESC",
    "ASC",
    "NULLS LAST",
    "LIMIT",
    "OFFSET",
    "HAVING",
    "QUALIFY",
    "AND",
    "OR",
    "NOT",
    "IN",
    "LIKE",
    "ILIKE",
    "BETWEEN",
    "IS NULL",
    "IS NOT NULL",
    "AS",
    "WITH",
    "JOIN",
    "LEFT JOIN",
    "USING",
    "ON",
    "UNION ALL",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "INTERVAL",
    "DISTINCT",
    "FILTER",
    "OVER",
    "PARTITION BY",
)
_RESERVED = frozenset(word.lower() for name in KEYWORDS for word in name.split())
_CLEAR = 3
"""With so many letters a keyword that begins so is meant."""
_WORD = re.compile(r'[A-Za-z_](?:[\w.]|"[^"]*"|\[\d+\])*(?:"[^"]*)?$')
_TEXT = re.compile(
    r"(?P<field>[A-Za-z_](?:[\w.]|\"[^\"]*\")*)\s*(?:=|==|<>|!=|(?:NOT\s+)?(?:I?LIKE|IN\s*\(.*))\s*$",
    re.IGNORECASE | re.DOTALL,
)
_TABLE_NEXT = re.compile(r"\b(?:FROM|JOIN)\s+$", re.IGNORECASE)
_NAMED = re.compile(r"\bAS\s+([A-Za-z_]\w*)", re.IGNORECASE)
_TABLES = re.compile(r"([A-Za-z_]\w*)\s+AS\s*(?:MATERIALIZED\s*)?\(", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*\n|/\*.*?\*/", re.DOTALL)
_OPEN_COMMENT = re.compile(r"--[^\n]*$|/\*(?:(?!\*/).)*$", re.DOTALL)
_NOT_ASKED_FOR = frozenset(
    {"exclude", "cast", "try_cast", "columns", "rowid", "case", "if", "error"}
)


@dataclass(frozen=True, slots=True)
class SqlWord:
    """The word before the cursor: where it begins; within quotes, the field compared with it."""

    start: int
    text: str
    is_value: bool = False
    field: str = ""
    """As a filter names it; "" when it is no field."""


@dataclass(frozen=True, slots=True)
class SqlOffer:
    """One thing that may stand there."""

    insert: str
    note: str


def word_at(statement: str, at: int) -> SqlWord | None:
    """What is being written at character ``at``; None within a comment."""
    before = _COMMENT.sub(lambda found: " " * len(found[0]), statement[:at])
    quote = _open_quote(before)
    if quote is not None:
        asked = _TEXT.search(before[:quote])
        field = filter_field(asked["field"]) if asked else ""
        return SqlWord(quote + 1, before[quote + 1 :].replace("''", "'"), True, field)
    if _OPEN_COMMENT.search(before):
        return None
    word = _WORD.search(before)
    return SqlWord(word.start(), word[0]) if word else SqlWord(at, "")


def filter_field(column: str) -> str:
    """The name a filter has for a column or native field of SQL; "" when there is none."""
    plain = column.replace('"', "")
    if plain in ENVELOPE or plain.startswith(NATIVE):
        return plain
    paths = {one.name: one.path for one in HOT_COLUMNS}
    return paths.get(plain.lower(), plain.removeprefix("ocsf.") if "." in plain else "")


def offers(statement: str, word: SqlWord, seen: Iterable[str], limit: int = 14) -> list[SqlOffer]:
    """What begins with the word (then: what contains it), the nearest first.

    ``seen`` are fields beyond those every store has, as a filter names them.
    """
    wanted = word.text.lower()
    tables = [VIEW, *_TABLES.findall(statement)]
    if _TABLE_NEXT.search(statement[: word.start]):
        everything = [(0, SqlOffer(name, "table")) for name in tables]
    else:
        everything = list(_everything(statement, word, tables, seen))
    is_whole = wanted in _RESERVED
    found: dict[str, tuple[tuple[int, int, int, str], SqlOffer]] = {}
    for kind, offer in everything:
        plain = offer.insert.lower()
        rank = _rank(plain, wanted)
        if rank is not None and (rank == 0 or not is_whole) and plain.rstrip("( ") != wanted:
            found.setdefault(plain, ((rank, kind, len(plain), plain), offer))
    return [offer for _, offer in sorted(found.values(), key=lambda one: one[0])][:limit]


def _everything(
    statement: str, word: SqlWord, tables: list[str], seen: Iterable[str]
) -> Iterator[tuple[int, SqlOffer]]:
    """Each with its kind, the nearest kind first."""
    yield from ((0, SqlOffer(one.name, one.meaning)) for one in columns())
    rest = statement[: word.start] + statement[word.start + len(word.text) :]
    named = [name for name in _NAMED.findall(rest) if len(name) > 1]
    yield from ((1, SqlOffer(name, "named in the statement")) for name in named)
    yield from ((1, SqlOffer(name, "table")) for name in tables)
    yield from ((2, one) for one in _fields(seen))
    as_keyword = -1 if len(word.text) >= _CLEAR else 3
    yield from ((as_keyword, SqlOffer(f"{name} ", "keyword")) for name in KEYWORDS)
    functions = sorted(FUNCTIONS - _NOT_ASKED_FOR)
    yield from ((4, SqlOffer(f"{name}(", "function")) for name in functions)


def _fields(seen: Iterable[str]) -> Iterator[SqlOffer]:
    """Fields within the objects ``native`` and ``ocsf``, each key quoted where it must be."""
    columns_of = {name for one in HOT_COLUMNS for name in (one.path, *one.aliases)}
    for name in seen:
        if name in columns_of or name in ENVELOPE or name == WHOLE_NATIVE:
            continue
        is_native = name.startswith(NATIVE)
        keys = name.removeprefix(NATIVE).split(".")
        above = "native" if is_native else "ocsf"
        note = "of the source" if is_native else "OCSF"
        yield SqlOffer(".".join([above, *map(quoted_key, keys)]), note)


def quoted_key(key: str) -> str:
    """A key of an object as SQL takes it."""
    return key if key.isidentifier() else '"' + key.replace('"', '""') + '"'


def _rank(plain: str, wanted: str) -> int | None:
    """0 begins so, 1 a part of the name does, 2 contains it; None: has nothing of it."""
    if plain.startswith(wanted):
        return 0
    bare = wanted.replace('"', "")
    if re.search(rf"[._ ]\"?{re.escape(bare)}", plain):
        return 1
    return 2 if bare in plain.replace('"', "") else None


def _open_quote(before: str) -> int | None:
    """Where the text begins that is not closed yet."""
    opened: int | None = None
    within = ""
    at = 0
    while at < len(before):
        letter = before[at]
        if within and letter == within:
            if before[at + 1 : at + 2] == within:
                at += 1  # doubled, it stands for itself
            else:
                within, opened = "", None
        elif not within and letter in "'\"":
            within, opened = letter, at
        at += 1
    return opened if within == "'" else None
