"""What Grafana's agents push in protobuf: Loki's ``PushRequest``, as its JSON encoding has it."""

import re
from typing import Any

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from tocsin.ingest.bodies.loki_body import LokiFault

_LABELS = re.compile(r'\s*([^\s={},"]+)\s*=\s*("(?:[^"\\]|\\.)*")\s*(?:,|(?=\}))')
_PACKAGE = "tocsin.loki"
_TEXT, _LONG, _INT, _MESSAGE = 9, 3, 5, 11
"""Types of fields, as descriptor.proto numbers them."""
# Name, number, type and message of the fields of each message (Loki's push.proto); repeated "*".
_MESSAGES: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "Push": (("streams*", 1, _MESSAGE, "Stream"),),
    "Stream": (("labels", 1, _TEXT, ""), ("entries*", 2, _MESSAGE, "Entry")),
    "Entry": (
        ("timestamp", 1, _MESSAGE, "Moment"),
        ("line", 2, _TEXT, ""),
        ("metadata*", 3, _MESSAGE, "Label"),
    ),
    "Moment": (("seconds", 1, _LONG, ""), ("nanos", 2, _INT, "")),
    "Label": (("name", 1, _TEXT, ""), ("value", 2, _TEXT, "")),
}


def _request() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="tocsin/loki.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, inner in fields:
            message.field.add(
                name=field.removesuffix("*"),
                number=number,
                type=kind,
                label=3 if field.endswith("*") else 1,
                type_name=f".{_PACKAGE}.{inner}" if inner else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Push"))


_Push = _request()


def push_in_protobuf(body: bytes) -> dict[str, Any]:
    """The request as ``{"streams": [{"stream": {…}, "values": [[ns, line, {…}], …]}]}``.

    Raises LokiFault.
    """
    request = _Push()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise LokiFault(f"the body is no PushRequest in protobuf: {error}") from error
    return {
        "streams": [
            {
                "stream": labels_in(stream.labels),
                "values": [
                    [
                        entry.timestamp.seconds * 1_000_000_000 + entry.timestamp.nanos,
                        entry.line,
                        {pair.name: pair.value for pair in entry.metadata},
                    ]
                    for entry in stream.entries
                ],
            }
            for stream in request.streams
        ]
    }


def labels_in(text: str) -> dict[str, str]:
    """The labels of ``{job="varlogs", host="web1"}``; what is not written so is one of this name."""
    found: dict[str, str] = {}
    at = 1
    while text.startswith("{") and (pair := _LABELS.match(text, at)):
        found[pair[1]] = _unquoted(pair[2])
        at = pair.end()
    is_whole = text.startswith("{") and text[at:].strip() == "}"
    return found if is_whole or not text.strip() else {"labels": text}


def _unquoted(text: str) -> str:
    """A text as Go quotes it; most escapes are JSON's."""
    try:
        return str(orjson.loads(text))
    except orjson.JSONDecodeError:
        return text[1:-1]
