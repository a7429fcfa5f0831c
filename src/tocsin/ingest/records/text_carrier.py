"""An object that only wraps a line of text, as shippers and queues send it: the line read, the rest kept."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from tocsin.ingest.records.carried import finish_object
from tocsin.ingest.records.envelope import Reader, Reading, with_envelope
from tocsin.ingest.records.json_line import read_object

ELASTIC, SHIPPER = "elastic", "shipper"
"""Where what is said about a line of text is kept: of an Elastic document, and of any other object."""
_TEXTS = ("message", "log", "Message")
"""Fields that hold the line, the first one there is."""
# What is added to a line. An object with any other field means something by itself.
_ADDED = frozenset(
    {
        # Elastic's Beats, Agent and Logstash
        *("@timestamp", "@version", "@metadata", "message", "tags", "fields", "labels", "_id"),
        *("host", "agent", "beat", "ecs", "log", "input", "prospector", "source", "offset"),
        *("fileset", "service", "event", "file", "path", "type", "stream", "data_stream"),
        *("cloud", "container", "docker", "kubernetes", "orchestrator", "journald"),
        # Docker's json-file, Fluent Bit, Fluentd, Vector
        *("time", "date", "timestamp", "attrs", "logtag", "_p", "tag", "hostname"),
        *("source_type", "container_id", "container_name", "filename", "filepath"),
        # Amazon's notifications (SNS), and what a subscription to CloudWatch's logs says
        *("Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp"),
        *("SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL"),
        *("MessageAttributes", "cloudwatch"),
        "loki",
    }
)
_ABOUT_EVENT = frozenset({"module", "dataset", "original", "timezone", "created", "ingested"})
_PUSHED = frozenset({"message", "subscription", "deliveryAttempt"})
"""What Google's Pub/Sub posts; the text is in ``message.data``, in base64."""


def carrier_reader(read_line: Reader, name: str) -> Reader:
    """A reader of objects, one a line, of which some carry a text for ``read_line``.

    The rest of those is kept under ``name``. Where the text is a record of no known format, and is
    in ``message`` already, the object stays as it is.
    """

    def read(line: bytes) -> Reading:
        document, keeps = read_object(line)
        record, repeats = opened(document, read_line, name)
        return record, keeps or repeats

    return read


def opened(document: dict[str, Any], read_line: Reader, name: str) -> Reading:
    """What ``carrier_reader`` makes of an object."""
    text, rest = _opened(document)
    if text is None:
        return finish_object(document), False
    try:
        record, repeats = read_line(text.rstrip("\r\n").encode("utf-8", "replace"))
    except (ValueError, RecursionError):  # looks like JSON, and is not
        return document, False
    if record.keys() <= {"message"} and isinstance(document.get("message"), str):
        return document, False
    return with_envelope(record, name, rest), repeats


def read_content(content: Any, read_line: Reader) -> Reading:
    """The record a protocol carries: an object's fields, or what its text is read as.

    ``read_line`` reads text as if it had come as a line of its own. Another value becomes
    ``message``.
    """
    if isinstance(content, dict):
        return opened(dict(content), read_line, SHIPPER)
    if isinstance(content, str):
        text = content.rstrip("\r\n")
        try:
            return read_line(text.encode("utf-8", "replace"))
        except (ValueError, RecursionError):  # looks like JSON, and is not
            return {"message": text}, False
    return {"message": content}, False


def read_whole(line: bytes) -> Reading:
    """The same for objects that mean something by themselves."""
    document, keeps = read_object(line)
    return open_document(document), keeps


def open_document(document: dict[str, Any]) -> dict[str, Any]:
    """The fields of an object; raises ValueError when its text has to be read first."""
    if _field_of(document) or _is_pushed(document):
        raise ValueError("the object carries a line of text")
    return finish_object(document)


def _opened(document: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """The text that is all there is to an object, and what is said about it."""
    if _is_pushed(document):
        message = document["message"]
        try:
            pushed = base64.b64decode(message["data"], validate=True).decode()
        except (binascii.Error, ValueError, TypeError):
            return None, {}
        told = {name: value for name, value in message.items() if name != "data"}
        return pushed, {**document, "message": told}
    name = _field_of(document)
    text: Any = document[name] if name else None
    rest = {key: value for key, value in document.items() if key != name}
    return (text, rest) if isinstance(text, str) else (None, {})


def _field_of(document: Mapping[str, Any]) -> str:
    """The field whose text is all there is to an object; empty where there is more."""
    name = next((one for one in _TEXTS if one in document), "")
    if not name or not document.keys() <= _ADDED:
        return ""
    event = document.get("event")
    is_said = event is None or (isinstance(event, dict) and event.keys() <= _ABOUT_EVENT)
    return name if is_said else ""


def _is_pushed(document: Mapping[str, Any]) -> bool:
    message = document.get("message")
    return (
        isinstance(message, dict)
        and "data" in message
        and "subscription" in document
        and document.keys() <= _PUSHED
    )
