"""A payload of text lines as columns: syslog and plain messages without a dict a line.

What is read here is what the reader of single lines would read (``decode``), column by column;
every line that is not plain, or whose message may hold a format of its own, is left to it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.decode_lazy import LazyLines
from tocsin.ingest.decode_lines import Numbers
from tocsin.ingest.decode_rejoined import rejoined
from tocsin.ingest.decode_templates import Reader
from tocsin.ingest.syslog_escape import unescape
from tocsin.ingest.text_columns import Column, flags_of, matches
from tocsin.ingest.text_headers import NUMBERS, Headed, read_headers
from tocsin.ingest.text_lines import TextLines, find_lines
from tocsin.ingest.text_pairs import read_pairs_of
from tocsin.model.record import Decoded
from tocsin.model.shaped_records import CellKind, ShapedTable, Template

FEWEST_BYTES = 24 << 10
"""Below this a payload is faster read line by line."""
FEWEST_ALIKE = 32
"""Fewer lines with the same fields are left: columns of them cost more than they save."""
_LARGEST = 1 << 30
_AUDIT = b"audit("
# JSON, CEF and LEEF have readers of their own (``carried``).
_PAIRED = r"^[A-Za-z_][\w.\-/@]{0,99}=[^\s=]"
_CARRIES = r"^(?:[{@ ]|CEF:|LEEF:|[A-Za-z_][\w.\-/@]*=[^\s=])"


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Lines with the same fields, and a column for each."""

    template: Template
    lines: Numbers
    columns: tuple[Column, ...]


def worth_columns(payload: bytes) -> bool:
    """True when columns pay."""
    return FEWEST_BYTES <= len(payload) <= _LARGEST


class TextColumns:
    """The lines of a payload that were read as columns, and which were not."""

    def __init__(self, payload: bytes, received_at: datetime, *, is_escaped: bool) -> None:
        self._lines = find_lines(payload, is_escaped=is_escaped)
        self._is_escaped = is_escaped and b"\\" in payload
        self._tables = [
            table for table in _tables(self._lines, received_at) if len(table.lines) >= FEWEST_ALIKE
        ]
        self._is_left = np.ones(len(self._lines.starts), np.bool_)
        for table in self._tables:
            self._is_left[table.lines] = False

    def left(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are in no table, with their number in the payload."""
        lines = self._lines
        for line in np.flatnonzero(self._is_left).tolist():
            whole = lines.payload[lines.starts[line] : lines.newlines[line]]
            yield line, unescape(whole) if self._is_escaped else whole

    def with_left(self, left: Decoded, read: Reader) -> Decoded:
        """All records in order of their lines; ``left`` are those read one by one."""
        lines, placed = self._lines, rejoined(self._is_left, left)
        starts, ends = lines.starts[placed.ordinals], lines.ends[placed.ordinals]
        texts = LazyLines(lines.payload, starts, ends)
        kept: Sequence[bytes] = texts
        if self._is_escaped:
            unescaped = dict(zip(placed.loose, left.lines, strict=True))
            kept = [unescaped.get(row, text) for row, text in enumerate(texts)]
        tables = [
            ShapedTable(one.template, placed.row_of[one.lines], one.columns, is_escaped=False)
            for one in self._tables
        ]
        return placed.decoded(kept, read, tables=tables)


def _tables(lines: TextLines, received_at: datetime) -> Iterator[_Table]:
    for headed in read_headers(lines, received_at):
        if len(headed.lines):
            yield from _carried(lines, headed)


def _carried(lines: TextLines, headed: Headed) -> Iterator[_Table]:
    """What the messages of lines hold: pairs, or nothing but text."""
    messages = lines.texts(headed.lines, headed.begins)
    is_text = ~matches(messages, _CARRIES)
    is_paired = ~is_text
    is_paired[is_paired] = matches(messages.filter(is_paired), _PAIRED)
    if _AUDIT in lines.payload:
        whole = lines.texts(headed.lines, lines.starts[headed.lines])
        is_plain = ~flags_of(pc.match_substring(whole, _AUDIT))
        is_text &= is_plain
        is_paired &= is_plain
    if is_text.any():
        mine = headed.of(is_text)
        kept = messages if is_text.all() else messages.filter(is_text)
        columns = (*mine.fields.values(), kept)
        yield _Table(_flat((*mine.fields, "message")), mine.lines, columns)
    if is_paired.any():
        yield from _paired(headed.of(is_paired), messages.filter(is_paired))


def _paired(headed: Headed, messages: Column) -> Iterator[_Table]:
    for found in read_pairs_of(messages, FEWEST_ALIKE):
        taken = pa.array(found.texts)
        header = [column.take(taken) for column in headed.fields.values()]
        template = _nested(tuple(found.values), tuple(headed.fields))
        yield _Table(template, headed.lines[found.texts], (*found.values.values(), *header))


# A template is the same object wherever its fields come again.
@lru_cache(maxsize=1024)
def _flat(names: tuple[str, ...]) -> Template:
    return _template(dict(zip(names, count(1), strict=False)), [name in NUMBERS for name in names])


@lru_cache(maxsize=4096)
def _nested(names: tuple[str, ...], header: tuple[str, ...]) -> Template:
    """The fields of a message, and beside them those of its header as ``carried`` puts them."""
    record: dict[str, object] = dict(zip(names, count(1), strict=False))
    if header:
        place = "syslog" if "syslog" not in record else "syslog_header"
        record[place] = dict(zip(header, count(len(names) + 1), strict=False))
    return _template(record, [False] * len(names) + [name in NUMBERS for name in header])


def _template(record: dict[str, object], are_numbers: Sequence[bool]) -> Template:
    kinds = tuple(CellKind.NUMBER if one else CellKind.TEXT for one in are_numbers)
    return Template(record, kinds, tuple(range(len(kinds))))
