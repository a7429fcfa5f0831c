"""What a sender's protocol says about a record, kept beside the record's own fields."""

from collections.abc import Callable
from typing import Any

Reading = tuple[dict[str, Any], bool]
Reader = Callable[[bytes], Reading]


def with_envelope(record: dict[str, Any], name: str, envelope: dict[str, Any]) -> dict[str, Any]:
    """``record`` with ``envelope`` under ``name``, or ``name_envelope`` where that is taken."""
    while name in record:
        name = f"{name}_envelope"
    if envelope:
        record[name] = envelope
    return record
