"""Loki's ``PushRequest`` in protobuf, written byte by byte as its push.proto says."""

from collections.abc import Mapping, Sequence

Labels = tuple[tuple[str, str], ...]
Entry = tuple[int, str, Mapping[str, str]]


def pushed(streams: Mapping[Labels, Sequence[Entry]]) -> bytes:
    """Entries are nanoseconds, line and structured metadata, by the labels of their stream."""
    return b"".join(
        _field(1, _field(1, _labels(labels).encode()) + b"".join(map(_entry, entries)))
        for labels, entries in streams.items()
    )


def _labels(labels: Labels) -> str:
    quoted = (
        f'{name}="{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'
        for name, value in labels
    )
    return "{" + ", ".join(quoted) + "}"


def _entry(entry: Entry) -> bytes:
    nanoseconds, line, metadata = entry
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = b"\x08" + _varint(seconds) + b"\x10" + _varint(rest)
    pairs = b"".join(
        _field(3, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in metadata.items()
    )
    return _field(2, _field(1, moment) + _field(2, line.encode()) + pairs)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
