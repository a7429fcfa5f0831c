"""Tables of text lines: what a message says, and the fields of its header beside it."""

from collections.abc import Mapping
from functools import lru_cache
from itertools import count

from tocsin.ingest.decode_rejoined import LineTable
from tocsin.ingest.text_columns import Column
from tocsin.ingest.text_header_parts import NUMBERS, Headed
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
    return Template(dict(zip(names, count(1), strict=False)), kinds, tuple(range(len(names))))


@lru_cache(maxsize=4096)
def beside_header(template: Template, header: tuple[str, ...]) -> Template:
    """What a message says, and beside it the fields of its header as ``carried`` puts them."""
    if not header:
        return template
    record = dict(template.record)
    first = len(template.kinds) + 1
    place = "syslog" if "syslog" not in record else "syslog_header"
    record[place] = dict(zip(header, count(first), strict=False))
    kinds = (CellKind.NUMBER if name in NUMBERS else CellKind.TEXT for name in header)
    offsets = (*template.offsets, *range(first, first + len(header)))
    return Template(record, (*template.kinds, *kinds), offsets)
