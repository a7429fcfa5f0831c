"""Cuts text columns into fields: by a separator into named places, or into ``key=value`` pairs."""

import csv
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    pair = re.compile(
        rf'(?<![\w.\-])([A-Za-z_][\w.\-]*){re.escape(assign)}("(?:[^"\\]|\\.)*"'
        rf"|(?:(?!{re.escape(between)}).)*)",
        re.DOTALL,
    )
    found: dict[str, tuple[list[int], list[str]]] = {}
    for row, value in enumerate(text.to_pylist()):
        for name, written in pair.findall(value or ""):
            if not written or written == '""':
                continue
            column = found.get(name)
            if column is None:
                if len(found) >= MOST_NAMES:
                    continue
                column = found[name] = ([], [])
            rows, values = column
            if not rows or rows[-1] != row:
                rows.append(row)
                values.append(written)
    return {name: _spread(rows, values, len(text)) for name, (rows, values) in found.items()}


def _spread(rows: list[int], values: list[str], length: int) -> pa.Array:
    array = pa.array(values, pa.string())
    quoted = pc.starts_with(array, '"')
    if quoted.true_count:
        array = pc.if_else(quoted, pc.utf8_slice_codeunits(array, 1, -1), array)
    array = pc.utf8_trim_whitespace(array)
    if len(rows) == length:
        return array
    places = np.zeros(length, np.int64)
    missing = np.ones(length, np.bool_)
    places[rows] = np.arange(len(rows))
    missing[rows] = False
    return array.take(pa.array(places, mask=missing))
