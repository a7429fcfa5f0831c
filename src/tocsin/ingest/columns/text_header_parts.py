"""What headers of syslog are made of, as columns: times, priorities, and where messages begin."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Flags, Numbers
from tocsin.ingest.columns.text_columns import Column, begin_with_digit, flags_of
from tocsin.ingest.columns.text_lines import TextLines
from tocsin.ingest.records.syslog_message import priority_names, time_of

ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_BSD = r"[*.]?[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?"
STAMP = rf"(?:{ISO}|{_BSD}):?"
LONGEST_HOST = 255
_BLANK = ord(" ")
INNER = "\0"
"""Between the names of fields that lie within another."""
NUMBERS = frozenset({"pid"})
"""Fields whose values are numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Headed:
    """Lines with the same fields in their header, and where their message begins."""

    lines: Numbers
    fields: Mapping[str, Column]
    begins: Numbers

    def of(self, chosen: Flags) -> "Headed":
        """Some of these lines."""
        if chosen.all():
            return self
        mask = pa.array(chosen)
        columns = {name: column.filter(mask) for name, column in self.fields.items()}
        return Headed(self.lines[chosen], columns, self.begins[chosen])

    def at(self, places: Numbers) -> "Headed":
        """The lines at these places among these."""
        taken = pa.array(places)
        columns = {name: column.take(taken) for name, column in self.fields.items()}
        return Headed(self.lines[places], columns, self.begins[places])


def priorities(numbers: Column) -> dict[str, Column]:
    """Facility and severity; null where there is no priority or it is too large."""
    coded = numbers.dictionary_encode()
    pairs = [priority_names(int(text)) if text else None for text in coded.dictionary.to_pylist()]
    return {
        name: pa.array([pair and pair[at] for pair in pairs], pa.string()).take(coded.indices)
        for at, name in enumerate(("facility", "severity"))
    }


def times_of(stamp: Column, received_at: datetime) -> Column:
    """ISO times as they are, others worked out once each; null where there is none."""
    if begin_with_digit(stamp).all():
        colon = flags_of(pc.ends_with(stamp, ":"))
        return pc.if_else(pa.array(~colon), stamp, pa.scalar(None, pa.string()))
    coded = stamp.dictionary_encode()
    told = [time_of(text, received_at) for text in coded.dictionary.to_pylist()]
    return pa.array(told, pa.string()).take(coded.indices)


def past_blanks(lines: TextLines, begins: Numbers, ends: Numbers) -> Numbers:
    buffer = np.frombuffer(lines.payload, np.uint8)
    while True:
        is_blank = (begins < ends) & (buffer.take(begins, mode="clip") == _BLANK)
        if not is_blank.any():
            return begins
        begins = begins + is_blank
