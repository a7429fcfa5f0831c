"""Tells from the first bytes of an input how it has to be cut."""

import re
from enum import StrEnum

import orjson

from tocsin.ingest.cutting.evtx_cutter import FILE_MAGIC
from tocsin.ingest.cutting.json_cutter import TO_BRACKET
from tocsin.ingest.cutting.wrapped import MEMBERS, SUBSCRIBED
from tocsin.ingest.records.w3c import is_headed

HEAD_BYTES = 1 << 16
_ARRAY = re.compile(rb"\s*\[\s*[\[{\]]")
_WRAPPED = (_ARRAY, MEMBERS, SUBSCRIBED)
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

    A JSON array, a wrapper of many records, objects with nothing between them and one that goes
    on over its first line are ``JSON``; one object a line is ``LINES``, as is everything else that
    is text.
    """
    if head.startswith(FILE_MAGIC):
        return Shape.EVTX
    if head.startswith((b"#separator ", b"#fields\t")):
        return Shape.ZEEK
    if is_headed(head):
        return Shape.W3C
    if any(one.match(head) for one in _WRAPPED):
        return Shape.JSON
    begun = head.lstrip()
    if begun.startswith(b"{") and (_is_joined(begun) or _is_pretty(begun)):
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
    if not newline or _is_object(first) or _closed_at(first) != 0:
        return False
    second = rest.lstrip().partition(b"\n")[0]
    return not (second.startswith(b"{") and _is_object(second))


def _is_joined(head: bytes) -> bool:
    """True when the next object begins on the line on which the first one ends."""
    end = _closed_at(head)
    return end > 0 and head[end:].lstrip(b" \t").startswith(b"{") and _is_object(head[:end])


def _closed_at(text: bytes) -> int:
    """The byte behind the value that begins ``text``; 0 when it is open at the end, -1 in a string."""
    at = depth = 0
    while True:
        found = TO_BRACKET.match(text, at)
        at = found.end() if found else at
        if at >= len(text):
            return 0
        if text[at] == 0x22:
            return -1
        depth += 1 if text[at] in b"{[" else -1
        at += 1
        if depth <= 0:
            return at


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
