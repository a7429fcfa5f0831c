"""The words of an EQL query (Elastic's Event Query Language), each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tocsin.detect.errors import Unsupported

_TOKENS: Final = re.compile(
    r"""
    (?P<blank>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<raw>\"\"\".*?\"\"\"+)
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<span>\d+(?:ms|s|m|h|d)\b)
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<word>\??(?:[A-Za-z_@][\w@]*|`[^`|\n]+`)(?:\.(?:[A-Za-z_@0-9][\w@-]*|`[^`|\n]+`))*~?)
  | (?P<sign>==|!=|<=|>=|[\[\](),:<>|!=+*/%-])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "'": "'"}


class EqlRefused(Unsupported):
    """What of a query can't be carried over, and where: ``line`` and ``column`` count from 1."""

    def __init__(self, reason: str, text: str, at: int) -> None:
        line = text.count("\n", 0, at) + 1
        column = at - (text.rfind("\n", 0, at) + 1) + 1
        super().__init__(f"line {line}, column {column}: {reason}", line=line)
        self.column = column


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is raw, string, span, number, word, sign or end; ``value`` its text or meaning."""

    kind: str
    value: str
    at: int


def tokens_of(text: str) -> Iterator[Token]:
    """The tokens of a query and an ``end``. Raises ``EqlRefused``."""
    at = 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise EqlRefused(f"{text[at]!r} is not understood here", text, at)
        kind, value = match.lastgroup or "", match.group()
        if kind == "raw":
            yield Token("string", value[3:-3], at)
        elif kind == "string":
            yield Token("string", _unescaped(value[1:-1], text, at), at)
        elif kind == "word":
            yield Token("word", value.replace("`", ""), at)
        elif kind != "blank":
            yield Token(kind, value, at)
        at = match.end()
    yield Token("end", "the end", len(text))


def _unescaped(inside: str, text: str, at: int) -> str:
    def meant(match: re.Match[str]) -> str:
        code, character = match.groups()
        if code:
            number = int(code, 16)
            found = chr(number) if number < 0xD800 or 0xE000 <= number <= 0x10FFFF else None
        else:
            found = _ESCAPES.get(character)
        if found is None:
            raise EqlRefused(f"escape {match[0]} is not known", text, at)
        return found

    return re.sub(r"\\(?:u\{([0-9a-fA-F]{2,8})\}|(.))", meant, inside)
