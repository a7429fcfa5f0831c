"""Objects that hold many records: told by how they begin, taken apart into one record a line."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pyarrow.compute as pc

from tocsin.ingest.limits import RECORD_BYTES
from tocsin.ingest.records.json_line import read_object
from tocsin.model.record import Decoded
from tocsin.model.shaped_records import ShapedTable

MEMBERS = re.compile(rb'\s*\{\s*"[Rr]ecords"\s*:\s*\[(?=\s*[{\]])')
"""CloudTrail's files, and what Azure's diagnostic settings send to event hubs and storage."""
SUBSCRIBED = re.compile(rb'\s*\{\s*"messageType"\s*:\s*"DATA_MESSAGE"')
"""What a subscription to one of CloudWatch's log groups delivers."""
_MARKS = (b"ecords", b"logEvents")
_LISTS = ("Records", "records")
_LOGGED = "logEvents"
_OWN = ("_id",)
"""What a sender says of a document goes with each of its records."""
_MOST_REPEATED_BYTES = 64 << 20
"""What stands around the records of a wrapper goes with each of them; more than so much does not."""


def may_be_wrapped(payload: bytes) -> bool:
    """False where no line of ``payload`` is, or holds, one of these; takes 1 ms for 2 MB."""
    return any(mark in payload for mark in _MARKS)


def are_wrapped(decoded: Decoded, *, in_texts: bool) -> bool:
    """Whether some records may be wrappers, or ``in_texts`` of them; takes next to nothing.

    ``decoded`` without reading text: that is ``message`` then.
    """
    shaped = decoded.shaped
    if shaped is None:
        return any(_has_list(one) or (in_texts and _begins(one)) for one in decoded.records)
    records = [
        *(group.template.record for group in shaped.groups),
        *(table.template.record for table in shaped.tables),
        *shaped.loose.values(),
    ]
    if any(map(_has_list, records)):
        return True
    return in_texts and (
        any(map(_begins, shaped.loose.values())) or any(map(_has_object, shaped.tables))
    )


def _has_list(record: Mapping[str, object]) -> bool:
    return _LOGGED in record or any(name in record for name in _LISTS)


def _has_object(table: ShapedTable) -> bool:
    slot = table.template.record.get("message")
    if not isinstance(slot, int):
        return False
    return bool(pc.any(pc.starts_with(table.columns[slot - 1], "{")).as_py())


def _begins(record: Mapping[str, object]) -> bool:
    text = record.get("message")
    return isinstance(text, str | bytes) and text[:1] in ("{", b"{")


def opened_subscription(value: bytes) -> list[bytes]:
    """The lines of a log group in a whole object; the object itself where it is anything else."""
    if not SUBSCRIBED.match(value):
        return [value]
    try:
        told, lacks = read_object(value)
    except (ValueError, RecursionError):
        return [value]
    found = None if lacks else _logged(told)
    return [value] if found is None else [orjson.dumps(one) for one in found]


def opened_lines(payload: bytes, field: str = "") -> bytes:
    """Lines of JSON, each wrapper's records on lines of their own.

    With a ``field`` the wrapper is what each line's object has there (or the text of one), and the
    rest of the object goes with each of its records.
    """
    if not may_be_wrapped(payload):
        return payload
    return b"\n".join(one for line in payload.split(b"\n") for one in _opened(line, field))


def _opened(line: bytes, field: str) -> Iterator[bytes]:
    if len(line) > RECORD_BYTES or not may_be_wrapped(line):
        yield line
        return
    try:
        told, lacks = read_object(line)
        content = told.get(field) if field else told
        if isinstance(content, str):
            content, inner = read_object(content.encode())
            lacks = lacks or inner
    except (ValueError, RecursionError):  # whoever reads the line says what is wrong with it
        yield line
        return
    own = {name: told.pop(name) for name in _OWN if not field and name in told}
    members = _members(content) if isinstance(content, dict) and not lacks else None
    around = len(line) - len(orjson.dumps(content)) if field else 0
    if members is None or around * len(members) > _MOST_REPEATED_BYTES:
        yield line
        return
    for member in members:
        yield orjson.dumps({**told, field: member} if field else {**own, **member})


def _members(told: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The records, and what stands beside them as one more; None where this is a record itself."""
    if told.get("messageType") == "DATA_MESSAGE":
        return _logged(told)
    name = next(iter(told), "")
    members = told.get(name)
    if name not in _LISTS or not isinstance(members, list):
        return None
    if not members or not all(isinstance(member, dict) for member in members):
        return None
    rest = {key: value for key, value in told.items() if key != name}
    return [*members, rest] if rest else members


def _logged(told: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Each line as those of containers come, with its time and what CloudWatch says about it."""
    events = told.get(_LOGGED)
    if not isinstance(events, list) or not events:
        return None
    about = {name: told[name] for name in told if name not in ("messageType", _LOGGED)}
    if len(orjson.dumps(about)) * len(events) > _MOST_REPEATED_BYTES:
        return None
    found = []
    for event in events:
        if not isinstance(event, dict) or not isinstance(event.get("message"), str):
            return None
        said = {name: event[name] for name in event if name not in ("message", "timestamp")}
        when = {"timestamp": event["timestamp"]} if "timestamp" in event else {}
        found.append({"log": event["message"], **when, "cloudwatch": {**about, **said}})
    return found
