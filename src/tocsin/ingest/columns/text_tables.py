"""Tables of text lines: what a message says, and the fields of its header beside it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tocsin.ingest.columns.decode_rejoined import LineTable
from tocsin.ingest.columns.text_columns import Column
from tocsin.ingest.columns.text_header_parts import INNER, NUMBERS, Headed
from tocsin.model.shaped_records import CellKind, Template


def table_of(
    columns: Mapping[str, Column], headed: Headed, numbers: frozenset[str] = frozenset()
) -> LineTable:
    """What the messages of some lines say, by name; ``numbers`` are named whose values are such."""
    template = beside_header(flat_template(tuple(columns), numbers), tuple(headed.fields))
    both = (*columns.values(), *headed.fields.values())
    return LineTable(template, headed.lines, both, is_escaped=False)


# A template is the same object wherever its fields come again.
@lru_cache(maxsize=4096)
def flat_template(names: tuple[str, ...], numbers: frozenset[str]) -> Template:
    """A record of these fields."""
    kinds = tuple(CellKind.NUMBER if name in numbers else CellKind.TEXT for name in names)
    return Template(_record(names, 1), kinds, tuple(range(len(names))))


def _record(names: tuple[str, ...], first: int) -> dict[str, Any]:
    """Numbers from ``first`` on at the places that are named."""
    record: dict[str, Any] = {}
    for number, name in enumerate(names, first):
        *outer, last = name.split(INNER)
        within = record
        for part in outer:
            within = within.setdefault(part, {})
        within[last] = number
    return record


@lru_cache(maxsize=4096)
def beside_header(template: Template, header: tuple[str, ...]) -> Template:
    """What a message says, and beside it the fields of its header as ``carried`` puts them."""
    if not header:
        return template
    record = dict(template.record)
    first = len(template.kinds) + 1
    place = "syslog" if "syslog" not in record else "syslog_header"
    record[place] = _record(header, first)
    kinds = (CellKind.NUMBER if name in NUMBERS else CellKind.TEXT for name in header)
    offsets = (*template.offsets, *range(first, first + len(header)))
    return Template(record, (*template.kinds, *kinds), offsets)
