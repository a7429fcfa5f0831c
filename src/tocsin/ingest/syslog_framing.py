"""Cuts a syslog TCP stream into messages: octet counting, newlines or NULs (RFC 6587 §3.4)."""

import re
from collections.abc import Iterator

from tocsin.ingest.limits import RECORD_BYTES

_COUNT = re.compile(rb"([1-9]\d{0,8}) ")
_PERHAPS_COUNT = re.compile(rb"[1-9]\d{0,8}(?: <?)?")
_ENDS = b"\r\n\0"


class StreamFraming:
    """Messages of one connection; the framing is told from its first bytes.

    Objects (GELF) may end with a NUL instead of a newline: what ends the first one ends all.
    ``feed`` and ``finish`` yield messages, each with True; pieces of one that is too large to
    hold come with False, they can only be kept.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._counted: bool | None = None
        self._end = b""  # what ends a message that has no count, once one has ended
        self._left = 0  # bytes still to come of a counted message that is too large

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """The messages that ``data`` completes, each with whether it is whole."""
        self._buffer += data
        if self._counted is None:
            self._tell_framing()
        if self._counted is not None:
            yield from self._counted_messages() if self._counted else self._lines()

    def finish(self) -> Iterator[tuple[bytes, bool]]:
        """What is left when the connection ends: a last line needs no newline."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        if self._counted and not self._left:
            count = _COUNT.match(rest)
            if count:  # a message that was cut off: what came of it is a message still
                rest = rest[count.end() :]
        if rest.strip(_ENDS):
            yield rest.strip(_ENDS), self._left == 0

    def _tell_framing(self) -> None:
        head = bytes(self._buffer[:11])
        counted = re.match(rb"[1-9]\d{0,8} <", head)
        if counted:
            self._counted = True
        elif not _PERHAPS_COUNT.fullmatch(head):
            self._counted = False

    def _lines(self) -> Iterator[tuple[bytes, bool]]:
        buffer = self._buffer
        while (end := self._next_end()) >= 0:
            message = bytes(buffer[:end])
            del buffer[: end + 1]
            self._scanned = 0
            whole, self._left = self._left == 0 and end <= RECORD_BYTES, 0
            if message.strip(_ENDS):
                yield message.strip(_ENDS), whole
        self._scanned = len(buffer)
        if len(buffer) > RECORD_BYTES:
            yield self._tear(len(buffer))
            self._scanned = 0
            self._left = 1

    def _next_end(self) -> int:
        if not self._end and self._buffer[:1] != b"{":
            self._end = b"\n"
        elif not self._end:
            newline, nul = (self._buffer.find(end, self._scanned) for end in (b"\n", b"\0"))
            if newline < 0 and nul < 0:
                return -1
            self._end = b"\0" if nul >= 0 and (newline < 0 or nul < newline) else b"\n"
        return self._buffer.find(self._end, self._scanned)

    def _counted_messages(self) -> Iterator[tuple[bytes, bool]]:
        buffer = self._buffer
        while buffer:
            if self._left:
                taken = min(self._left, len(buffer))
                if taken < self._left and taken < RECORD_BYTES:
                    return
                self._left -= taken
                yield self._tear(taken)
                continue
            while bytes(buffer[:1]) in (
                b"\n",
                b"\r",
                b" ",
            ):  # some senders end counted messages, too
                del buffer[:1]
            count = _COUNT.match(buffer)
            if count is None:
                if not buffer or (len(buffer) < 10 and buffer.isdigit()):
                    return
                self._counted = False  # out of step: no count where one has to be
                yield from self._lines()
                return
            size = int(count[1])
            start = count.end()
            count = None  # releases the buffer, which may then be cut
            if size > RECORD_BYTES:
                del buffer[:start]
                self._left = size
                continue
            if len(buffer) < start + size:
                return
            message = bytes(buffer[start : start + size]).strip(_ENDS)
            del buffer[: start + size]
            if message:
                yield message, True

    def _tear(self, size: int) -> tuple[bytes, bool]:
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece, False
