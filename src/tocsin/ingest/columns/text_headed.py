"""Records of space-separated values below a header that names them, as columns."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lazy import LazyLines
from tocsin.ingest.columns.decode_lines import Flags, Numbers
from tocsin.ingest.columns.decode_rejoined import LineTable, rejoined
from tocsin.ingest.columns.decode_templates import Reader
from tocsin.ingest.columns.text_columns import parts_of
from tocsin.ingest.columns.text_lines import TextLines, find_lines
from tocsin.ingest.columns.text_tables import flat_template
from tocsin.ingest.records.w3c import W3cHeader, is_header
from tocsin.model.record import Decoded

FEWEST_ALIKE = 32
"""Fewer lines with the same fields are left: columns of them cost more than they save."""
_MOST_NAMES = 62
"""So many have a bit each in what says which of them a line has."""
_QUOTE, _NOTHING = ord('"'), ord("-")
_MAY_BEGIN_HEADERS = np.zeros(256, np.bool_)
_MAY_BEGIN_HEADERS[list(b"#v")] = True


class HeadedColumns:
    """The lines below a header that were read as columns, and which were not."""

    def __init__(self, lines: TextLines, tables: list[LineTable]) -> None:
        self._lines, self._tables = lines, tables
        self._is_left = np.ones(len(lines.starts), np.bool_)
        for table in tables:
            self._is_left[table.lines] = False

    def left(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are in no table, with their number."""
        lines = self._lines
        for line in np.flatnonzero(self._is_left).tolist():
            yield line, lines.payload[lines.starts[line] : lines.newlines[line]]

    def with_left(self, left: Decoded, read: Reader) -> Decoded:
        """All records in order of their lines; ``left`` are those read one by one."""
        lines, placed = self._lines, rejoined(self._is_left, left)
        starts, ends = lines.starts[placed.ordinals], lines.ends[placed.ordinals]
        tables = [one.placed(placed.row_of) for one in self._tables]
        return placed.decoded(LazyLines(lines.payload, starts, ends), read, tables=tables)


def headed_columns(payload: bytes, header: W3cHeader) -> HeadedColumns | None:
    """The records below a header as columns, as ``header.record`` reads them one by one.

    None where a line's fields depend on which header stands above it.
    """
    names, lines = header.names, find_lines(payload)
    if not 0 < len(names) <= _MOST_NAMES or len(set(names)) < len(names):
        return None
    heads = _headers(lines, header)
    if any(one.names != names for one in heads):
        return None
    plain = _plain(lines)
    values = pc.split_pattern(lines.texts(plain, lines.starts[plain]), " ")
    is_whole = np.diff(values.offsets.to_numpy()) == len(names)
    plain, values = plain[is_whole], values.filter(pa.array(is_whole)).flatten()
    offsets, data = parts_of(values)
    sizes = np.diff(offsets).reshape(-1, len(names))
    is_sound = (sizes > 0).all(axis=1)
    is_told = sizes > 1
    is_told |= data.take(offsets[:-1], mode="clip").reshape(-1, len(names)) != _NOTHING
    if "time" in names:
        has_date = is_told[:, names.index("date")] if "date" in names else np.zeros(1, np.bool_)
        if not has_date.all() and any(one.date != header.date for one in heads):
            return None
    kinds = is_told @ (1 << np.arange(len(names)))
    kinds[~is_sound] = -1
    return HeadedColumns(lines, list(_tables(header, plain, values, kinds)))


def _headers(lines: TextLines, first: W3cHeader) -> list[W3cHeader]:
    """What holds after each line of a header among the others, as far as the names stay the same."""
    found: list[W3cHeader] = []
    names, date = first.names, first.date
    buffer = np.frombuffer(lines.payload, np.uint8)
    for line in np.flatnonzero(_MAY_BEGIN_HEADERS.take(buffer.take(lines.starts, mode="clip"))):
        text = lines.payload[lines.starts[line] : lines.ends[line]]
        if is_header(text):
            header = W3cHeader(names, date)
            header.take(text.decode("utf-8", "replace"))
            if (header.names, header.date) != (names, date):
                found.append(header)
                names, date = header.names, header.date
    return found


def _plain(lines: TextLines) -> Numbers:
    """Lines of ASCII alone, without tabs and quotes, that may be a record."""
    buffer = np.frombuffer(lines.payload, np.uint8)
    is_plain: Flags = np.zeros(len(lines.starts), np.bool_)
    is_plain[lines.plain] = True
    is_plain &= ~lines.is_mixed & ~_MAY_BEGIN_HEADERS.take(buffer.take(lines.starts, mode="clip"))
    quotes = np.flatnonzero(buffer == _QUOTE)
    is_plain[np.searchsorted(lines.newlines, quotes)] = False
    return np.flatnonzero(is_plain)


def _tables(
    header: W3cHeader, plain: Numbers, values: pa.StringArray, kinds: Numbers
) -> Iterator[LineTable]:
    """A table for each set of fields that many lines have; ``-`` is no value."""
    names = header.names
    has_own_date = 1 << names.index("date") if "date" in names else 0
    for kind in np.unique(kinds).tolist():
        rows = np.flatnonzero(kinds == kind)
        if kind <= 0 or len(rows) < FEWEST_ALIKE:
            continue
        firsts = rows * len(names)
        columns = {
            name: values.take(pa.array(firsts + at))
            for at, name in enumerate(names)
            if kind >> at & 1
        }
        if header.date and "time" in columns and not kind & has_own_date:
            columns["date"] = pa.repeat(pa.scalar(header.date), len(rows))
        template = flat_template(tuple(columns), frozenset())
        yield LineTable(template, plain[rows], tuple(columns.values()), is_escaped=False)
