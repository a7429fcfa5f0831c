"""Tells from the first bytes of an input how it has to be cut."""

import re
from enum import StrEnum

import orjson

from tocsin.ingest.cutting.evtx_cutter import FILE_MAGIC
from tocsin.ingest.cutting.json_cutter import TO_BRACKET
from tocsin.ingest.records.w3c import is_headed

HEAD_BYTES = 1 << 16
_WRAPPED = re.compile(rb'\s*(?:\[\s*[\[{\]]|\{\s*"Records"\s*:\s*\[)')
_CONTROL = bytes(set(range(32)) - set(b"\t\n\x0b\x0c\r\x1b\x1d"))


class Shape(StrEnum):
    """How an input is cut."""

    EVTX = "evtx"
    ZEEK = "zeek"
    W3C = "w3c"
    JSON = "json"
    LINES = "lines"
    BINARY = "binary"


def recognize(head: bytes) -> Shape:
    """The shape of an input that begins with ``head`` (without a byte order mark).

    A JSON array, ``{"Records": [`` and an object that goes on over its first line are ``JSON``;
    one object a line is ``LINES``, as is everything else that is text.
    """
    if head.startswith(FILE_MAGIC):
        return Shape.EVTX
    if head.startswith((b"#separator ", b"#fields\t")):
        return Shape.ZEEK
    if is_headed(head):
        return Shape.W3C
    if _WRAPPED.match(head) or _is_pretty(head.lstrip()):
        return Shape.JSON
    return Shape.BINARY if _is_binary(head[:4096]) else Shape.LINES


def _is_binary(sample: bytes) -> bool:
    """Nearly a third control characters; or some, and much that is no UTF-8 either."""
    control = len(sample) - len(sample.translate(None, _CONTROL))
    if control > 0.3 * len(sample):
        return True
    text = sample.decode("utf-8", "replace")
    return control > 0.05 * len(sample) and text.count("\ufffd") > 0.2 * len(text)


def _is_pretty(head: bytes) -> bool:
    """True when an object begins in the first line and is still open at its end."""
    first, newline, rest = head.partition(b"\n")
    if not newline or not first.startswith(b"{") or _is_object(first) or not _is_open(first):
        return False
    second = rest.lstrip().partition(b"\n")[0]
    return not (second.startswith(b"{") and _is_object(second))


def _is_open(line: bytes) -> bool:
    """True when brackets are open at the end of the line and no string is."""
    at = depth = 0
    while True:
        found = TO_BRACKET.match(line, at)
        at = found.end() if found else at
        if at >= len(line):
            return depth > 0
        if line[at] == 0x22:
            return False
        depth += 1 if line[at] in b"{[" else -1
        at += 1


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
