"""What a line of text, or a syslog message, carries when that is a record in a format of its own."""

from typing import Any

from tocsin.ingest.records.audit_line import read_audit
from tocsin.ingest.records.event_format import mends_tag, read_event
from tocsin.ingest.records.gelf import flatten_gelf, is_gelf
from tocsin.ingest.records.journal import (
    flatten_journal,
    flatten_parsed_syslog,
    is_journal,
    is_parsed_syslog,
)
from tocsin.ingest.records.json_line import read_object
from tocsin.ingest.records.key_value import read_pairs
from tocsin.ingest.records.windows_event import flatten_event

Reading = tuple[dict[str, Any], bool]


def finish_object(record: dict[str, Any]) -> dict[str, Any]:
    """A JSON object as the mappings want it: without the wrapping of Windows events, journal, GELF."""
    if "Event" in record:
        return flatten_event(record) or record
    if is_journal(record):
        return flatten_journal(record)
    if is_parsed_syslog(record):
        return flatten_parsed_syslog(record)
    return flatten_gelf(record) if is_gelf(record) else record


def read_text(text: str) -> Reading:
    """The record in text that is no syslog; ``message`` is all of it when it is none known."""
    return _body(text) or ({"message": text}, False)


def read_carried(fields: dict[str, Any], keeps: bool) -> Reading:
    """The record in a syslog message, its header under ``syslog``; else the header's fields.

    Formats are JSON (also behind ``@cee:``), audit records, CEF, LEEF and key=value.
    """
    program = fields.get("program")
    message = f"{program}:{fields['message']}" if mends_tag(program) else fields["message"]
    found = _body(message)
    if found is None:
        return fields, keeps
    record, repeats = found
    del fields["message"]
    if mends_tag(program):
        del fields["program"]
    if fields:
        record["syslog" if "syslog" not in record else "syslog_header"] = fields
    return record, keeps or repeats


def _body(text: str) -> Reading | None:
    body = text.removeprefix("@cee:").lstrip()
    first = body[:1]
    if first == "{":
        try:
            record, repeats = read_object(body.encode())
        except ValueError:
            return None
        return finish_object(record), repeats
    if "audit(" in text and (audit := read_audit(text)):
        return audit
    if first in "CL" and (event := read_event(body)):
        return event
    return read_pairs(body) if "=" in body else None
