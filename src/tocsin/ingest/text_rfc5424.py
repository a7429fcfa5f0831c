"""Headers of RFC 5424 as columns, of messages without structured data."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.decode_lines import Flags, Numbers
from tocsin.ingest.text_columns import Column, are_plain_numbers, flags_of, matches, sizes_of
from tocsin.ingest.text_lines import TextLines

_WORD = r"[!-\[\]-~]+"  # no backslash: values may stand beside others with escapes in them
# At most four groups in one: with more RE2 takes five times as long.
_FIRST = (
    rf"^<(?P<priority>\d{{1,3}})>1 (?P<timestamp>{_WORD}) (?P<hostname>{_WORD}) "
    rf"(?P<program>{_WORD}) "
)
_LAST = rf"^(?P<procid>{_WORD}) (?P<msgid>{_WORD}) -(?: |$)"
_LONGEST = {"hostname": 255, "program": 48, "procid": 128, "msgid": 32}
_BESIDE_PRIORITY, _BESIDE_DATA = len("<>1    "), len("  - ")
_NIL = "-"


def read_5424(
    lines: TextLines, left: Numbers, texts: Column
) -> Iterator[tuple[Numbers, Mapping[str, Column], Column, Numbers]]:
    """Lines with the same fields: which, the fields, the priorities, where the message begins."""
    first = pc.extract_regex(texts, _FIRST)
    is_mine = flags_of(first.is_valid())
    if not is_mine.any():
        return
    mine = left[is_mine]
    columns = dict(zip(first.type.names, first.filter(pa.array(is_mine)).flatten(), strict=True))
    begins = lines.starts[mine] + sum(map(sizes_of, columns.values())) + _BESIDE_PRIORITY
    last = pc.extract_regex(lines.texts(mine, begins), _LAST)
    is_mine = flags_of(last.is_valid())
    for name, column in zip(last.type.names, last.flatten(), strict=True):
        columns[name] = pc.fill_null(column, "")
    begins = begins + sizes_of(columns["procid"]) + sizes_of(columns["msgid"]) + _BESIDE_DATA
    begins = np.minimum(begins, lines.ends[mine])
    for name, most in _LONGEST.items():
        is_mine &= sizes_of(columns[name]) <= most
    yield from _alike(mine, columns, begins, is_mine)


def _alike(
    mine: Numbers, columns: dict[str, Column], begins: Numbers, is_mine: Flags
) -> Iterator[tuple[Numbers, Mapping[str, Column], Column, Numbers]]:
    """By which fields are there, and whether the process is a number."""
    priority, process = columns["priority"], columns["procid"]
    digits = matches(process, r"^\d+$")
    is_mine &= ~digits | are_plain_numbers(process)
    names = ("timestamp", "hostname", "program", "procid", "msgid")
    kinds = digits.astype(np.int64)
    for at, name in enumerate(names, 1):
        kinds |= flags_of(pc.equal(columns[name], _NIL)).astype(np.int64) << at
    for kind in np.unique(kinds[is_mine]).tolist():
        chosen = is_mine & (kinds == kind)
        mask = pa.array(chosen)
        fields = {
            "pid" if name == "procid" and kind & 1 else name: columns[name].filter(mask)
            for at, name in enumerate(names, 1)
            if not kind >> at & 1
        }
        yield mine[chosen], fields, priority.filter(mask), begins[chosen]
