"""How lines of one shape fall into tokens at their quotes: which repeat, which are values."""

import re
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import csv

from tocsin.ingest.columns.decode_templates import kind_of, scalar_in
from tocsin.model.shaped_records import CellKind, Template

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_VALUE = re.compile(b"(" + _STRING.pattern + b":)|" + _STRING.pattern + rb"|-?[0-9][0-9.eE+-]*")
_QUOTE = ord('"')
_DIGIT = re.compile(rb"[0-9]")
_MOST_TOKENS = 1_000
_ANY_SIZE = 1 << 30


@dataclass(frozen=True, slots=True)
class Value:
    """A token that holds a value; a scalar stands between ``before`` and ``after``."""

    token: int
    kind: CellKind
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Tokens:
    """A line cut at its quotes: what repeats, by token, and the values in order."""

    count: int
    repeating: tuple[tuple[int, bytes], ...]
    values: tuple[Value, ...]


def outline_of(line: bytes) -> bytes:
    """A line with a mark in place of each text and number that is a value."""
    return _VALUE.sub(lambda found: found[1] or (b'""' if found[0][0] == _QUOTE else b"0"), line)


def quotes_in(line: bytes) -> list[int]:
    """Where the quotes of the strings in a line are."""
    return [at for found in _STRING.finditer(line) for at in (found.start(), found.end() - 1)]


def tokens_of(line: bytes, quotes: list[int]) -> Tokens:
    """The tokens of a line; raises ValueError where they can't tell what the line says."""
    if not 0 < len(quotes) < _MOST_TOKENS:
        raise ValueError("no strings, or too many")
    cuts = [-1, *quotes, len(line)]
    repeating: list[tuple[int, bytes]] = []
    values: list[Value] = []
    for token in range(len(cuts) - 1):
        begin, end = cuts[token] + 1, cuts[token + 1]
        text = line[begin:end]
        if token % 2:
            if line[end + 1 : end + 2] != b":":
                values.append(Value(token, CellKind.TEXT, b"", b""))
                continue
        else:
            at, stop = scalar_in(line, begin, end) if token else (end, end)
            kind = kind_of(line[at:stop]) if stop > at else None
            if kind is CellKind.JSON:
                raise ValueError("a list between two strings")
            if kind is not None:
                if not line[begin:at] or _DIGIT.search(line[begin:at] + line[stop:end]):
                    raise ValueError("what stands beside a value has digits")
                values.append(Value(token, kind, line[begin:at], line[stop:end]))
                continue
        if not text or b"\\" in text:
            raise ValueError("a name without letters, or with escapes")
        repeating.append((token, text))
    if not values:
        raise ValueError("a line without values")
    return Tokens(len(cuts) - 1, tuple(repeating), tuple(values))


class Layout:
    """The tokens of a shape's lines, its template, and how Arrow's CSV reader is asked for them.

    ``pause`` counts the payloads that are still to be read another way, after one that did not
    keep to the layout.
    """

    def __init__(self, tokens: Tokens, template: Template) -> None:
        self.tokens = tokens
        self.template = template
        self.pause = 0
        self.repeating_bytes = sum(len(text) for _, text in tokens.repeating)
        types = {str(token): pa.binary(len(text)) for token, text in tokens.repeating}
        self.repeating = pa.record_batch(
            [pa.array([text], pa.binary(len(text))) for _, text in tokens.repeating],
            names=[str(token) for token, _ in tokens.repeating],
        )
        types |= {str(value.token): pa.string() for value in tokens.values}
        self.reading = csv.ReadOptions(
            use_threads=False,
            block_size=_ANY_SIZE,
            column_names=[str(token) for token in range(tokens.count)],
        )
        self.conversion = csv.ConvertOptions(
            check_utf8=False,
            column_types=types,
            null_values=[""],
            strings_can_be_null=False,
            include_columns=list(types),
        )
