"""Reading a choice from an address or form, and finding one's place in a list."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

Choice = TypeVar("Choice", bound=StrEnum)


def choice(kind: type[Choice], value: str) -> Choice | None:
    """The member ``value`` names, None when there is none."""
    return next((member for member in kind if member.value == value), None)


def neighbours(ids: Sequence[str], current: str) -> tuple[str, str]:
    """The ids before and after ``current`` in a list, "" at its ends."""
    if current not in ids:
        return "", ""
    at = ids.index(current)
    return (ids[at - 1] if at else "", ids[at + 1] if at + 1 < len(ids) else "")
