"""The template of a shape: one of its lines read with slots in place of the values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from tocsin.ingest.decode_gaps import LIST, NULL, NUMBER, TRUTH
from tocsin.ingest.decode_shapes import Lines
from tocsin.model.shaped_records import CellKind, Template

Finish = Callable[[dict[str, Any]], dict[str, Any]]
Reader = Callable[[bytes], tuple[dict[str, Any], bool]]
_KINDS = {NUMBER: CellKind.NUMBER, TRUTH: CellKind.TRUTH, LIST: CellKind.JSON}
_REMEMBERED = 8_192


class Templates:
    """Templates by shape, made when a shape is seen for the first time and then remembered.

    ``read`` is the reader of single lines; ``finish`` is what it does to an object after parsing
    it. A template is held to what ``read`` makes of the line it comes from.
    """

    def __init__(self, read: Reader, finish: Finish) -> None:
        self._read = read
        self._finish = finish
        self._known: dict[bytes, Template | None] = {}

    def of(self, lines: Lines, line: int) -> Template | None:
        """The template of the shape of ``line``; None when its lines must be read one by one."""
        key = _shape_bytes(lines, line)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._made(lines, line)
        return self._known[key]

    def _made(self, lines: Lines, line: int) -> Template | None:
        number = lines.strings.lines[line]
        begin, end = int(lines.strings.starts[number]), int(lines.strings.ends[number])
        try:
            record, keeps = self._read(lines.strings.data[begin:end])
            if keeps:
                return None
            text, kinds, offsets, values = _with_slots(lines, line)
            slotted = self._finish(orjson.loads(text))
        except (ValueError, RecursionError, TypeError, AttributeError):
            return None
        if _filled(slotted, values) != record:
            return None
        return Template(slotted, tuple(kinds), tuple(offsets))


def _shape_bytes(lines: Lines, line: int) -> bytes:
    """All that makes the shape, and nothing else."""
    strings, gaps = lines.strings, lines.gaps
    first, count = int(strings.firsts[line]), int(strings.counts[line])
    keys = slice(*np.searchsorted(lines.keys, (first, first + count)).tolist())
    odds = slice(*np.searchsorted(gaps.odd, (first, first + count)).tolist())
    long = np.flatnonzero(lines.key_sizes[keys] > 16)
    names = [_text(lines, int(lines.keys[keys][at])) for at in long.tolist()]
    return b"\0".join(
        (
            b"%d %d %d" % (count, keys.stop - keys.start, odds.stop - odds.start),
            gaps.codes[first : first + count].tobytes(),
            lines.key_sizes[keys].tobytes(),
            lines.key_heads[keys].tobytes(),
            lines.key_tails[keys].tobytes(),
            gaps.before[odds].tobytes(),
            gaps.after[odds].tobytes(),
            *names,
        )
    )


def _text(lines: Lines, string: int) -> bytes:
    strings = lines.strings
    return strings.data[int(strings.opens[string]) + 1 : int(strings.closes[string])]


def _with_slots(lines: Lines, line: int) -> tuple[bytes, list[CellKind], list[int], dict[int, Any]]:
    """The line's JSON with slot numbers as values; kinds, offsets and values of the slots."""
    strings, gaps = lines.strings, lines.gaps
    data = strings.data
    first, count = int(strings.firsts[line]), int(strings.counts[line])
    odd = int(lines.first_odds[line])
    pieces, kinds, offsets = [b"{"], list[CellKind](), list[int]()
    values: dict[int, Any] = {}
    scalars = 0

    def slot(kind: CellKind, offset: int, value: bytes) -> bytes:
        kinds.append(kind)
        offsets.append(offset)
        values[len(kinds)] = orjson.loads(value)
        return b"%d" % len(kinds)

    number = strings.lines[line]
    for at in range(count):
        string = first + at
        begin, end = int(strings.opens[string]), int(strings.closes[string]) + 1
        whole = data[begin:end]
        pieces.append(whole if gaps.is_key[string] else slot(CellKind.TEXT, at, whole))
        last = at + 1 == count
        stop = int(strings.ends[number]) if last else int(strings.opens[string + 1])
        if odd == len(gaps.odd) or gaps.odd[odd] != string:
            pieces.append(data[end:stop])
            continue
        kind, value_at, value_end = int(gaps.kinds[odd]), int(gaps.begins[odd]), int(gaps.ends[odd])
        odd += 1
        pieces.append(data[end:value_at])
        if kind == NULL:
            pieces.append(b"null")
        elif kind:
            pieces.append(slot(_KINDS[kind], scalars, data[value_at:value_end]))
            scalars += 1
        rest = data[value_end:stop]
        if rest.strip(b"{}[],: "):
            raise ValueError("several values between two strings")
        pieces.append(rest)
    return b"".join(pieces), kinds, offsets, values


def _filled(node: Any, values: dict[int, Any]) -> Any:
    if isinstance(node, dict):
        return {name: _filled(inner, values) for name, inner in node.items()}
    if isinstance(node, list):
        return [_filled(inner, values) for inner in node]
    return values[node] if type(node) is int else node
