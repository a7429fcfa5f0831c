"""CEF events as columns: ``event_format`` for many at once."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Bytes, Flags, Numbers
from tocsin.ingest.columns.decode_lines import table_of as bytes_of
from tocsin.ingest.columns.decode_rejoined import LineTable
from tocsin.ingest.columns.decode_scalars import slices_of
from tocsin.ingest.columns.text_columns import Column, matches, parts_of, sizes_of
from tocsin.ingest.columns.text_header_parts import Headed
from tocsin.ingest.columns.text_pairs import PADDING, Pairs, alike
from tocsin.ingest.columns.text_tables import table_of
from tocsin.ingest.records.event_format import CEF_NAMES, unescaped

_KEY = r"[A-Za-z_][A-Za-z0-9_.\-]{0,99}"
_EVENT = rf"^CEF:\d{{1,3}}(?:\.\d{{1,3}})?\|(?:(?:[^|\\]|\\.)*\|){{6}} *{_KEY}="
_VERSION = "cefVersion"
_PREFIX = len("CEF:")
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
_BEGINS_KEY, _IN_KEY = bytes_of(_LETTERS), bytes_of(_LETTERS + b"0123456789.-")
_ODD_IN_KEY = bytes_of(b"[]:")
_LONGEST_KEY = 100
_BAR, _BLANK, _ASSIGN, _SLASH = b"| =\\"


def read_cefs(headed: Headed, messages: Column, fewest: int) -> Iterator[LineTable]:
    """The lines whose messages are CEF events, by their fields; at least ``fewest`` of a kind."""
    rows = np.flatnonzero(matches(messages, _EVENT))
    if len(rows) < fewest:
        return
    texts, mine = messages.take(pa.array(rows)), headed.at(rows)
    offsets, data = parts_of(texts)
    data = np.append(data[: offsets[-1]], PADDING)
    starts, ends = offsets[:-1], offsets[1:]
    bars = np.flatnonzero(data == _BAR)
    bars = bars[~_are_escaped(data, bars)]
    bars = bars.take(np.searchsorted(bars, starts) + np.arange(len(CEF_NAMES) + 1)[:, None])
    pairs, is_sound = pairs_by_blanks(data, bars[-1] + 1, ends)
    parts = {_VERSION: slices_of(data.tobytes(), starts + _PREFIX, bars[0])}
    for at, name in enumerate(CEF_NAMES):
        parts[name] = _unescaped(slices_of(data.tobytes(), bars[at] + 1, bars[at + 1]))
    yield from header_tables(mine, parts, pairs, is_sound, fewest, _unescaped)


def header_tables(
    headed: Headed,
    parts: dict[str, Column],
    pairs: Pairs,
    is_sound: Flags,
    fewest: int,
    mend: Callable[[Column], Column] = lambda values: values,
) -> Iterator[LineTable]:
    """Tables of the sound ones: the parts of the header that are not empty, then the pairs.

    ``mend`` is done to the values of pairs.
    """
    kinds = np.zeros(len(is_sound), np.int64)
    for at, column in enumerate(parts.values()):
        kinds |= (sizes_of(column) == 0).astype(np.int64) << at
    for kind in np.unique(kinds[is_sound]).tolist():
        told = {
            name: column for at, (name, column) in enumerate(parts.items()) if not kind >> at & 1
        }
        for found in alike(pairs, is_sound & (kinds == kind), fewest):
            if parts.keys().isdisjoint(found.values):
                taken = pa.array(found.texts)
                columns = {name: column.take(taken) for name, column in told.items()}
                columns |= {name: mend(column) for name, column in found.values.items()}
                yield table_of(columns, headed.at(found.texts))


def _unescaped(column: Column) -> Column:
    is_escaped = matches(column, r"\\")
    if not is_escaped.any():
        return column
    coded = column.filter(pa.array(is_escaped)).dictionary_encode()
    texts = pa.array([unescaped(text) for text in coded.dictionary.to_pylist()], pa.string())
    return pc.replace_with_mask(column, pa.array(is_escaped), texts.take(coded.indices))


def _are_escaped(data: Bytes, places: Numbers) -> Flags:
    """Which of the places have an odd number of backslashes before them."""
    is_escaped = np.zeros(len(places), np.bool_)
    at = places - 1
    is_open = (at >= 0) & (data.take(at, mode="clip") == _SLASH)
    while is_open.any():
        is_escaped ^= is_open
        at = at - 1
        is_open &= (at >= 0) & (data.take(at, mode="clip") == _SLASH)
    return is_escaped


def pairs_by_blanks(data: Bytes, begins: Numbers, ends: Numbers) -> tuple[Pairs, Flags]:
    """The pairs of each text; values go on to the next key. And which texts are sound."""
    blanks = np.concatenate(([-1], np.flatnonzero(data == _BLANK)))
    assigns = np.flatnonzero(data == _ASSIGN)
    owners = np.searchsorted(begins, assigns, "right") - 1
    is_within = (owners >= 0) & (assigns < ends.take(owners, mode="clip"))
    assigns, owners = assigns[is_within], owners[is_within]
    keys = np.maximum(blanks.take(np.searchsorted(blanks, assigns) - 1) + 1, begins[owners])
    strange = np.concatenate(([0], np.cumsum(~_IN_KEY[data])))
    is_key = (strange[assigns] == strange[keys]) & _BEGINS_KEY[data.take(keys)]
    is_key &= (assigns > keys) & (assigns - keys <= _LONGEST_KEY)
    odd = np.concatenate(([0], np.cumsum(~(_IN_KEY | _ODD_IN_KEY)[data])))
    is_odd = ~is_key & (odd[assigns] == odd[keys]) & (assigns > keys)
    is_sound = np.ones(len(begins), np.bool_)
    is_sound[owners[is_odd]] = False
    keys, assigns, owners = keys[is_key], assigns[is_key], owners[is_key]
    firsts = np.searchsorted(owners, np.arange(len(begins)))
    counts = np.diff(np.append(firsts, len(owners)))
    is_last = np.diff(np.append(owners, -1)) != 0
    value_ends = np.where(is_last, ends[owners], np.append(keys[1:], 0))
    while True:
        is_blank = (value_ends > assigns + 1) & (data.take(value_ends - 1) == _BLANK)
        if not is_blank.any():
            break
        value_ends = value_ends - is_blank
    is_empty = value_ends <= assigns + 1
    is_sound[owners[~is_empty & (data.take(assigns + 1) == _BLANK)]] = False
    is_sound &= counts > 0
    return Pairs(data, keys, assigns, value_ends, is_empty, firsts, counts), is_sound
