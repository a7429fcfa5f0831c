"""The headers of syslog lines as columns: what ``syslog_message`` reads of a line, of all at once.

Only the common forms are read here; whatever might be read in another way is left to the reader
of single lines. Times, priorities and names are judged once for each distinct value.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Flags, Numbers
from tocsin.ingest.columns.decode_scalars import slices_of
from tocsin.ingest.columns.text_columns import (
    Column,
    are_plain_numbers,
    begin_with_digit,
    flags_of,
    judged,
    matches,
    parts_of,
    sizes_of,
)
from tocsin.ingest.columns.text_header_parts import (
    LONGEST_HOST,
    STAMP,
    Headed,
    past_blanks,
    priorities,
    times_of,
)
from tocsin.ingest.columns.text_lines import TextLines
from tocsin.ingest.columns.text_rfc5424 import read_5424
from tocsin.ingest.columns.text_untagged import MAYBE_UNSTAMPED, read_dated, read_hosted
from tocsin.ingest.records.event_format import mends_tag
from tocsin.ingest.records.syslog_message import MONTHS, is_no_host

# Four groups: with more RE2 takes five times as long.
_HEADED = (
    rf"^(?:<(?P<priority>\d{{1,3}})>)?(?P<stamp>{STAMP}) (?P<host>[A-Za-z0-9._-]+) "
    r"(?P<tag>[A-Za-z_%./-][!-+\--9;<>-Z^-~]*(?:\[\d+\])?):"
)
_MAYBE_STAMP = rf"\d{{4}}-\d\d-\d\d|[*.]?(?:{'|'.join(MONTHS)}) |@[0-9a-f]{{24}}"
_PRIORITY_ALONE = r"^<(?P<priority>\d{1,3})>"
_MORE_THAN_PRIORITY = rf"^<\d{{1,3}}>(?:1 |{_MAYBE_STAMP})"
_MAYBE_HEADED = rf"^(?:<|{_MAYBE_STAMP}|{MAYBE_UNSTAMPED})"
_ODDLY_HEADED = r"^(?:[^!-~]|[<*.@]|\d+[^\d.: ]|[^ ]+ [^ ]+\[[^ ]+\]: )"
"""What the reader of single lines may take for a header where letters are not of ASCII alone."""
_LONGEST_PROGRAM = 64
_BRACKET = ord("[")
_RESERVED = 2
"""Bytes around a priority."""


def read_headers(lines: TextLines, received_at: datetime, fewest: int) -> Iterator[Headed]:
    """The plain lines by the fields of their headers; those in none are left.

    So are those with structured data that fewer than ``fewest`` others have.
    """
    left = lines.plain
    if not len(left):
        return
    texts = lines.texts(left, lines.starts[left])
    found = pc.extract_regex(texts, _HEADED)
    is_headed = flags_of(found.is_valid())
    if is_headed.any():
        groups = found.filter(pa.array(is_headed))
        yield from _headed(lines, left[is_headed], groups, received_at)
        left, texts = left[~is_headed], texts.filter(pa.array(~is_headed))
    if len(left):
        yield from _structured(lines, left, texts, fewest)
        yield from _with_priority_alone(lines, left, texts)
    if len(left):
        yield from read_hosted(lines, left, texts, received_at)
        yield from read_dated(lines, left, texts)
        is_bare = ~matches(texts, _MAYBE_HEADED)
        is_bare &= ~(lines.is_mixed[left] & matches(texts, _ODDLY_HEADED))
        bare = left[is_bare]
        yield Headed(bare, {}, lines.starts[bare])


def _structured(lines: TextLines, left: Numbers, texts: Column, fewest: int) -> Iterator[Headed]:
    for mine, fields, priority, begins in read_5424(lines, left, texts, fewest):
        names = priorities(priority)
        is_sound = flags_of(names["severity"].is_valid())
        if "program" in fields:
            is_sound &= ~judged(fields["program"], mends_tag)
        yield Headed(mine, {**names, **fields}, begins).of(is_sound)


def _with_priority_alone(lines: TextLines, left: Numbers, texts: Column) -> Iterator[Headed]:
    found = pc.extract_regex(texts, _PRIORITY_ALONE)
    is_mine = flags_of(found.is_valid())
    if not is_mine.any():
        return
    is_mine &= ~matches(texts, _MORE_THAN_PRIORITY)
    if lines.is_mixed[left].any():
        after = pc.replace_substring_regex(texts, _PRIORITY_ALONE, "")
        is_mine &= ~(lines.is_mixed[left] & matches(after, _ODDLY_HEADED))
    numbers = found.filter(pa.array(is_mine)).field(0)
    mine = left[is_mine]
    begins = lines.starts[mine] + sizes_of(numbers) + _RESERVED
    names = priorities(numbers)
    is_sound = flags_of(names["severity"].is_valid())
    yield Headed(mine, names, begins).of(is_sound)


def _headed(
    lines: TextLines, mine: Numbers, groups: pa.StructArray, received_at: datetime
) -> Iterator[Headed]:
    """Lines with a time, a host and a program, by whether they have a priority and a process."""
    priority, stamp, host, tag = groups.flatten()
    has_priority = sizes_of(priority) > 0
    times = times_of(stamp, received_at)
    program, pid, has_pid = _tag_parts(tag)
    is_iso = begin_with_digit(stamp)
    begins = lines.starts[mine] + sizes_of(priority) + has_priority * _RESERVED
    tags = begins + sizes_of(stamp) + sizes_of(host) + len("  ")
    begins = past_blanks(lines, tags + sizes_of(tag) + 1, lines.ends[mine])
    is_event = judged(program, mends_tag)
    is_sound = (
        flags_of(times.is_valid())
        & (sizes_of(host) <= LONGEST_HOST)
        & (sizes_of(program) <= _LONGEST_PROGRAM)
        & ~(is_event & has_pid)
        & (has_priority | ~is_iso | ~(judged(host, is_no_host) | judged(program, is_no_host)))
    )
    is_sound[has_pid] &= are_plain_numbers(pid)
    names = priorities(priority)
    is_sound &= ~has_priority | flags_of(names["severity"].is_valid())
    rest = {"timestamp": times, "hostname": host}
    row_of_pid = np.cumsum(has_pid) - 1
    for with_priority, with_pid, of_event in product((False, True), repeat=3):
        chosen = is_sound & (has_priority == with_priority) & (has_pid == with_pid)
        chosen &= is_event == of_event
        if not chosen.any():
            continue
        fields = {**names, **rest} if with_priority else rest
        if of_event:  # what seems to be its program is how the event begins
            yield Headed(mine, fields, tags).of(chosen)
            continue
        one = Headed(mine, {**fields, "program": program}, begins).of(chosen)
        if with_pid:
            own = pid.take(pa.array(row_of_pid[chosen]))
            one = Headed(one.lines, {**one.fields, "pid": own}, one.begins)
        yield one


def _tag_parts(tag: Column) -> tuple[Column, Column, Flags]:
    """The programs, the processes of those that name one, and which do."""
    offsets, data = parts_of(tag)
    opens = np.flatnonzero(data == _BRACKET)
    if not len(opens):
        return tag, tag.slice(0, 0), np.zeros(len(tag), np.bool_)
    owners = np.searchsorted(offsets, opens, "right") - 1
    has_pid = np.zeros(len(tag), np.bool_)
    has_pid[owners] = True
    cuts = offsets[1:].copy()
    cuts[owners] = opens
    pid = slices_of(tag.buffers()[2], opens + 1, offsets[1:][owners] - 1)
    return slices_of(tag.buffers()[2], offsets[:-1], cuts), pid, has_pid
