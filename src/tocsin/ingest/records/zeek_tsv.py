"""Zeek's tab-separated logs into the records its JSON writer would have made."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})|\\\\")
Reader = Callable[[str], Any]


@dataclass(slots=True)
class ZeekHeader:
    """What the lines starting with ``#`` say about the records below them."""

    separator: str = "\t"
    set_separator: str = ","
    empty: str = "(empty)"
    unset: str = "-"
    path: str = ""
    names: list[str] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)

    def take(self, line: str) -> None:
        """Learn from one header line; raises ValueError when it can't be understood."""
        if line.startswith("#separator "):
            self.separator = _unescape_bytes(line.removeprefix("#separator ").strip()) or "\t"
            return
        name, _, value = line.partition(self.separator)
        match name:
            case "#set_separator":
                self.set_separator = value or ","
            case "#empty_field":
                self.empty = value
            case "#unset_field":
                self.unset = value
            case "#path":
                self.path = value
            case "#fields":
                self.names, self.readers = value.split(self.separator), []
            case "#types":
                self.readers = [self._reader(kind) for kind in value.split(self.separator)]

    def record(self, line: str) -> dict[str, Any]:
        """The record in one line, unset fields left out; raises ValueError with the reason."""
        values = line.split(self.separator)
        if not self.names:
            raise ValueError("Zeek record without a #fields header above it")
        if len(values) != len(self.names):
            raise ValueError(f"Zeek record has {len(values)} fields, its header {len(self.names)}")
        readers = self.readers or [self._text] * len(self.names)
        if len(readers) != len(self.names):
            raise ValueError("Zeek header has unequal numbers of #fields and #types")
        record: dict[str, Any] = {"_path": self.path} if self.path else {}
        for name, value, read in zip(self.names, values, readers, strict=True):
            if value != self.unset:
                record[name] = read(value)
        return record

    def _reader(self, kind: str) -> Reader:
        if kind.startswith(("set[", "vector[", "table[")) and kind.endswith("]"):
            inner = self._reader(kind[kind.index("[") + 1 : -1])
            return lambda value: self._members(value, inner)
        match kind:
            case "time":
                return _time
            case "count" | "int" | "port":
                return int
            case "double" | "interval":
                return float
            case "bool":
                return _bool
            case _:
                return self._text

    def _members(self, value: str, read: Reader) -> list[Any]:
        if value == self.empty:
            return []
        members = value.split(self.set_separator)
        return [None if member == self.unset else read(member) for member in members]

    def _text(self, value: str) -> str:
        if value == self.empty:
            return ""
        if "\\" not in value:
            return value
        return _ESCAPED.sub(self._unescape, value)

    def _unescape(self, found: re.Match[str]) -> str:
        """Backslashes, separators and white space become themselves, other bytes stay escaped."""
        if found[1] is None:
            return "\\"
        character = chr(int(found[1], 16))
        is_ours = character in (self.separator, self.set_separator) or character in "-(\b\t\n\f\r"
        return character if is_ours else found[0]


def _unescape_bytes(text: str) -> str:
    found = _ESCAPED.fullmatch(text)
    return chr(int(found[1], 16)) if found and found[1] else text


def _time(value: str) -> str:
    """Epoch seconds (perhaps with an exponent) as ISO 8601, without a float's rounding."""
    try:
        seconds = Decimal(value)
        if abs(seconds) > 1e12:
            raise ValueError("too far away")
        micros = int(seconds.scaleb(6).to_integral_value())
        moment = _EPOCH + timedelta(microseconds=micros)
    except (ArithmeticError, ValueError) as error:
        raise ValueError(f"Zeek time {value[:40]!r} is not one of this calendar") from error
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _bool(value: str) -> bool:
    if value not in ("T", "F"):
        raise ValueError(f"Zeek bool {value!r} is neither T nor F")
    return value == "T"
