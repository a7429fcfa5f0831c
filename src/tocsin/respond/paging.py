"""One way to page through response's tables."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select

from tocsin.model.page import Page
from tocsin.respond.errors import BadRequest

Noun = TypeVar("Noun")


def page_of(
    tx: Connection,
    table: Table,
    *,
    where: Sequence[ColumnElement[bool]],
    order: Sequence[ColumnElement[Any]],
    cursor: str | None,
    size: int,
    make: Callable[[Row[Any]], Noun],
) -> Page[Noun]:
    """``size`` rows in ``order``; the cursor is how many rows came before."""
    start = _start(cursor)
    total = tx.execute(select(func.count()).select_from(table).where(*where)).scalar_one()
    rows = tx.execute(
        select(table).where(*where).order_by(*order).offset(start).limit(size)
    ).fetchall()
    end = start + len(rows)
    return Page(tuple(map(make, rows)), total, str(end) if end < total and rows else None)


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 12:
        raise BadRequest(f"cursor {cursor!r} was not given by an earlier page")
    return int(cursor)
