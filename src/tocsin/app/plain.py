"""Nouns as JSON: dataclasses become plain values, times ISO 8601 with Z."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime, time
from enum import Enum
from typing import Any, TypeVar

from tocsin.model.page import Page

Item = TypeVar("Item")


def as_json(value: Any) -> Any:
    """A noun, or anything made of nouns, as what ``json`` can write."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: as_json(getattr(value, part.name)) for part in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): as_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def page_json(name: str, page: Page[Item], each: Callable[[Item], Any] = as_json) -> dict[str, Any]:
    """A page as ``{total, <name>: […], next_cursor}``."""
    return {
        "total": page.total,
        name: [each(item) for item in page.items],
        "next_cursor": page.next_cursor,
    }
