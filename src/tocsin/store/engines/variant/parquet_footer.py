"""Marks Parquet columns as VARIANT in a file's footer, which pyarrow 26 can't write itself.

Source: Apache Parquet, parquet.thrift (FileMetaData.schema, LogicalType.VARIANT) in Thrift's
compact protocol. Only the footer is rewritten; every page stays where it is.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from tocsin.store.ports import StoreError

_MAGIC = b"PAR1"
_NAME, _CHILDREN, _LOGICAL_TYPE = 4, 5, 10
_BOOLEANS, _VARINTS, _BYTE, _DOUBLE, _BINARY, _LISTS, _STRUCT = (
    {1, 2},
    {4, 5, 6},
    3,
    7,
    8,
    {9, 10},
    12,
)
_VARIANT_TYPE = b"\x0c\x20\x13\x01\x00\x00"
"""LogicalType field 16 (zigzag 0x20), a struct: specification_version = 1; both structs end."""


def mark_variants(path: Path, names: Collection[str]) -> None:
    """Give the schema elements called ``names`` the logical type VARIANT; flush to the disk.

    Raises ``StoreError`` when the file has no Parquet footer or lacks one of the names.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length > size - 12:
            raise StoreError(f"{path} does not end as a Parquet file does; it was cut short")
        start = size - 8 - length
        file.seek(start)
        footer = marked(file.read(length), names)
        file.seek(start)
        file.write(footer + len(footer).to_bytes(4, "little") + _MAGIC)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def marked(footer: bytes, names: Collection[str]) -> bytes:
    """The footer with the marks added; pure, so that it can be tested byte by byte."""
    wanted = {name.encode() for name in names}
    pieces: list[bytes] = []
    copied = 0
    for name, last_id, stop in _top_columns(footer):
        if name in wanted:
            wanted.discard(name)
            header = bytes([(_LOGICAL_TYPE - last_id) << 4 | _STRUCT])
            pieces += [footer[copied:stop], header, _VARIANT_TYPE]
            copied = stop
        if not wanted:
            break
    else:
        missing = ", ".join(sorted(name.decode() for name in wanted))
        raise StoreError(f"the Parquet schema has no unmarked column called {missing}")
    return b"".join([*pieces, footer[copied:]])


def _top_columns(footer: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, id of the last field and end of each top-level schema element without a mark."""
    count, at = _list_header(footer, _start_of_schema(footer))
    open_groups: list[int] = []  # children still to come, outermost first
    for _ in range(count):
        name, children, last_id, stop = b"", 0, 0, at
        for field_id, _kind, value_at, end in _fields(footer, at):
            if field_id == _NAME:
                length, text = _varint(footer, value_at)
                name = footer[text : text + length]
            elif field_id == _CHILDREN:
                children = _varint(footer, value_at)[0] >> 1
            last_id, stop = field_id, end
        at = stop + 1
        if len(open_groups) == 1 and last_id < _LOGICAL_TYPE:
            yield name, last_id, stop
        if open_groups:
            open_groups[-1] -= 1
        if children:
            open_groups.append(children)
        while open_groups and not open_groups[-1]:
            open_groups.pop()


def _start_of_schema(footer: bytes) -> int:
    """FileMetaData opens with its version (an i32); the schema list follows."""
    if len(footer) < 3 or footer[0] != 0x15:
        raise StoreError("the Parquet footer does not open with a version number")
    at = _varint(footer, 1)[1]
    if footer[at] >> 4 != 1 or footer[at] & 15 not in _LISTS:
        raise StoreError("the Parquet footer has no schema after its version number")
    return at + 1


def _fields(data: bytes, at: int) -> Iterator[tuple[int, int, int, int]]:
    """(field id, type, start of the value, end of the value) of one struct."""
    field_id = 0
    while data[at]:
        header = data[at]
        at += 1
        kind, delta = header & 15, header >> 4
        if delta:
            field_id += delta
        else:
            number, at = _varint(data, at)
            field_id = (number >> 1) ^ -(number & 1)
        end = _end_of(data, at, kind)
        yield field_id, kind, at, end
        at = end


def _end_of(data: bytes, at: int, kind: int) -> int:
    if kind in _BOOLEANS:
        return at
    if kind in _VARINTS:
        return _varint(data, at)[1]
    if kind == _BYTE:
        return at + 1
    if kind == _DOUBLE:
        return at + 8
    if kind == _BINARY:
        length, at = _varint(data, at)
        return at + length
    if kind in _LISTS:
        member = data[at] & 15
        count, at = _list_header(data, at)
        for _ in range(count):
            at = at + 1 if member in _BOOLEANS else _end_of(data, at, member)
        return at
    if kind == _STRUCT:
        for _id, _kind, _at, end in _fields(data, at):
            at = end
        return at + 1
    raise StoreError(f"the Parquet footer holds an unknown Thrift type {kind}")


def _list_header(data: bytes, at: int) -> tuple[int, int]:
    count = data[at] >> 4
    return _varint(data, at + 1) if count == 15 else (count, at + 1)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
