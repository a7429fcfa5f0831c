"""LEEF events as columns: ``event_format`` for many at once."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Bytes, Flags, Numbers
from tocsin.ingest.columns.decode_lines import table_of as bytes_of
from tocsin.ingest.columns.decode_rejoined import LineTable
from tocsin.ingest.columns.decode_scalars import slices_of
from tocsin.ingest.columns.text_cef import header_tables, pairs_by_blanks
from tocsin.ingest.columns.text_columns import Column, matches, parts_of
from tocsin.ingest.columns.text_header_parts import Headed
from tocsin.ingest.columns.text_pairs import PADDING, Pairs
from tocsin.ingest.records.event_format import LEEF_NAMES

_EVENT = r"^LEEF:(?:1|2)\.\d{1,3}\|(?:[^|\\]*\|){4}"
_DELIMITED = r"^LEEF:2\.\d{1,3}\|(?:[^|\\]*\|){4}(?P<named>(?:0?x[0-9A-Fa-f]{2,4}|[^ |])?\|)"
_VERSION = "leefVersion"
_PREFIX = len("LEEF:")
_BAR, _ASSIGN, _TAB = b"|=\t"
_BLANK = bytes_of(b" \t")
_FIRST_BEYOND_ASCII = 0x80


def read_leefs(headed: Headed, messages: Column, fewest: int) -> Iterator[LineTable]:
    """The lines whose messages are LEEF events, by their fields; at least ``fewest`` of a kind.

    Left out are those with escapes in their header, and with words that are no pair.
    """
    rows = np.flatnonzero(matches(messages, _EVENT))
    if len(rows) < fewest:
        return
    texts = messages.take(pa.array(rows))
    named = pc.fill_null(pc.extract_regex(texts, _DELIMITED).field(0), "")
    coded = named.dictionary_encode()
    kinds = coded.indices.to_numpy()
    for kind, delimiter in enumerate(map(_delimiter, coded.dictionary.to_pylist())):
        own = np.flatnonzero(kinds == kind)
        if delimiter is None or len(own) < fewest:
            continue
        mine = texts.take(pa.array(own))
        skipped = len(coded.dictionary[kind].as_py())
        yield from _delimited(headed.at(rows[own]), mine, delimiter, skipped, fewest)


def _delimiter(named: str) -> int | None:
    """The byte between pairs; None where it is none that is read here."""
    if named in ("", "|"):
        return _TAB
    mark = chr(int(named[:-1].rpartition("x")[2], 16)) if len(named) > len("^|") else named[0]
    is_plain = mark == "\t" or (mark.isascii() and mark.isprintable() and mark not in " =")
    return ord(mark) if is_plain else None


def _delimited(
    headed: Headed, texts: Column, delimiter: int, skipped: int, fewest: int
) -> Iterator[LineTable]:
    """Events with the same delimiter, which ``skipped`` bytes name after the header."""
    offsets, data = parts_of(texts)
    data = np.append(data[: offsets[-1]], PADDING)
    starts, ends = offsets[:-1], offsets[1:]
    bars = np.flatnonzero(data == _BAR)
    bars = bars.take(np.searchsorted(bars, starts) + np.arange(len(LEEF_NAMES) + 1)[:, None])
    begins = bars[-1] + 1 + skipped
    version = slices_of(data.tobytes(), starts + _PREFIX, bars[0])
    parts = {_VERSION: version}
    for at, name in enumerate(LEEF_NAMES):
        parts[name] = slices_of(data.tobytes(), bars[at] + 1, bars[at + 1])
    pairs, is_sound = _pairs(data, begins, ends, delimiter)
    if delimiter == _TAB:
        has_tab = np.zeros(len(texts), np.bool_)
        tabs = np.flatnonzero(data == _TAB)
        owners = np.searchsorted(starts, tabs, "right") - 1
        has_tab[owners[tabs >= begins[owners]]] = True
        is_far = _rows_of(np.flatnonzero(data >= _FIRST_BEYOND_ASCII), starts, len(texts))
        by_blanks, is_plain = pairs_by_blanks(data, begins, ends)
        firsts = np.append(by_blanks.begins, -1).take(by_blanks.firsts)
        is_plain &= firsts == begins
        yield from header_tables(headed, parts, by_blanks, is_plain & ~has_tab & ~is_far, fewest)
        is_sound &= has_tab
    yield from header_tables(headed, parts, pairs, is_sound, fewest)


def _rows_of(places: Numbers, starts: Numbers, count: int) -> Flags:
    rows = np.zeros(count, np.bool_)
    rows[np.searchsorted(starts, places, "right") - 1] = True
    return rows


def _pairs(data: Bytes, begins: Numbers, ends: Numbers, delimiter: int) -> tuple[Pairs, Flags]:
    """The pairs between delimiters, values without the blanks around them."""
    count = len(begins)
    cuts = np.flatnonzero(data == delimiter)
    owners = np.searchsorted(begins, cuts, "right") - 1
    is_within = (owners >= 0) & (cuts < ends.take(owners, mode="clip"))
    cuts, owners = cuts[is_within], owners[is_within]
    rows = np.concatenate((owners, np.arange(count)))
    stops = np.concatenate((cuts, ends))
    order = np.argsort(stops, kind="stable")
    rows, stops = rows[order], stops[order]
    is_first = np.diff(rows, prepend=-1) != 0
    opens = np.where(is_first, begins[rows], np.concatenate(([0], stops[:-1] + 1)))
    kept = opens < stops
    rows, opens, stops = rows[kept], opens[kept], stops[kept]
    assigns = np.append(np.flatnonzero(data == _ASSIGN), len(data))
    assigns = assigns[np.searchsorted(assigns, opens)]
    is_pair = (assigns < stops) & (assigns > opens)
    assigns = np.where(is_pair, assigns, opens)
    is_pair &= ~_BLANK[data[opens]] & ~_BLANK[data.take(assigns - 1, mode="clip")]
    first, last = data.take(assigns + 1, mode="clip"), data.take(stops - 1, mode="clip")
    is_empty = assigns + 1 >= stops
    is_odd = _BLANK[first] | _BLANK[last] | (first >= _FIRST_BEYOND_ASCII)
    is_odd |= last >= _FIRST_BEYOND_ASCII
    is_pair &= is_empty | ~is_odd
    is_sound = np.ones(count, np.bool_)
    is_sound[rows[~is_pair]] = False
    firsts = np.searchsorted(rows, np.arange(count))
    counts = np.diff(np.append(firsts, len(rows)))
    is_sound &= counts > 0
    return Pairs(data, opens, assigns, stops, is_empty, firsts, counts), is_sound
