"""The leaves of records as texts, one key a path: what ClickHouse looks through for a field."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from tocsin.store.fields import ANY_MEMBER

Path = tuple[str, ...]
_MEMBER = "[]"
_OTHERS = re.compile(r"[^A-Za-z0-9_-]")


@lru_cache(maxsize=65_536)
def key_of(path: Path) -> str:
    """The one key of a path: letters, digits and ``_-~/[]`` alone, different for each path."""
    return "/".join(_MEMBER if name == ANY_MEMBER else _coded(name) for name in path)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What is in a record (or is ``value``, at ``path`` in one) but objects, lists and nulls."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member, (*path, ANY_MEMBER))
    elif value is not None:
        yield path, value


def _coded(name: str) -> str:
    """The name in ASCII, ``~`` before the bytes of any other character; never empty."""
    return _OTHERS.sub(_bytes_of, name) or "~"


def _bytes_of(found: re.Match[str]) -> str:
    return "".join(f"~{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def text_of(value: Any) -> str:
    """What a filter compares with."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return moment.isoformat(sep=" ")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
