"""Log records of OpenTelemetry's in protobuf as lines of JSON, many at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.ingest.bodies.otlp_values import RecordValues, escaped_texts
from tocsin.ingest.bodies.protobuf_fields import PADDING, Fields, fields_of, varints
from tocsin.ingest.columns.decode_lines import Bytes, Flags, Numbers
from tocsin.ingest.columns.decode_scalars import NOTHING, slices_of

_BODY, _ATTRIBUTES = 0x2A, 0x32
_SINGLE = (0x09, 0x10, 0x1A, _BODY, 0x45, 0x4A, 0x52, 0x59, 0x62)
"""Tags of a LogRecord's fields that come once."""
_MOST_FIELDS = 300
"""Fields of one record, every attribute being one; a record with more is read by itself."""
_TIMES = (0x09, 0x59)
_INT32 = 1 << 31


@dataclass(frozen=True, slots=True, eq=False)
class RecordLines:
    """A line for each record, with its end; those of records that are left mean nothing."""

    lines: pa.StringArray
    is_left: Flags

    def text(self, rows: slice) -> bytes:
        """Some lines that follow each other, without the last one's end."""
        offsets = np.frombuffer(self.lines.buffers()[1], np.int32)
        begin, end = int(offsets[rows.start]), int(offsets[rows.stop]) - 1
        return bytes(self.lines.buffers()[2][begin:end].to_pybytes())


def record_lines(
    request: bytes, spans: Sequence[tuple[int, int]], about: Sequence[bytes], abouts: Numbers
) -> RecordLines:
    """What ``log_line`` makes of each LogRecord in a sound request, at ``spans`` (ascending).

    ``about[abouts[n]]`` is what is said of record ``n`` by its resource and scope: members of an
    object, without brackets.
    """
    first, last = spans[0][0], spans[-1][1]
    data = np.frombuffer(request[first:last] + bytes(PADDING), np.uint8)
    places = np.array(spans, np.int64) - first
    count = len(places)
    fields, is_whole = fields_of(data, places[:, 0], places[:, 1], _MOST_FIELDS)
    is_left = ~is_whole
    single = {tag: fields.of(tag) for tag in _SINGLE}
    for found in single.values():
        is_left |= np.bincount(found.owners, minlength=count) > 1
    values = RecordValues(data, count)
    values.read(_once(single[_BODY], count), fields.of(_ATTRIBUTES))
    bodies, attributes = values.texts()
    said = pa.array(list(about), pa.string()).take(pa.array(abouts))
    members = _members(data, single, is_left)
    braced = pc.binary_join_element_wise("{", attributes, "}", "")
    has_own = pc.not_equal(attributes, "").to_numpy(zero_copy_only=False)
    members.append(_Member("attributes", has_own, braced))
    told = _joined(members, said)
    bodies = pc.if_else(pc.equal(bodies, ""), "null", bodies)
    lines = pc.binary_join_element_wise('{"body":', bodies, ',"otel":{', *told, "}}\n", "")
    return RecordLines(lines, is_left | values.left())


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """A member of an object that only some records have."""

    name: str
    has: Flags
    values: pa.StringArray


def _once(found: Fields, count: int) -> Fields:
    """The first of each record, where it comes again (that record is left); records ascend."""
    at = np.flatnonzero(found.firsts(count))
    at = at[np.argsort(found.owners[at])]
    return Fields(found.owners[at], found.tags[at], found.begins[at], found.ends[at])


def _members(data: Bytes, single: dict[int, Fields], is_left: Flags) -> list[_Member]:
    """What a record says beside its body, in the order of its line; nothing that is zero."""
    count = len(is_left)
    severities = _numbers(single[0x10], count, lambda found: varints(data, found.begins)[0])
    is_left |= severities >= _INT32
    times = (_numbers(single[tag], count, lambda of: _fixed(data, of, "<u8")) for tag in _TIMES)
    flags = _numbers(single[0x45], count, lambda found: _fixed(data, found, "<u4"))
    return [
        *map(_counted, ("timeUnixNano", "observedTimeUnixNano"), times),
        _counted("severityNumber", severities),
        _named("severityText", single[0x1A], count, lambda of: _texts(data, of)),
        _named("eventName", single[0x62], count, lambda of: _texts(data, of)),
        _named("traceId", single[0x4A], count, lambda of: _hexes(data, of)),
        _named("spanId", single[0x52], count, lambda of: _hexes(data, of)),
        _counted("flags", flags),
    ]


def _numbers(found: Fields, count: int, read: Callable[[Fields], Any]) -> npt.NDArray[np.uint64]:
    """A number for each record, 0 where the field is missing."""
    values = np.zeros(count, np.uint64)
    if len(found.owners):
        values[found.owners] = read(found).astype(np.uint64)
    return values


def _fixed(data: Bytes, found: Fields, kind: str) -> Any:
    """Integers of a fixed size."""
    size = np.dtype(kind).itemsize
    return data[found.begins[:, None] + np.arange(size)].view(kind).ravel()


def _counted(name: str, values: npt.NDArray[np.uint64]) -> _Member:
    return _Member(name, values != 0, pa.array(values).cast(pa.string()))


def _named(
    name: str, found: Fields, count: int, read: Callable[[Fields], pa.StringArray]
) -> _Member:
    """A text for each record, where the field is there and not empty."""
    once = _once(found, count)
    has = np.zeros(count, np.bool_)
    has[once.owners] = once.ends > once.begins
    which = np.zeros(count, np.int64)
    which[once.owners] = np.arange(1, len(once.owners) + 1)
    if not has.any():
        return _Member(name, has, NOTHING)
    texts = pc.binary_join_element_wise('"', read(once), '"', "")
    return _Member(name, has, pa.concat_arrays([pa.array([""]), texts]).take(pa.array(which)))


def _texts(data: Bytes, found: Fields) -> pa.StringArray:
    texts = slices_of(data, found.begins, found.ends)
    rows, escaped = escaped_texts(texts)
    if not len(rows):
        return texts
    which = np.arange(len(texts))
    which[rows] = len(texts) + np.arange(len(rows))
    return pa.concat_arrays([texts, escaped]).take(pa.array(which))


def _hexes(data: Bytes, found: Fields) -> pa.StringArray:
    spans = zip(found.begins.tolist(), found.ends.tolist(), strict=True)
    return pa.array([data[begin:end].tobytes().hex() for begin, end in spans], pa.string())


def _joined(members: Sequence[_Member], said: pa.StringArray) -> list[pa.StringArray]:
    """What stands between the brackets of each record, piece by piece, with commas between."""
    pieces: list[pa.StringArray] = []
    is_begun = np.zeros(len(said), np.int64)
    for member in members:
        if not member.has.any():
            continue
        name = f'"{member.name}":'
        beginnings = pa.array(["", name, f",{name}"])
        pieces.append(beginnings.take(pa.array(np.where(member.has, 1 + is_begun, 0))))
        whole = member.has.all()
        pieces.append(member.values if whole else pc.if_else(member.has, member.values, ""))
        is_begun |= member.has
    is_said = pc.not_equal(said, "").to_numpy(zero_copy_only=False)
    pieces.append(pa.array(["", ","]).take(pa.array(is_begun & is_said)))
    return [*pieces, said]
