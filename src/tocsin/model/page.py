"""A page of a longer list, with the cursor that continues it."""

import base64
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """``items`` in order, ``total`` of the whole list, ``next_cursor`` None at its end."""

    items: tuple[Item, ...]
    total: int
    next_cursor: str | None = None


def cursor_after(*position: str | float | int | datetime) -> str:
    """The opaque cursor that continues after the row with these sort values."""
    values = [value.isoformat() if isinstance(value, datetime) else value for value in position]
    text = json.dumps(values, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def cursor_position(cursor: str, *kinds: type) -> tuple[Any, ...]:
    """The sort values in ``cursor``, one of each kind (str, int, finite float, aware datetime).

    Raises ValueError when it is not one of ours.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded.encode(), altchars=b"-_", validate=True))
        if not isinstance(values, list):
            raise ValueError("no list")
        return tuple(_of_kind(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{cursor[:60]!r} is not a cursor of this list; ask for its first page"
        ) from error


def _of_kind(value: object, kind: type) -> object:
    if kind is datetime:
        moment = datetime.fromisoformat(str(value))
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.astimezone(UTC)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("another kind")
    return value
