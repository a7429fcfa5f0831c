"""What a sender's protocol says about a record, kept beside the record's own fields."""

from collections.abc import Callable
from typing import Any

from tocsin.ingest.records.carried import finish_object

Reading = tuple[dict[str, Any], bool]
Reader = Callable[[bytes], Reading]


def with_envelope(record: dict[str, Any], name: str, envelope: dict[str, Any]) -> dict[str, Any]:
    """``record`` with ``envelope`` under ``name``, or ``name_envelope`` where that is taken."""
    if envelope:
        record[name if name not in record else f"{name}_envelope"] = envelope
    return record


def read_content(content: Any, read_line: Reader) -> Reading:
    """The record a protocol carries: an object's fields, or what its text is read as.

    ``read_line`` reads text as if it had come as a line of its own. Another value becomes
    ``message``.
    """
    if isinstance(content, dict):
        return finish_object(dict(content)), False
    if isinstance(content, str):
        text = content.removesuffix("\n").removesuffix("\r")
        try:
            return read_line(text.encode("utf-8", "replace"))
        except (ValueError, RecursionError):  # looks like JSON, and is not
            return {"message": text}, False
    return {"message": content}, False
