"""What a statement of SQL gives back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple


class SqlRows(NamedTuple):
    """Names of the columns, rows of as many values, and what of the store is missing in them."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SqlStream:
    """All rows of a statement, in ``chunks`` as they come; the other parts as in ``SqlRows``.

    ``types`` are those of the columns as the engine calls them.
    What turns out to be damaged on the way ends the chunks with ``StoreError``.
    """

    columns: list[str]
    types: list[str]
    chunks: Iterator[list[tuple[Any, ...]]]
    problems: tuple[str, ...] = ()
