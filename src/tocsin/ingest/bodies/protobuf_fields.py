"""Fields of many protobuf messages, read at once (protobuf's encoding: tags, varints, lengths)."""

from dataclasses import dataclass

import numpy as np

from tocsin.ingest.columns.decode_lines import Bytes, Flags, Numbers

PADDING = 16
"""Bytes that must follow the messages, so that nothing is read behind the end."""
VARINT, FIXED64, SIZED, FIXED32 = 0, 1, 2, 5
_KIND, _MORE, _BITS, _LONGEST_VARINT = 7, 0x80, 7, 10
_IS_READ = np.array([True, True, True, False, False, True, False, False])
_FIXED_SIZE = np.array([0, 8, 0, 0, 0, 4, 0, 0], np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """Fields in order within each message: its number, the field's tag, where the value is.

    Values of a known length stand between ``begins`` and ``ends``, so do varints.
    """

    owners: Numbers
    tags: Bytes
    begins: Numbers
    ends: Numbers

    def of(self, tag: int) -> "Fields":
        """The fields with that tag (number and kind) alone."""
        mine = np.flatnonzero(self.tags == tag)
        return Fields(self.owners[mine], self.tags[mine], self.begins[mine], self.ends[mine])

    def firsts(self, messages: int) -> Flags:
        """Which of these fields are the first of their message."""
        first = np.zeros(messages, np.int64)
        backwards = np.arange(len(self.owners))[::-1]
        first[self.owners[backwards]] = backwards  # what is assigned last stays
        is_first: Flags = np.arange(len(self.owners)) == first[self.owners]
        return is_first


def varints(data: Bytes, begins: Numbers) -> tuple[Numbers, Numbers]:
    """The varints that begin there, as 64 bits, and where each ends."""
    values, ends = (data[begins] & 0x7F).astype(np.int64), begins + 1
    going = np.flatnonzero(data[begins] >= _MORE)
    for step in range(1, _LONGEST_VARINT):
        if not len(going):
            break
        bytes_ = data[ends[going]]
        values[going] |= (bytes_ & 0x7F).astype(np.int64) << (step * _BITS)
        ends[going] += 1
        going = going[bytes_ >= _MORE]
    return values, ends


def fields_of(data: Bytes, begins: Numbers, ends: Numbers, most: int) -> tuple[Fields, Flags]:
    """The fields of the messages between ``begins`` and ``ends``, and which are read wholly.

    Not read are messages with more than ``most`` fields, field numbers above 15, groups, or a
    field that goes beyond the end. ``data`` has PADDING behind the messages.
    """
    found: list[tuple[Numbers, Bytes, Numbers, Numbers]] = []
    is_whole = np.ones(len(begins), np.bool_)
    owners = np.flatnonzero(begins < ends)
    at = begins[owners]
    for _ in range(most):
        if not len(owners):
            break
        tags = data[at]
        kinds = tags & _KIND
        sizes, value_begins = varints(data, at + 1)
        is_sized = kinds == SIZED
        if not is_sized.all():
            varint_ends = value_begins
            value_begins = np.where(is_sized, varint_ends, at + 1)
            is_varint = kinds == VARINT
            sizes = np.where(is_sized, sizes, _FIXED_SIZE[kinds])
            sizes[is_varint] = (varint_ends - value_begins)[is_varint]
        value_ends = value_begins + sizes
        stops = ends[owners]
        is_sound = (sizes >= 0) & (value_ends <= stops) & _IS_READ[kinds] & (tags < _MORE)
        if not is_sound.all():
            is_whole[owners[~is_sound]] = False
            owners, tags, stops = owners[is_sound], tags[is_sound], stops[is_sound]
            value_begins, value_ends = value_begins[is_sound], value_ends[is_sound]
        found.append((owners, tags, value_begins, value_ends))
        if (more := value_ends < stops).all():
            at = value_ends
        else:
            owners, at = owners[more], value_ends[more]
    is_whole[owners] = False
    if not found:
        nothing = np.zeros(0, np.int64)
        return Fields(nothing, np.zeros(0, np.uint8), nothing, nothing), is_whole
    return Fields(*(np.concatenate(parts) for parts in zip(*found, strict=True))), is_whole


def spans_of(data: bytes, begin: int, end: int, tag: int) -> list[tuple[int, int]] | None:
    """Where the values of a field that comes again and again are, in ONE sound message.

    ``tag`` is of a value with a length. None where the message has groups.
    """
    found: list[tuple[int, int]] = []
    at = begin
    while at < end:
        if data[at] == tag and data[at + 1] >= _MORE > data[at + 2]:  # a record, as most are
            value_at = at + 3
            at = value_at + (data[at + 1] & 0x7F | data[at + 2] << _BITS)
            found.append((value_at, at))
            continue
        here, at = _varint(data, at)
        kind = here & _KIND
        if kind == SIZED:
            size, at = _varint(data, at)
            if here == tag:
                found.append((at, at + size))
            at += size
        elif kind == VARINT:
            at = _varint(data, at)[1]
        elif kind in (FIXED64, FIXED32):
            at += 8 if kind == FIXED64 else 4
        else:
            return None
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < _MORE:
        return byte, at + 1
    value, shift = byte & 0x7F, _BITS
    while byte >= _MORE:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += _BITS
    return value, at + 1
