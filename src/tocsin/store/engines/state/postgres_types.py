"""Makes PostgreSQL hold every text that SQLite holds, and sort and compare it alike.

Without this a NUL or an overlong name in what a sender wrote would be refused by the database, and
the turn that carries it would fail for ever.
"""

from typing import Any

from psycopg import Connection
from psycopg.adapt import Buffer, Dumper, Loader
from sqlalchemy import String
from sqlalchemy.ext.compiler import compiles

_ESCAPE = "\ufdd0"  # a code point Unicode keeps for uses within a program
_NUL = f"{_ESCAPE}0"
_ITSELF = f"{_ESCAPE}1"


@compiles(String, "postgresql")
def _text(_type: String, _compiler: Any, **context: Any) -> str:
    """Text of any length, in the order of its code points where a column is declared."""
    return 'VARCHAR COLLATE "C"' if "type_expression" in context else "VARCHAR"


def escaped(text: str) -> str:
    """The text without NUL, which PostgreSQL can't hold; ``unescaped`` gives it back."""
    if "\x00" not in text and _ESCAPE not in text:
        return text
    return text.replace(_ESCAPE, _ITSELF).replace("\x00", _NUL)


def unescaped(text: str) -> str:
    if _ESCAPE not in text:
        return text
    return text.replace(_NUL, "\x00").replace(_ITSELF, _ESCAPE)


class _TextDumper(Dumper):
    def dump(self, obj: str) -> Buffer | None:
        return escaped(obj).encode()


class _TextLoader(Loader):
    def load(self, data: Buffer) -> str:
        return unescaped(bytes(data).decode())


def adapt(connection: Connection[Any]) -> None:
    """Have a connection write and read texts so that each comes back as it was."""
    connection.adapters.register_dumper(str, _TextDumper)
    for kind in ("text", "varchar"):
        connection.adapters.register_loader(kind, _TextLoader)
