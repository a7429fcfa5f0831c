"""One JSON object from one line: strict first, then forgiving about what senders get wrong."""

import json
import re
from typing import Any

import orjson

from tocsin.ingest.limits import RECORD_BYTES, RECORD_DEPTH

# What makes the cheap key count untrustworthy: blanks between a key and its colon, or a key that
# ends in a backslash.
_DOUBTFUL = (b'" ', b'"\t', b'"\r', b'\\\\"')
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_LONE_SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def read_object(line: bytes) -> tuple[dict[str, Any], bool]:
    """The object in ``line`` and whether its bytes must be kept because the object lacks some.

    Bytes must be kept when a key repeats (the last one wins), invalid UTF-8 or half a surrogate
    pair was replaced, or raw control characters were let through. Raises ValueError with the
    reason when there is no JSON object or it is nested too deeply.
    """
    if line.count(b"{") + line.count(b"[") > RECORD_DEPTH and _depth(line) > RECORD_DEPTH:
        raise ValueError(f"JSON nested deeper than {RECORD_DEPTH} levels")
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return _read_forgiving(line, error), True
    if type(found) is not dict:
        raise ValueError("JSON, but not an object")
    return found, _repeats_a_key(line, found)


def is_plain_object(line: bytes) -> bool:
    """True when ``read_object`` reads the line without further ado; quicker than reading it."""
    if line[:1] != b"{" or len(line) > RECORD_BYTES:
        return False
    if line.count(b"{") + line.count(b"[") > RECORD_DEPTH:
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _read_forgiving(line: bytes, reason: ValueError) -> dict[str, Any]:
    text = line.decode("utf-8", "replace").strip("\0")
    text = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    text = _LONE_SURROGATE.sub(r"\\ufffd", text)
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError(f"not JSON: {reason}") from None
    if type(found) is not dict:
        raise ValueError("JSON, but not an object")
    return found


def _repeats_a_key(line: bytes, record: dict[str, Any]) -> bool:
    keys, levels = len(record), [record.values()]
    while levels:
        for value in levels.pop():
            kind = type(value)
            if kind is dict:
                keys += len(value)
                levels.append(value.values())
            elif kind is list:
                levels.append(value)
    if line.count(b'":') - line.count(b'\\":') == keys and not any(
        doubt in line for doubt in _DOUBTFUL
    ):
        return False
    return _repeats_a_key_for_sure(line)


def _repeats_a_key_for_sure(line: bytes) -> bool:
    repeated = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal repeated
        repeated = repeated or len({name for name, _ in pairs}) != len(pairs)

    try:
        json.loads(line, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return True
    return repeated


_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)


def _depth(line: bytes) -> int:
    depth = deepest = 0
    for found in _BRACKET.finditer(line):
        mark = line[found.start()]
        if mark in b"{[":
            depth += 1
            if depth > deepest:
                deepest = depth
                if deepest > RECORD_DEPTH:
                    break
        elif mark in b"}]":
            depth -= 1
    return deepest
