"""What an event has under a name as filters take it: envelope, alias, OCSF path or native field."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tocsin.store.fields import NATIVE
from tocsin.store.hot_columns import ENVELOPE, hot_column_by_name
from tocsin.store.query import StoredEvent


def field_of(event: StoredEvent | Mapping[str, Any], name: str) -> Any:
    """The value in an event (or what JSON has of it); None when absent.

    Where the way leads through a list of objects, the values of all of them.
    """
    part: Callable[[str], Any] = (
        event.__getitem__ if isinstance(event, Mapping) else partial(getattr, event)
    )
    if name in ENVELOPE:
        return part(name)
    if name.startswith(NATIVE):
        return _at(part("native"), name.removeprefix(NATIVE))
    hot = hot_column_by_name().get(name)
    return _at(part("ocsf"), hot.path if hot else name)


def _at(fields: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, whose keys may have dots themselves."""
    if path in fields:
        return fields[path]
    for key, value in fields.items():
        if not path.startswith(f"{key}."):
            continue
        rest = path[len(key) + 1 :]
        if isinstance(value, Mapping) and (found := _at(value, rest)) is not None:
            return found
        if isinstance(value, list):
            members = [_at(member, rest) for member in value if isinstance(member, Mapping)]
            if found := [member for member in members if member is not None]:
                return found
    return None
