"""What expressions capture of text columns, by groups: many texts at once where that can be done."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.normalize.pair_places import slices_of
from tocsin.normalize.regex_reader import RegexReader, regex_reader
from tocsin.normalize.regex_text import Flags, Numbers

Captured = tuple[Flags, dict[str, pa.Array]]
_FEW = 500
"""So few texts RE2 reads sooner."""
_AT_ONCE = 8_000
_AT_ONCE_BYTES = 1 << 21


def capture(text: pa.StringArray, regex: str) -> Captured:
    """Which texts the expression is found in, and of those what its groups captured.

    A group that took no part, or captured nothing, gives null or ``""``.
    """
    reader = regex_reader(regex) if len(text) >= _FEW else None
    if reader is None:
        return _by_re2(text, regex)
    may_match = text.is_valid()
    if reader.leads:
        begins = pc.starts_with if reader.is_anchored else pc.match_substring
        may_match = pc.fill_null(begins(text, pattern=reader.leads.decode()), False)
    rows = np.flatnonzero(may_match.to_numpy(zero_copy_only=False))
    mine = text if len(rows) == len(text) else text.take(pa.array(rows))
    matched = np.zeros(len(text), np.bool_)
    if len(rows) < _FEW:
        here, columns = _by_re2(mine, regex)
        matched[rows[here]] = True
        return matched, columns
    parts: list[dict[str, pa.Array]] = []
    size = max(_FEW, min(_AT_ONCE, _AT_ONCE_BYTES * len(mine) // max(mine.nbytes, 1)))
    for start in range(0, len(mine), size):
        here, columns = _at_once(mine.slice(start, size), regex, reader)
        matched[rows[start : start + size][here]] = True
        parts.append(columns)
    return matched, {
        name: pa.concat_arrays([part[name] for part in parts]) for name in reader.groups
    }


def _by_re2(text: pa.StringArray, regex: str) -> Captured:
    groups = pc.extract_regex(text, regex)
    matched = np.asarray(groups.is_valid().to_numpy(zero_copy_only=False))
    hits = groups if matched.all() else groups.filter(pa.array(matched))
    return matched, {name: hits.field(at) for at, name in enumerate(hits.type.names)}


def _at_once(text: pa.StringArray, regex: str, reader: RegexReader) -> Captured:
    found = reader.read(text)
    rows = np.flatnonzero(found.matched & ~found.given_up)
    buffer = pa.py_buffer(found.data)
    columns = {
        name: slices_of(buffer, *found.group(name, rows), null_if_empty=True)
        for name in reader.groups
    }
    matched = np.zeros(len(text), np.bool_)
    matched[rows] = True
    given_up = np.flatnonzero(found.given_up)
    if not len(given_up):
        return matched, columns
    here, others = _by_re2(text.take(pa.array(given_up)), regex)
    late = given_up[here]
    matched[late] = True
    order: Numbers = np.argsort(np.concatenate((rows, late)), kind="stable")
    return matched, {
        name: pa.concat_arrays([column, others[name]]).take(pa.array(order))
        for name, column in columns.items()
    }
