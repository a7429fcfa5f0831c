"""A page of a longer list, with the cursor that continues it."""

import base64
import json
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """``items`` in order, ``total`` of the whole list, ``next_cursor`` None at its end."""

    items: tuple[Item, ...]
    total: int
    next_cursor: str | None = None


def cursor_after(*position: str | float | int) -> str:
    """The opaque cursor that continues after the row with these sort values."""
    text = json.dumps(list(position), separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def cursor_position(cursor: str, *kinds: type) -> tuple[object, ...]:
    """The sort values in ``cursor``; ValueError when it is not one of ours or has other kinds."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = json.loads(base64.b64decode(padded.encode(), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        position = None
    if (
        not isinstance(position, list)
        or len(position) != len(kinds)
        or any(type(value) is not kind for value, kind in zip(position, kinds, strict=True))
    ):
        raise ValueError(f"{cursor[:60]!r} is not a cursor of this list; ask for its first page")
    return tuple(position)
