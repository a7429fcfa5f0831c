"""Finds what a JSON pointer names (RFC 6901)."""

from typing import Any

MISSING = object()


def find(document: Any, pointer: str) -> Any:
    """The value at ``pointer`` ("" is the whole document), or MISSING."""
    found = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif (
            isinstance(found, list) and name.isascii() and name.isdigit() and int(name) < len(found)
        ):
            found = found[int(name)]
        else:
            return MISSING
    return found
