"""Cuts text columns into fields: by a separator into named places, or into ``key=value`` pairs."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.ocsf_types import to_text
from tocsin.normalize.pair_kinds import read_alike
from tocsin.normalize.pair_places import Flags, Numbers, find_pairs, slices_of

_SHORT = 1 << 16
_ON_ONE_LINE = str.maketrans("\n\r", "  ")
_QUOTE, _NEWLINE, _CARRIAGE = b'"\n\r'
MOST_NAMES = 500
"""A text column that holds more different keys than this keeps the rest in its text alone."""


def split_columns(text: pa.Array, names: Sequence[str], separator: str) -> dict[str, pa.Array]:
    """The values of each row by the names of their places; ``""`` is a place nobody asks for.

    Values may stand in double quotes, doubled inside (RFC 4180). Rows that are too short have
    nulls, what a row has too much stays in its text.
    """
    cut = ord(separator) if len(separator) == 1 and separator.isascii() else _NEWLINE
    if cut == _NEWLINE or text.null_count:
        lists = [_values(value.as_py(), separator) for value in text]
        return {name: _nth(lists, at) for at, name in enumerate(names) if name}
    quoted = pc.match_substring(text, '"')
    if not quoted.true_count:
        values = _find_values(text, cut)
        return {name: values.column(at) for at, name in enumerate(names) if name}
    is_quoted = quoted.to_numpy(zero_copy_only=False)
    mine = text if is_quoted.all() else text.filter(quoted)
    read, is_read = _find_quoted(mine, cut)
    others = [_values(value.as_py(), separator) for value in mine.filter(pa.array(~is_read))]
    if is_quoted.all() and not others:
        return {name: read.column(at) for at, name in enumerate(names) if name}
    plain = _find_values(text.filter(pc.invert(quoted)), cut)
    places = np.empty(len(text), np.int64)
    places[~is_quoted] = np.arange(len(text) - len(mine))
    own = len(text) - len(mine) + np.arange(len(mine))
    own[~is_read] = len(text) + np.arange(len(others))
    places[is_quoted] = own
    order = pa.array(places)
    return {
        name: pa.concat_arrays([plain.column(at), read.column(at), _nth(others, at)]).take(order)
        for at, name in enumerate(names)
        if name
    }


def _nth(lists: Sequence[Sequence[str]], at: int) -> pa.StringArray:
    return pa.array([one[at] if at < len(one) else None for one in lists], pa.string())


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """The values of some rows one after the other: slices of ``data``, and each row's first one."""

    data: pa.Buffer
    begins: Numbers
    ends: Numbers
    firsts: Numbers
    """One more than there are rows."""

    def column(self, at: int) -> pa.StringArray:
        """The value at a place of each row, null where the row has fewer."""
        places = self.firsts[:-1] + at
        is_there = places < self.firsts[1:]
        if is_there.all():
            return slices_of(self.data, self.begins[places], self.ends[places])
        there = places[is_there]
        found = slices_of(self.data, self.begins[there], self.ends[there])
        return found.take(pa.array(np.cumsum(is_there) - 1, mask=~is_there))


def _find_values(text: pa.StringArray, separator: int) -> _Values:
    """The values of rows without quotes, none of which is null."""
    offsets = np.frombuffer(text.buffers()[1], np.int32)[text.offset :][: len(text) + 1]
    bounds = offsets.astype(np.int64)
    data = text.buffers()[2] or pa.py_buffer(b"")
    first, last = int(bounds[0]), int(bounds[-1])
    cuts = np.flatnonzero(np.frombuffer(data, np.uint8)[first:last] == separator) + first
    firsts = np.searchsorted(cuts, bounds) + np.arange(len(text) + 1)
    is_cut = np.ones(len(cuts) + len(text), np.bool_)
    is_cut[firsts[1:] - 1] = False
    begins, ends = np.empty_like(is_cut, np.int64), np.empty_like(is_cut, np.int64)
    ends[is_cut], ends[~is_cut] = cuts, bounds[1:]
    begins[1:] = ends[:-1] + 1
    begins[firsts[:-1]] = bounds[:-1]
    return _Values(data, begins, ends, firsts)


def _find_quoted(text: pa.StringArray, separator: int) -> tuple[_Values, Flags]:
    """The values of rows with quotes, and which rows were read: those with quotes around values.

    No row is null; those that were not read have no values.
    """
    ended = pc.binary_join_element_wise(text, "\n", "")
    bounds = np.frombuffer(ended.buffers()[1], np.int32)[: len(text) + 1].astype(np.int64)
    data = np.frombuffer(ended.buffers()[2], np.uint8)[: bounds[-1]]
    starts, ends = bounds[:-1], bounds[1:] - 1
    is_break = data == _NEWLINE
    is_cut = (data == separator) | is_break
    quotes = np.flatnonzero(data == _QUOTE)
    rows = np.searchsorted(starts, quotes, "right") - 1
    counts = np.bincount(rows, minlength=len(text))
    is_open = (np.arange(len(quotes)) - (np.cumsum(counts) - counts)[rows]) % 2 == 0
    around = np.where(is_open, quotes - 1, quotes + 1)
    is_plain = is_cut.take(around, mode="wrap") | (is_open & (quotes == 0))
    is_read = counts % 2 == 0
    is_read[rows[~is_plain]] = False
    is_break |= data == _CARRIAGE
    breaks = np.flatnonzero(is_break)
    if len(breaks) > len(text):
        owners = np.searchsorted(starts, breaks, "right") - 1
        is_read[owners[breaks < ends[owners]]] = False
    cuts = np.flatnonzero(is_cut)
    lasts = np.searchsorted(cuts, ends) + 1  # what ends a row cuts it, too
    is_value = _outside(np.searchsorted(cuts, quotes[is_read[rows]]), len(cuts))
    if not is_read.all():
        is_value &= np.repeat(is_read, np.diff(lasts, prepend=0))
    stops = cuts[is_value]
    firsts = np.concatenate(([0], np.cumsum(is_value)[lasts - 1]))
    begins = np.concatenate(([0], stops[:-1] + 1))
    begins[firsts[:-1][is_read]] = starts[is_read]
    is_quoted = (data[begins] == _QUOTE) & (begins < stops)
    buffer = pa.py_buffer(data)
    return _Values(buffer, begins + is_quoted, stops - is_quoted, firsts), is_read


def _outside(quotes: Numbers, count: int) -> Flags:
    """Which of so many places are outside of quotes; ``quotes`` tells before which place each is."""
    is_inside: Flags = np.bincount(quotes, minlength=count + 1)[:count].cumsum() & 1 == 0
    return is_inside


def _values(text: str | None, separator: str) -> list[str]:
    if text is None or '"' not in text:
        return [] if text is None else text.split(separator)
    line = text.translate(_ON_ONE_LINE)
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:  # a value of more than 128 KiB
        return line.split(separator)


def split_pairs(text: pa.Array, assign: str, between: str) -> dict[str, pa.Array]:
    """The pairs of each row as columns by key; of a key that repeats in a row the first counts.

    A value ends at ``between`` or, in double quotes, with them; one that is empty is null.
    """
    text = pc.fill_null(text, "") if text.null_count else text
    found: dict[str, list[_Part]] = {}
    left = np.ones(len(text), np.bool_)
    for alike in read_alike(text, assign, between):
        left[alike.rows] = False
        for place, (name, values) in enumerate(alike.values.items()):
            if values.null_count < len(values):
                first = int(pc.index(values.is_valid(), True).as_py()) if values.null_count else 0
                part = _Part((int(alike.rows[first]), place), alike.rows, values)
                found.setdefault(name, []).append(part)
    if left.all():
        _add_others(found, text, np.arange(len(text)), assign, between)
    elif left.any():
        rows = np.flatnonzero(left)
        _add_others(found, text.take(pa.array(rows)), rows, assign, between)
    names = sorted(found, key=lambda name: min(part.first for part in found[name]))
    return {name: _spread(found[name], len(text)) for name in names[:MOST_NAMES]}


def members_of(objects: pa.StructArray) -> dict[str, pa.Array]:
    """The members of each object at whatever depth as text; of names that repeat the first counts."""
    found: dict[str, pa.Array] = {}
    for named, member in zip(objects.type, objects.flatten(), strict=True):
        is_inner = pa.types.is_struct(member.type)
        inner = members_of(member) if is_inner else {named.name: to_text(member)}
        for name, values in inner.items():
            known = found.get(name)
            values = pc.utf8_trim_whitespace(values)
            found[name] = values if known is None else pc.coalesce(known, values)
    return dict(list(found.items())[:MOST_NAMES])


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Values of a key, the rows they are of, and the row and place where the key is first seen."""

    first: tuple[int, int]
    rows: Numbers
    values: pa.StringArray


def _add_others(
    found: dict[str, list[_Part]], text: pa.StringArray, rows: Numbers, assign: str, between: str
) -> None:
    """Add the pairs of these rows, which are read pair by pair."""
    pairs = find_pairs(text, assign, between)
    coded = pairs.names.dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    few = len(coded.dictionary) <= _SHORT  # short numbers are sorted by their digits
    order = np.argsort(codes.astype(np.uint16) if few else codes, kind="stable")
    codes, own = codes[order], pairs.rows[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (codes[1:] != codes[:-1]) | (own[1:] != own[:-1])
    order, codes, own = order[is_first], codes[is_first], own[is_first]
    values = _plain(pairs.values.take(pa.array(order)))
    names = coded.dictionary.to_pylist()[:MOST_NAMES]
    bounds = np.searchsorted(codes, np.arange(len(names) + 1)).tolist()
    for name, start, end in zip(names, bounds, bounds[1:], strict=False):
        first = (int(rows[own[start]]), int(order[start]))
        part = _Part(first, rows[own[start:end]], values[start:end])
        found.setdefault(name, []).append(part)


def _plain(written: pa.StringArray) -> pa.StringArray:
    quoted = pc.starts_with(written, '"')
    if quoted.true_count:
        written = pc.if_else(quoted, pc.utf8_slice_codeunits(written, 1, -1), written)
    return pc.utf8_trim_whitespace(written)


def _spread(parts: list[_Part], length: int) -> pa.Array:
    if len(parts) == 1 and len(parts[0].rows) == length:
        return parts[0].values
    places = np.full(length, -1, np.int64)
    start = 0
    for part in parts:
        places[part.rows] = np.arange(start, start + len(part.rows))
        start += len(part.rows)
    values = pa.concat_arrays([part.values for part in parts])
    return values.take(pa.array(places, mask=places < 0))
