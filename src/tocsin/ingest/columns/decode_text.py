"""A payload of text lines as columns: syslog and plain messages without a dict a line.

What is read here is what the reader of single lines would read (``decode``), column by column;
every line that is not plain, or whose message may hold a format of its own, is left to it.
"""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lazy import LazyLines
from tocsin.ingest.columns.decode_rejoined import LineTable, rejoined
from tocsin.ingest.columns.decode_shapes import Templates
from tocsin.ingest.columns.decode_templates import Reader
from tocsin.ingest.columns.text_audit import read_audits
from tocsin.ingest.columns.text_cef import read_cefs
from tocsin.ingest.columns.text_columns import Column, flags_of, matches
from tocsin.ingest.columns.text_header_parts import NUMBERS, Headed
from tocsin.ingest.columns.text_headers import read_headers
from tocsin.ingest.columns.text_leef import read_leefs
from tocsin.ingest.columns.text_lines import TextLines, find_lines
from tocsin.ingest.columns.text_objects import OBJECT, read_objects
from tocsin.ingest.columns.text_pairs import read_pairs_of
from tocsin.ingest.columns.text_tables import flat_template, table_of
from tocsin.ingest.syslog.syslog_escape import unescape_all
from tocsin.model.record import Decoded

FEWEST_BYTES = 24 << 10
"""Below this a payload is faster read line by line."""
FEWEST_ALIKE = 32
"""Fewer lines with the same fields are left: columns of them cost more than they save."""
_LARGEST = 1 << 30
_AUDIT, _CEF, _LEEF = b"audit(", b"CEF:", b"LEEF:"
_PAIRED = r"^[A-Za-z_][\w.\-/@]{0,99}=[^\s=]"
_SENTENCE = r"^[^\"]* [^=\" ]+(?: |$)"
"""Words among pairs: then it is no record of pairs."""
_ODDLY_CARRIES = r"^(?:[^!-~]|[A-Za-z_@][^ =]*=)"
"""What may be something else than text where letters are not of ASCII alone."""
_CARRIES = r"^(?:[{@ ]|CEF:|LEEF:|[A-Za-z_][\w.\-/@]*=[^\s=])"


def worth_columns(payload: bytes) -> bool:
    """True when columns pay."""
    return FEWEST_BYTES <= len(payload) <= _LARGEST


class TextColumns:
    """The lines of a payload that were read as columns, and which were not."""

    def __init__(
        self,
        payload: bytes,
        received_at: datetime,
        objects: Templates,
        *,
        is_escaped: bool,
        with_bare_objects: bool = True,
    ) -> None:
        """``objects`` are the shapes of JSON that lines may hold, or be where that is asked."""
        self._apart: dict[int, bytes] = {}
        if is_escaped:
            payload, self._apart = unescape_all(payload)
        self._lines = find_lines(payload, self._apart)
        self._tables = list(_bare_objects(self._lines, objects) if with_bare_objects else ())
        self._tables += _tables(self._lines, received_at, objects)
        self._is_left = np.ones(len(self._lines.starts), np.bool_)
        for table in self._tables:
            self._is_left[table.lines] = False

    def left(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are in no table, with their number in the payload."""
        lines = self._lines
        for line in np.flatnonzero(self._is_left).tolist():
            whole = self._apart.get(line)
            if whole is None:
                whole = lines.payload[lines.starts[line] : lines.newlines[line]]
            yield line, whole

    def with_left(self, left: Decoded, read: Reader) -> Decoded:
        """All records in order of their lines; ``left`` are those read one by one."""
        lines, placed = self._lines, rejoined(self._is_left, left)
        starts, ends = lines.starts[placed.ordinals], lines.ends[placed.ordinals]
        payload = lines.payload
        if self._apart:
            apart = [
                (row, line)
                for row, line, ordinal in zip(placed.loose, left.lines, left.ordinals, strict=True)
                if ordinal in self._apart
            ]
            sizes = np.array([len(line) for _, line in apart], np.int64)
            rows = [row for row, _ in apart]
            ends[rows] = len(payload) + np.cumsum(sizes)
            starts[rows] = ends[rows] - sizes
            payload = b"".join((payload, *(line for _, line in apart)))
        tables = [one.placed(placed.row_of) for one in self._tables]
        return placed.decoded(LazyLines(payload, starts, ends), read, tables=tables)


def _bare_objects(lines: TextLines, objects: Templates) -> Iterator[LineTable]:
    if len(lines.objects):
        bare = Headed(lines.objects, {}, lines.starts[lines.objects])
        texts = lines.texts(bare.lines, bare.begins)
        yield from read_objects(bare, texts, objects, FEWEST_BYTES)


def _tables(lines: TextLines, received_at: datetime, objects: Templates) -> Iterator[LineTable]:
    for headed in read_headers(lines, received_at, FEWEST_ALIKE):
        if len(headed.lines):
            yield from _carried(lines, headed, objects)


def _carried(lines: TextLines, headed: Headed, objects: Templates) -> Iterator[LineTable]:
    """What the messages of lines hold: objects, pairs, or nothing but text."""
    messages = lines.texts(headed.lines, headed.begins)
    is_mixed = lines.is_mixed[headed.lines]
    is_text = ~matches(messages, _CARRIES)
    is_object = ~is_text
    is_object[is_object] = matches(messages.filter(is_object), OBJECT)
    is_paired = ~is_text & ~is_object & ~is_mixed
    is_paired[is_paired] = matches(messages.filter(is_paired), _PAIRED)
    if is_paired.any():
        is_sentence = is_paired.copy()
        is_sentence[is_paired] = matches(messages.filter(is_paired), _SENTENCE)
        is_text |= is_sentence
        is_paired &= ~is_sentence
    if is_mixed.any():
        is_text &= ~(is_mixed & matches(messages, _ODDLY_CARRIES))
    is_audit = np.zeros(len(messages), np.bool_)
    if _AUDIT in lines.payload:
        whole = lines.texts(headed.lines, lines.starts[headed.lines])
        is_audit = flags_of(pc.match_substring(whole, _AUDIT))
        for others in (is_text, is_paired, is_object):
            others &= ~is_audit
        is_plain = is_audit & ~is_mixed
        if is_plain.any():
            yield from read_audits(headed.of(is_plain), messages.filter(is_plain), FEWEST_ALIKE)
    if np.count_nonzero(is_text) >= FEWEST_ALIKE:
        mine = headed.of(is_text)
        kept = messages if is_text.all() else messages.filter(is_text)
        template = flat_template((*mine.fields, "message"), NUMBERS)
        columns = (*mine.fields.values(), kept)
        yield LineTable(template, mine.lines, columns, is_escaped=False)
    if is_paired.any():
        yield from _paired(headed.of(is_paired), messages.filter(is_paired))
    if _CEF in lines.payload and not is_text.all():
        is_event = ~(is_text | is_paired | is_object | is_mixed)
        yield from read_cefs(headed.of(is_event), messages.filter(is_event), FEWEST_ALIKE)
    if _LEEF in lines.payload and not is_text.all():
        is_event = ~(is_text | is_paired | is_object | is_audit)
        yield from read_leefs(headed.of(is_event), messages.filter(is_event), FEWEST_ALIKE)
    if is_object.any():
        some = messages.filter(is_object)
        yield from read_objects(headed.of(is_object), some, objects, FEWEST_BYTES)


def _paired(headed: Headed, messages: Column) -> Iterator[LineTable]:
    for found in read_pairs_of(messages, FEWEST_ALIKE):
        yield table_of(found.values, headed.at(found.texts))
