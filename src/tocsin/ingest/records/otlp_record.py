"""One record of OpenTelemetry's: its body read, what is said about it kept beside."""

from typing import Any

from tocsin.ingest.records.envelope import Reader, Reading, with_envelope
from tocsin.ingest.records.json_line import read_object
from tocsin.ingest.records.text_carrier import open_document, read_content

ENVELOPE = "otel"


def otlp_reader(read_line: Reader) -> Reader:
    """A reader of ``{"body": …, "otel": …}``; ``read_line`` reads bodies that are text."""

    def read(line: bytes) -> Reading:
        told, keeps = _told_in(line)
        record, repeats = opened_record(told, read_line)
        return record, keeps or repeats

    return read


def opened_record(told: dict[str, Any], read_line: Reader) -> Reading:
    """What ``otlp_reader`` makes of a line's object."""
    body = told.get("body")
    record, keeps = ({}, False) if body is None else read_content(body, read_line)
    return with_envelope(record, ENVELOPE, told["otel"]), keeps


def read_object_body(line: bytes) -> Reading:
    """The same for bodies that are objects only, which whole shapes of lines are read by."""
    told, keeps = _told_in(line)
    return open_record(told), keeps


def open_record(told: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body that is an object; raises ValueError for another."""
    body = told.get("body")
    if not isinstance(body, dict) or not isinstance(told.get("otel"), dict):
        raise ValueError("the body is no object")
    return with_envelope(open_document(dict(body)), ENVELOPE, told["otel"])


def _told_in(line: bytes) -> Reading:
    told, keeps = read_object(line)
    if "refused" in told:
        raise ValueError(f"not as OTLP has it: {told.get('reason')}")
    if not isinstance(told.get("otel"), dict):
        raise ValueError("no record of OTLP: body and otel are expected")
    return told, keeps
