"""GELF as it comes by UDP: in chunks that are put together, packed with zlib or gzip."""

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tocsin.ingest.limits import RECORD_BYTES

LIFE_S = 5.0
"""Chunks of a message that are not all here after so long are given up (Graylog's own rule)."""
MOST_CHUNKS = 128
_CHUNKED = b"\x1e\x0f"
_HEADER_BYTES = 12  # magic, 8 bytes of message id, number of the chunk, how many there are
_GZIP = b"\x1f\x8b"
_ZLIB_METHOD = b"\x78"
_STARTS = (_CHUNKED[:1], _GZIP[:1], _ZLIB_METHOD)
_EITHER = 32 + zlib.MAX_WBITS
_CHUNK_COST = 200
"""Bytes that keeping a chunk costs beside what is in it."""

Sender = tuple[str, int]
"""Address and port."""
Opened = tuple[bytes, bool, Sender]
"""The message, whether it is whole, and whose it is."""


@dataclass(slots=True)
class _Waiting:
    since: float
    count: int
    chunks: dict[int, bytes] = field(default_factory=dict)
    size_bytes: int = 0


def may_be_gelf(datagram: bytes) -> bool:
    """False, quickly, for what is neither chunked nor packed."""
    return datagram[:1] in _STARTS


class GelfDatagrams:
    """Turns datagrams into messages; what is neither chunked nor packed goes through as it is.

    Messages come with True. With False come bytes that can only be kept: chunks whose message
    never became whole, and what can't be unpacked. At most ``most_bytes`` of chunks wait.
    """

    def __init__(
        self, most_bytes: int = 16 << 20, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_bytes = most_bytes
        self._clock = clock
        self._waiting: dict[tuple[Sender, bytes], _Waiting] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """How many messages wait for chunks."""
        return len(self._waiting)

    def take(self, datagram: bytes, sender: Sender) -> Iterator[Opened]:
        """What the datagram completes; message ids are each sender's own."""
        if datagram[:2] == _CHUNKED:
            yield from self._chunk(datagram, sender)
        else:
            yield *_opened(datagram), sender

    def expired(self) -> Iterator[Opened]:
        """The chunks that have waited too long for the rest of their message."""
        too_old = self._clock() - LIFE_S
        while self._waiting:
            key, oldest = next(iter(self._waiting.items()))
            if oldest.since > too_old:
                return
            yield from self._given_up(key)

    def close(self) -> Iterator[Opened]:
        """All that still waits."""
        for key in list(self._waiting):
            yield from self._given_up(key)

    def _chunk(self, datagram: bytes, sender: Sender) -> Iterator[Opened]:
        yield from self.expired()
        if len(datagram) <= _HEADER_BYTES:
            yield datagram, False, sender
            return
        number, count = datagram[10], datagram[11]
        key = (sender, datagram[2:10])
        waiting = self._waiting.get(key)
        if number >= count or count > MOST_CHUNKS or (waiting and waiting.count != count):
            yield datagram, False, sender
            return
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(self._clock(), count)
        if number in waiting.chunks:
            return  # UDP may deliver twice
        waiting.chunks[number] = datagram
        waiting.size_bytes += len(datagram) + _CHUNK_COST
        self._bytes += len(datagram) + _CHUNK_COST
        if len(waiting.chunks) == count:
            self._forget(key)
            whole = b"".join(waiting.chunks[at][_HEADER_BYTES:] for at in range(count))
            yield *_opened(whole), sender
        while self._bytes > self._most_bytes:
            yield from self._given_up(next(iter(self._waiting)))

    def _given_up(self, key: tuple[Sender, bytes]) -> Iterator[Opened]:
        for _, chunk in sorted(self._forget(key).chunks.items()):
            yield chunk, False, key[0]

    def _forget(self, key: tuple[Sender, bytes]) -> _Waiting:
        waiting = self._waiting.pop(key)
        self._bytes -= waiting.size_bytes
        return waiting


def _opened(message: bytes) -> tuple[bytes, bool]:
    """Unpacked where it is packed; text that only looks so stays text."""
    if message[:2] != _GZIP and not _is_zlib(message):
        return message, True
    engine = zlib.decompressobj(_EITHER)
    try:
        unpacked = engine.decompress(message, RECORD_BYTES + 1)
    except zlib.error:
        return message, message.isascii()
    if len(unpacked) > RECORD_BYTES or not engine.eof:
        return message, message.isascii()
    return unpacked, True


def _is_zlib(message: bytes) -> bool:
    """As RFC 1950 has it: the method, and a check over the first two bytes."""
    return (
        message[:1] == _ZLIB_METHOD
        and len(message) > 2
        and int.from_bytes(message[:2], "big") % 31 == 0
    )
