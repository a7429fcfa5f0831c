"""Headers of RFC 5424 as columns, with the structured data of those that have it."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Flags, Numbers
from tocsin.ingest.columns.text_columns import (
    Column,
    are_plain_numbers,
    first_bytes,
    flags_of,
    matches,
    sizes_of,
)
from tocsin.ingest.columns.text_lines import TextLines
from tocsin.ingest.columns.text_structured import DATA, NO_DATA, read_structured

_WORD = r"[!-\[\]-~]+"  # no backslash: values may stand beside others with escapes in them
# At most four groups in one: with more RE2 takes five times as long.
_FIRST = (
    rf"^<(?P<priority>\d{{1,3}})>1 (?P<timestamp>{_WORD}) (?P<hostname>{_WORD}) "
    rf"(?P<program>{_WORD}) "
)
_LAST = rf"^(?P<procid>{_WORD}) (?P<msgid>{_WORD}) (?P<data>-(?: |$)|\[)"
_LONGEST = {"hostname": 255, "program": 48, "procid": 128, "msgid": 32}
_BESIDE_PRIORITY, _BESIDE_MESSAGE = len("<>1    "), len("  ")
_NIL, _NIL_BYTE = "-", ord("-")
_NO_FIELDS: Mapping[str, Column] = MappingProxyType({})


Alike: TypeAlias = tuple[Numbers, Mapping[str, Column], Column, Numbers]
"""Lines with the same fields: which, the fields, the priorities, where the message begins."""


def read_5424(lines: TextLines, left: Numbers, texts: Column, fewest: int) -> Iterator[Alike]:
    """The lines by their fields; of those with structured data at least ``fewest`` of a kind."""
    first = pc.extract_regex(texts, _FIRST)
    is_mine = flags_of(first.is_valid())
    if not is_mine.any():
        return
    mine = left[is_mine]
    columns = dict(zip(first.type.names, first.filter(pa.array(is_mine)).flatten(), strict=True))
    begins = lines.starts[mine] + sum(map(sizes_of, columns.values())) + _BESIDE_PRIORITY
    last = pc.extract_regex(lines.texts(mine, begins), _LAST)
    is_mine = flags_of(last.is_valid())
    procid, msgid, data = (pc.fill_null(column, "") for column in last.flatten())
    columns |= {"procid": procid, "msgid": msgid}
    begins = begins + sizes_of(procid) + sizes_of(msgid) + _BESIDE_MESSAGE
    for name, most in _LONGEST.items():
        is_mine &= sizes_of(columns[name]) <= most
    is_nil = first_bytes(data) == _NIL_BYTE
    after_nil = np.minimum(begins + is_nil * sizes_of(data), lines.ends[mine])
    is_marked = is_mine & ~is_nil
    if not is_marked.any():
        yield from _alike(mine, columns, after_nil, is_mine)
        return
    marked = np.flatnonzero(is_marked)
    rest = lines.texts(mine[marked], begins[marked])
    is_message = is_mine & is_nil
    is_message[marked] = matches(rest, NO_DATA)
    yield from _alike(mine, columns, after_nil, is_message)
    found = pc.extract_regex(rest, DATA)
    has_data = flags_of(found.is_valid())
    if np.count_nonzero(has_data) >= fewest:
        rows = marked[has_data]
        taken = pa.array(rows)
        some = {name: column.take(taken) for name, column in columns.items()}
        structured = found.filter(pa.array(has_data)).field(0)
        after = np.minimum(begins[rows] + sizes_of(structured) + 1, lines.ends[mine[rows]])
        for own, values in read_structured(structured, fewest):
            taken = pa.array(own)
            alike = {name: column.take(taken) for name, column in some.items()}
            is_sound = np.ones(len(own), np.bool_)
            yield from _alike(mine[rows[own]], alike, after[own], is_sound, values)


def _alike(
    mine: Numbers,
    columns: dict[str, Column],
    begins: Numbers,
    is_mine: Flags,
    structured: Mapping[str, Column] = _NO_FIELDS,
) -> Iterator[Alike]:
    """By which fields are there, and whether the process is a number."""
    priority, process = columns["priority"], columns["procid"]
    digits = matches(process, r"^\d+$")
    is_mine = is_mine & (~digits | are_plain_numbers(process))
    names = ("timestamp", "hostname", "program", "procid", "msgid")
    kinds = digits.astype(np.int64)
    for at, name in enumerate(names, 1):
        kinds |= flags_of(pc.equal(columns[name], _NIL)).astype(np.int64) << at
    for kind in np.unique(kinds[is_mine]).tolist():
        chosen = is_mine & (kinds == kind)
        mask = pa.array(chosen)
        fields: dict[str, Column] = {
            "pid" if name == "procid" and kind & 1 else name: columns[name].filter(mask)
            for at, name in enumerate(names, 1)
            if not kind >> at & 1
        }
        fields |= {name: column.filter(mask) for name, column in structured.items()}
        yield mine[chosen], fields, priority.filter(mask), begins[chosen]
