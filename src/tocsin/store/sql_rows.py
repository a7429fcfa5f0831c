"""What a statement of SQL gives back."""

from typing import Any, NamedTuple


class SqlRows(NamedTuple):
    """Names of the columns, rows of as many values, and what of the store is missing in them."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    problems: tuple[str, ...] = ()
