"""Lists by pages: one size, and cursors also for lists that are at hand as a whole."""

from collections.abc import Sequence
from typing import TypeVar

from tocsin.model.page import Page, cursor_after, cursor_position

PAGE_ROWS = 50
Item = TypeVar("Item")


def page_of(items: Sequence[Item], cursor: str) -> Page[Item]:
    """The page of ``items`` that begins where ``cursor`` says, with the cursor of the next one.

    A cursor of another list gives the first page: the list has changed since.
    """
    try:
        (start,) = cursor_position(cursor, int) if cursor else (0,)
    except ValueError:
        start = 0
    if not 0 <= start < len(items):
        start = 0
    end = start + PAGE_ROWS
    following = cursor_after(end) if end < len(items) else None
    return Page(tuple(items[start:end]), len(items), following)
