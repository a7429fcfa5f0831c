"""JSON objects that text lines carry, as columns: ``carried`` for many at once."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_rejoined import LineTable
from tocsin.ingest.columns.decode_shaped import shape_lines
from tocsin.ingest.columns.decode_shapes import Templates
from tocsin.ingest.columns.text_columns import matches, parts_of
from tocsin.ingest.columns.text_header_parts import Headed
from tocsin.ingest.columns.text_tables import beside_header

_BEFORE = r"^(?:@cee:)? *"
OBJECT = _BEFORE + r"\{"
"""How messages begin that are objects."""


def read_objects(
    headed: Headed, messages: pa.StringArray, templates: Templates, fewest_bytes: int
) -> Iterator[LineTable]:
    """The lines whose messages are objects, by their shapes; those of no shape are left.

    ``messages`` begin as ``OBJECT`` says and are each on one line.
    """
    bodies = messages
    if not matches(messages, r"^\{").all():
        bodies = pc.replace_substring_regex(messages, _BEFORE, "")
    offsets, data = parts_of(pc.binary_join_element_wise(bodies, "\n", ""))
    payload = data[: offsets[-1]].tobytes()
    if len(payload) < fewest_bytes:
        return
    for found in shape_lines(payload, templates).tables():
        taken = pa.array(found.lines)
        header = [column.take(taken) for column in headed.fields.values()]
        yield LineTable(
            beside_header(found.template, tuple(headed.fields)),
            headed.lines[found.lines],
            (*found.columns, *header),
            found.is_escaped,
        )
