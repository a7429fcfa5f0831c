"""Headers of syslog without a tag, and lines that only begin as a header does, as columns."""

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Numbers
from tocsin.ingest.columns.text_columns import (
    Column,
    begin_with_digit,
    flags_of,
    judged,
    matches,
    sizes_of,
)
from tocsin.ingest.columns.text_header_parts import (
    ISO,
    LONGEST_HOST,
    STAMP,
    Headed,
    past_blanks,
    priorities,
    times_of,
)
from tocsin.ingest.columns.text_lines import TextLines
from tocsin.ingest.records.syslog_message import is_no_host

_HOSTED = (
    rf"^(?:<(?P<priority>\d{{1,3}})>)?(?P<stamp>{STAMP}) (?P<host>[A-Za-z0-9._-]+) +"
    r"(?P<word>[^ ]*)"
)
_MAYBE_TAG = r"^(?:\[|[^ \[\]:=]+[:\[]|[^ ]+ \[|[^ ]*\(pam_)"
MAYBE_UNSTAMPED = r"[A-Za-z0-9][\w.-]* [A-Za-z_][\w./-]*\[\d"
"""How a header begins whose time was cut off."""
_DATE = r"^\d{4}-\d\d-\d\d"
_DATED = rf"^(?P<stamp>{ISO}:?) (?P<word>[^ <][^ ]*)(?: +(?P<next>[^ ]*))?"
_DATED_OR_HOST = rf"^(?:{ISO}:? |{MAYBE_UNSTAMPED})"
_APART = rf"^{ISO}:?  +[^ <]"
_MAYBE_TAG_AFTER_HOST = r"^(?:\[[a-z_]|[^ \[\]:=]+[:\[]|[^ ]+ \[|[^ ]*\(pam_)"
_RELAYING = r"^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+$"
_RELAYED = r"^(?:[{0-9,]|[^ ]*,|[^ -~])"


def read_hosted(
    lines: TextLines, left: Numbers, texts: Column, received_at: datetime
) -> Iterator[Headed]:
    """Lines with a time and a host, after which the message begins."""
    found = pc.extract_regex(texts, _HOSTED)
    is_mine = flags_of(found.is_valid())
    if not is_mine.any():
        return
    mine = left[is_mine]
    priority, stamp, host, word = found.filter(pa.array(is_mine)).flatten()
    has_priority = sizes_of(priority) > 0
    begins = lines.starts[mine] + sizes_of(priority) + has_priority * len("<>")
    begins += sizes_of(stamp) + sizes_of(host) + len("  ")
    begins = past_blanks(lines, begins, lines.ends[mine])
    times, names = times_of(stamp, received_at), priorities(priority)
    is_sound = (
        flags_of(times.is_valid())
        & (sizes_of(host) <= LONGEST_HOST)
        & (
            has_priority | ~begin_with_digit(stamp)
        )  # dates without a priority begin other logs, too
        & ~flags_of(pc.equal(word, host))
        & ~matches(lines.texts(mine, begins), _MAYBE_TAG)
        & (~has_priority | flags_of(names["severity"].is_valid()))
    )
    fields = {"timestamp": times, "hostname": host}
    for with_priority in (False, True):
        chosen = is_sound & (has_priority == with_priority)
        if chosen.any():
            yield Headed(mine, {**names, **fields} if with_priority else fields, begins).of(chosen)


def read_dated(lines: TextLines, left: Numbers, texts: Column) -> Iterator[Headed]:
    """Lines that begin with a date as other logs do: all of a line is its message."""
    is_dated = matches(texts, _DATE)
    if not is_dated.any():
        return
    mine, texts = left[is_dated], texts.filter(pa.array(is_dated))
    found = pc.extract_regex(texts, _DATED)
    is_bare = ~lines.is_mixed[mine] & ~matches(texts, _DATED_OR_HOST)
    is_bare |= matches(texts, _APART)
    stamped = np.flatnonzero(flags_of(found.is_valid()))
    stamp, word, following = found.take(pa.array(stamped)).flatten()
    begins = lines.starts[mine[stamped]] + sizes_of(stamp) + sizes_of(word) + 1
    begins = past_blanks(lines, begins, lines.ends[mine[stamped]])
    rest = lines.texts(mine[stamped], begins)
    is_other = ~matches(rest, _MAYBE_TAG_AFTER_HOST)
    is_other &= ~flags_of(pc.equal(word, pc.fill_null(following, "")))
    is_other |= matches(word, r"^\[|/") | judged(word, is_no_host)
    is_other &= ~(matches(word, _RELAYING) & matches(rest, _RELAYED))
    is_bare[stamped] |= is_other
    bare = mine[is_bare]
    yield Headed(bare, {}, lines.starts[bare])
