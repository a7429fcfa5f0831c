"""Audit records as columns: ``audit_line`` for many at once, where pairs are all they hold."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.columns.decode_lines import Flags
from tocsin.ingest.columns.decode_rejoined import LineTable
from tocsin.ingest.columns.text_columns import (
    Column,
    are_plain_numbers,
    flags_of,
    matches,
    sizes_of,
    slices_from,
)
from tocsin.ingest.columns.text_header_parts import Headed
from tocsin.ingest.columns.text_pairs import Paired, read_pairs_of
from tocsin.ingest.columns.text_tables import table_of
from tocsin.ingest.records.audit_line import decoded_value, is_untrusted, name_of_type

_HEAD = (
    r"^(?:node=(?P<node>[!-~]+) )?type=(?P<type>[A-Z0-9_]{1,40}) msg=audit\("
    r"(?P<time>[1-9]\d{0,11}\.\d{1,9}):(?P<serial>\d{1,18})\): "
)
_BESIDE_NODE, _BESIDE_OTHERS = len("node= "), len("type= msg=audit(:): ")
_NAME = r"[A-Za-z_][A-Za-z0-9_.\-]{0,63}"
_BARE = r"[^ \"'(){}]*[^ \"'(){},]"
_PLAIN = rf"^(?:{_NAME}=(?:\"[^\"]+\"|\([a-z]+\)|{_BARE})(?: |$))+$"
_WITHIN = r"^((?:[^\"']*\"[^\"']*\")*[^\"']* )msg='([^']+)'$"
"""What stands in quotes before it is closed: a value may hold the same."""
_NUMBERS = frozenset({"audit_time", "audit_serial"})
_HEAD_NAMES = frozenset({"node", "type", *_NUMBERS})
_HEX = r"^(?:[0-9A-F]{2})+$"
_ADDRESS = "saddr"  # says several things, which the reader of single records takes apart


def read_audits(headed: Headed, messages: Column, fewest: int) -> Iterator[LineTable]:
    """The lines whose messages are audit records, by their fields; at least ``fewest`` of a kind.

    Left out are records in which text stands between the pairs.
    """
    found = pc.extract_regex(messages, _HEAD)
    rows = np.flatnonzero(flags_of(found.is_valid()))
    if not len(rows):
        return
    node, kind, time, serial = found.take(pa.array(rows)).flatten()
    has_node = sizes_of(node) > 0
    skipped = sum(map(sizes_of, (node, kind, time, serial)), has_node * _BESIDE_NODE)
    rest = slices_from(messages.take(pa.array(rows)), skipped + _BESIDE_OTHERS)
    rest = pc.replace_substring_regex(rest, _WITHIN, r"\1\2")  # these pairs stand beside the others
    is_plain = matches(rest, _PLAIN) & are_plain_numbers(serial)
    head = {"type": _named(kind), "node": node, "audit_time": time, "audit_serial": serial}
    is_execve = flags_of(pc.equal(head["type"], "EXECVE"))
    for with_node in (False, True):
        for of_execve in (False, True):
            chosen = is_plain & (has_node == with_node) & (is_execve == of_execve)
            if np.count_nonzero(chosen) < fewest:
                continue
            mask = pa.array(chosen)
            some = {
                name: one.filter(mask) for name, one in head.items() if with_node or name != "node"
            }
            mine = headed.at(rows[chosen])
            for pairs in read_pairs_of(rest.filter(mask), fewest, fewest_pairs=1):
                if _ADDRESS in pairs.values or not _HEAD_NAMES.isdisjoint(pairs.values):
                    continue
                taken = pa.array(pairs.texts)
                columns = {name: column.take(taken) for name, column in some.items()}
                columns |= _decoded(pairs, is_execve=of_execve)
                yield table_of(columns, mine.at(pairs.texts), _NUMBERS)


def _named(kinds: Column) -> Column:
    coded = kinds.dictionary_encode()
    names = [name_of_type(kind) for kind in coded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(coded.indices)


def _decoded(pairs: Paired, *, is_execve: bool) -> dict[str, Column]:
    """The values, those out of hexadecimal that the kernel wrote so."""
    return {
        name: _from_hex(column, pairs.is_quoted(name))
        if is_untrusted(name, is_execve=is_execve)
        else column
        for name, column in pairs.values.items()
    }


def _from_hex(column: Column, is_quoted: Flags) -> Column:
    is_hex = ~is_quoted & matches(column, _HEX)
    if not is_hex.any():
        return column
    coded = column.filter(pa.array(is_hex)).dictionary_encode()
    texts = [decoded_value(text) for text in coded.dictionary.to_pylist()]
    return pc.replace_with_mask(
        column, pa.array(is_hex), pa.array(texts, pa.string()).take(coded.indices)
    )
