"""Reads events given on a command line: a JSON file, NDJSON, an array, or standard input."""

import sys
from pathlib import Path
from typing import Any

import orjson

from tocsin.cli.output import Exit, fail


def records_of(given: str) -> list[Any] | None:
    """The events of a file, of ``-`` or of JSON itself; None when it is none of these."""
    if given == "-":
        return _parsed(sys.stdin.buffer.read(), "standard input")
    if given.lstrip().startswith(("{", "[")):
        return _parsed(given.encode(), "what was given")
    path = Path(given)
    try:
        return _parsed(path.read_bytes(), given) if path.is_file() else None
    except OSError as error:
        fail(f"{given} can't be read: {error.strerror}", Exit.BAD_CONFIGURATION)


def _parsed(text: bytes, place: str) -> list[Any]:
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        return [
            _line(line, place, number)
            for number, line in enumerate(text.split(b"\n"), 1)
            if line.strip()
        ]
    if isinstance(whole, dict) and isinstance(whole.get("events"), list):
        return list(whole["events"])
    return whole if isinstance(whole, list) else [whole]


def _line(line: bytes, place: str, number: int) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        fail(f"{place}:{number}: not valid JSON: {error}")
