"""GELF messages: additional fields lose the underscore that the format puts before their names."""

from typing import Any

_REQUIRED = ("version", "host", "short_message")


def is_gelf(record: dict[str, Any]) -> bool:
    """True for a GELF 1.x object (Graylog's specification: version, host, short_message)."""
    return all(name in record for name in _REQUIRED)


def flatten_gelf(record: dict[str, Any]) -> dict[str, Any]:
    """The record with ``_name`` as ``name``, where no such field is there already."""
    return {
        name[1:] if name[:1] == "_" and name[1:] and name[1:] not in record else name: value
        for name, value in record.items()
    }
