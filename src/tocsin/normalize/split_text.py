"""Cuts text columns into fields: by a separator into named places, or into ``key=value`` pairs."""

import csv
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.pair_places import Numbers, find_pairs

_SHORT = 1 << 16
MOST_NAMES = 500
"""A text column that holds more different keys than this keeps the rest in its text alone."""


def split_columns(text: pa.Array, names: Sequence[str], separator: str) -> dict[str, pa.Array]:
    """The values of each row by the names of their places; ``""`` is a place nobody asks for.

    Values may stand in double quotes, doubled inside (RFC 4180). Rows that are too short have
    nulls, what a row has too much stays in its text.
    """
    lists = pc.split_pattern(text, separator)
    quoted = pc.fill_null(pc.match_substring(text, '"'), False)
    if quoted.true_count:
        rows = np.flatnonzero(quoted.to_numpy(zero_copy_only=False))
        read = [_values(value.as_py(), separator) for value in text.take(pa.array(rows))]
        places = np.arange(len(text))
        places[rows] = len(text) + np.arange(len(rows))
        both = pa.concat_arrays([lists, pa.array(read, lists.type)])
        lists = both.take(pa.array(places))
    offsets = lists.offsets.to_numpy()
    starts, lengths = offsets[:-1], np.diff(offsets)
    return {
        name: lists.values.take(pa.array(starts + at, mask=lengths <= at))
        for at, name in enumerate(names)
        if name
    }


def _values(text: str, separator: str) -> list[str]:
    return next(csv.reader([text.replace("\n", " ")], delimiter=separator), [])


def split_pairs(text: pa.Array, assign: str, between: str) -> dict[str, pa.Array]:
    """The pairs of each row as columns by key; of a key that repeats in a row the first counts.

    A value ends at ``between`` or, in double quotes, with them; one that is empty is null.
    """
    found = find_pairs(text, assign, between)
    coded = found.names.dictionary_encode()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    few = len(coded.dictionary) <= _SHORT  # short numbers are sorted by their digits
    order = np.argsort(codes.astype(np.uint16) if few else codes, kind="stable")
    codes, rows = codes[order], found.rows[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (codes[1:] != codes[:-1]) | (rows[1:] != rows[:-1])
    order, codes, rows = order[is_first], codes[is_first], rows[is_first]
    values = _plain(found.values.take(pa.array(order)))
    names = coded.dictionary.to_pylist()[:MOST_NAMES]
    bounds = np.searchsorted(codes, np.arange(len(names) + 1)).tolist()
    return {
        name: _spread(rows[start:end], values[start:end], len(text))
        for name, start, end in zip(names, bounds, bounds[1:], strict=False)
    }


def _plain(written: pa.StringArray) -> pa.StringArray:
    quoted = pc.starts_with(written, '"')
    if quoted.true_count:
        written = pc.if_else(quoted, pc.utf8_slice_codeunits(written, 1, -1), written)
    return pc.utf8_trim_whitespace(written)


def _spread(rows: Numbers, values: pa.Array, length: int) -> pa.Array:
    if len(rows) == length:
        return values
    places = np.zeros(length, np.int64)
    missing = np.ones(length, np.bool_)
    places[rows] = np.arange(len(rows))
    missing[rows] = False
    return values.take(pa.array(places, mask=missing))
