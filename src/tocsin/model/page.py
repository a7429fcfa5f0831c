"""A page of a longer list, with the cursor that continues it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """``items`` in order, ``total`` of the whole list, ``next_cursor`` None at its end."""

    items: tuple[Item, ...]
    total: int
    next_cursor: str | None = None
