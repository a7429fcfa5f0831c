"""Objects that carry a line of text each, as columns: the lines read together, the rest beside them."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Numbers
from tocsin.ingest.columns.decode_rejoined import LineTable
from tocsin.ingest.columns.decode_templates import Opener, TextSlot
from tocsin.ingest.columns.text_columns import Column, matches, parts_of, sizes_of
from tocsin.ingest.columns.text_tables import flat_template
from tocsin.ingest.limits import RECORD_BYTES
from tocsin.model.cell_texts import unescaped
from tocsin.model.record import Decoded
from tocsin.model.shaped_records import CellKind, Template

FEWEST_BYTES = 16 << 10
"""Lines of less are read one by one."""
FEWEST_ALIKE = 32
"""Fewer that are alike within and without are, too."""
_ENDS = "\r\n"
_BLANKS = (
    r"\s\x0b\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
)
"""All that ``str.strip`` takes away."""
_ONE_LINE = rf"^[^\r\n]*[^{_BLANKS}][^\r\n]*$"
_WHOLE = flat_template(("message",), frozenset())
ReadLines = Callable[[bytes], Decoded]


def read_wrapped(
    carriers: Sequence[LineTable], opener: Opener, read: ReadLines | None
) -> Iterator[LineTable]:
    """The records of objects whose templates carry a text; those in no table are left.

    ``opener`` is what the reader of single objects does with one, ``read`` decodes lines. Without
    it every text is ``message``.
    """
    texts = [_lines_of(table) for table in carriers]
    kept = [_readable(column) for column in texts]
    joined = [column.take(pa.array(rows)) for column, rows in zip(texts, kept, strict=True)]
    if not sum(map(len, joined)):
        return
    firsts = np.cumsum([0, *map(len, joined)])
    for template, lines, columns in _read(pa.concat_arrays(joined), read):
        owners = np.searchsorted(firsts, lines, side="right") - 1
        for owner in np.unique(owners).tolist():
            mine = np.flatnonzero(owners == owner)
            if len(mine) < FEWEST_ALIKE:
                continue
            whole = _around(carriers[owner].template, template, opener)
            if whole is not None:
                rows = kept[owner][lines[mine] - firsts[owner]]
                yield _beside(whole, carriers[owner], rows, columns, mine)


def _lines_of(table: LineTable) -> Column:
    column = table.columns[table.template.carries - 1]
    return pc.utf8_rtrim(unescaped(column) if table.is_escaped else column, _ENDS)


def _readable(texts: Column) -> Numbers:
    """The rows whose texts are one line that is not blank."""
    return np.flatnonzero(matches(texts, _ONE_LINE) & (sizes_of(texts) <= RECORD_BYTES))


def _read(
    texts: Column, read: ReadLines | None
) -> Iterator[tuple[Template, Numbers, tuple[Column, ...]]]:
    """Of the texts that are read as columns: a template, their numbers, a column for each slot."""
    if read is None:
        yield _WHOLE, np.arange(len(texts)), (texts,)
        return
    offsets, data = parts_of(pc.binary_join_element_wise(texts, "\n", ""))
    payload = data[: offsets[-1] - 1].tobytes()
    decoded = read(payload) if len(payload) >= FEWEST_BYTES else None
    if decoded is None or decoded.shaped is None:
        return
    ordinals = np.asarray(decoded.ordinals, np.int64)
    for table in decoded.shaped.tables:
        columns = table.columns
        if table.is_escaped:
            columns = _plain(table.template, columns)
        yield table.template, ordinals[table.rows], columns


def _plain(template: Template, columns: Sequence[Column]) -> tuple[Column, ...]:
    kinds = zip(template.kinds, columns, strict=True)
    return tuple(unescaped(column) if kind is CellKind.TEXT else column for kind, column in kinds)


class _Whole:
    """The template of what is read, and for each slot where its column is: within or around."""

    def __init__(self, template: Template, slots: Sequence[int], within: int) -> None:
        self.template = template
        self.inner = [slot - 1 if slot <= within else None for slot in slots]
        self.outer = [slot - within - 1 if slot > within else None for slot in slots]


def _beside(
    whole: _Whole, carrier: LineTable, rows: Numbers, columns: Sequence[Column], mine: Numbers
) -> LineTable:
    taken, around = pa.array(mine), pa.array(rows)
    is_all = len(columns) > 0 and len(mine) == len(columns[0])
    made: list[Column] = []
    for inner, outer in zip(whole.inner, whole.outer, strict=True):
        if inner is not None:
            made.append(columns[inner] if is_all else columns[inner].take(taken))
        elif outer is not None:
            column = carrier.columns[outer].take(around)
            is_text = carrier.template.kinds[outer] is CellKind.TEXT
            made.append(unescaped(column) if is_text and carrier.is_escaped else column)
    return LineTable(whole.template, carrier.lines[rows], tuple(made), is_escaped=False)


# A template is the same object wherever the two come together again.
@lru_cache(maxsize=4096)
def _around(outer: Template, inner: Template, opener: Opener) -> _Whole | None:
    """What ``opener`` makes of an object when its text is read as ``inner``."""
    within = len(inner.kinds)
    slots = TextSlot.marked(outer.record, outer.kinds, within)
    try:
        record, keeps = opener(slots, lambda line: (dict(inner.record), False))
        used: list[int] = []
        numbered = _numbered(record, used)
    except (ValueError, RecursionError, TypeError, AttributeError):
        return None
    if keeps:
        return None
    kinds = (*inner.kinds, *outer.kinds)
    chosen = tuple(kinds[slot - 1] for slot in used)
    return _Whole(Template(numbered, chosen, tuple(range(len(used)))), used, within)


def _numbered(node: Any, used: list[int]) -> Any:
    """The slots counted from 1 on in the order in which they come."""
    if isinstance(node, dict):
        return {name: _numbered(value, used) for name, value in node.items()}
    if isinstance(node, list):
        return [_numbered(value, used) for value in node]
    if node is None:
        return None
    used.append(int(node))
    return len(used)
