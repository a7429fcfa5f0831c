"""A document as Elastic's senders index it; one that only wraps a line of text is unwrapped."""

from typing import Any

from tocsin.ingest.records.carried import finish_object
from tocsin.ingest.records.envelope import Reader, Reading, with_envelope
from tocsin.ingest.records.json_line import read_object

ENVELOPE = "elastic"
"""Where what a shipper says about a line of text is kept."""
# What shippers add to a line. A document with any other field means something by itself.
_SHIPPERS = frozenset(
    {
        *("@timestamp", "@version", "@metadata", "message", "tags", "fields", "labels", "_id"),
        *("host", "agent", "beat", "ecs", "log", "input", "prospector", "source", "offset"),
        *("fileset", "service", "event", "file", "path", "type", "stream", "data_stream"),
        *("cloud", "container", "docker", "kubernetes", "orchestrator", "journald"),
    }
)
_ABOUT_EVENT = frozenset({"module", "dataset", "original", "timezone", "created", "ingested"})


def carries_text(document: dict[str, Any]) -> bool:
    """True when all there is to a document is the text in ``message``."""
    if "message" not in document or not document.keys() <= _SHIPPERS:
        return False
    event = document.get("event")
    return event is None or (isinstance(event, dict) and event.keys() <= _ABOUT_EVENT)


def document_reader(read_line: Reader) -> Reader:
    """A reader of documents, one JSON object a line; ``read_line`` reads the text in them."""

    def read(line: bytes) -> Reading:
        document, keeps = read_object(line)
        if not carries_text(document) or not isinstance(document["message"], str):
            return finish_object(document), keeps
        text = document["message"].rstrip("\r\n")
        try:
            record, repeats = read_line(text.encode("utf-8", "replace"))
        except (ValueError, RecursionError):  # looks like JSON, and is not
            return document, keeps
        if record.keys() <= {"message"}:
            return document, keeps
        rest = {name: value for name, value in document.items() if name != "message"}
        return with_envelope(record, ENVELOPE, rest), keeps or repeats

    return read


def read_whole(line: bytes) -> Reading:
    """The same for documents that mean something by themselves."""
    document, keeps = read_object(line)
    return open_document(document), keeps


def open_document(document: dict[str, Any]) -> dict[str, Any]:
    """The fields of a document; raises ValueError when its text has to be read first."""
    if carries_text(document):
        raise ValueError("the document carries a line of text")
    return finish_object(document)
