"""One event of Splunk's HTTP Event Collector: its envelope opened, its event read."""

from typing import Any

from tocsin.ingest.records.envelope import Reader, Reading, with_envelope
from tocsin.ingest.records.json_line import read_object
from tocsin.ingest.records.text_carrier import open_document, read_content

ENVELOPE = "hec"
"""Where ``time``, ``host``, ``source``, ``sourcetype``, ``index`` and ``fields`` are kept."""


class HecFault(ValueError):
    """An event that can't be taken; ``code`` is the one Splunk documents for it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


NOT_JSON, NO_EVENT, BLANK_EVENT, BAD_FIELDS = 6, 12, 13, 15


def hec_reader(read_line: Reader) -> Reader:
    """A reader of envelopes, one JSON object each; ``read_line`` reads events that are text."""

    def read(line: bytes) -> Reading:
        envelope, keeps = _envelope_in(line)
        record, repeats = opened_event(envelope, read_line)
        return record, keeps or repeats

    return read


def opened_event(envelope: dict[str, Any], read_line: Reader) -> Reading:
    """What ``hec_reader`` makes of an envelope; raises HecFault."""
    record, keeps = read_content(_checked(envelope), read_line)
    return with_envelope(record, ENVELOPE, _rest_of(envelope)), keeps


def read_object_event(line: bytes) -> Reading:
    """The same for events that are objects only, which whole shapes of lines are read by."""
    envelope, keeps = _envelope_in(line)
    return open_envelope(envelope), keeps


def open_envelope(envelope: dict[str, Any]) -> dict[str, Any]:
    """The fields of an event that is an object, with what was said about it; raises ValueError."""
    event = _checked(envelope)
    if not isinstance(event, dict):
        raise HecFault(NOT_JSON, "the event is no object")
    return with_envelope(open_document(dict(event)), ENVELOPE, _rest_of(envelope))


def _envelope_in(line: bytes) -> Reading:
    try:
        return read_object(line)
    except ValueError as error:
        raise HecFault(NOT_JSON, f"no HEC event: {error}") from None


def _checked(envelope: dict[str, Any]) -> Any:
    event = envelope.get("event")
    if event is None:
        raise HecFault(NO_EVENT, "no HEC event: the key 'event' is missing")
    if isinstance(event, str) and not event.strip():
        raise HecFault(BLANK_EVENT, "no HEC event: 'event' is blank")
    fields = envelope.get("fields")
    if fields is not None and not _is_flat(fields):
        raise HecFault(BAD_FIELDS, "'fields' must be an object of plain values or lists of them")
    return event


def _is_flat(fields: Any) -> bool:
    if not isinstance(fields, dict):
        return False
    return not any(
        isinstance(value, dict)
        or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value))
        for value in fields.values()
    )


def _rest_of(envelope: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in envelope.items() if name != "event" and value is not None
    }
