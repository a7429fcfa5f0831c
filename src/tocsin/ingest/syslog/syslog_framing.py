"""Cuts a syslog TCP stream into messages: octet counting, newlines or NULs (RFC 6587 §3.4)."""

import re
from typing import TypeAlias

from tocsin.ingest.limits import RECORD_BYTES

_COUNT = re.compile(rb"([1-9]\d{0,8}) ")
_PERHAPS_COUNT = re.compile(rb"[1-9]\d{0,8}(?: <?)?")
_ENDS = b"\r\n\0"
_OTHER_ENDS = {b"\n": (b"\r", b"\0"), b"\0": (b"\r", b"\n")}
_BETWEEN = (b"\n", b"\r", b" ")

Message: TypeAlias = tuple[bytes, bool]
"""What was sent, and whether that is all of it."""


class StreamFraming:
    """Messages of one connection; the framing is told from its first bytes.

    Objects (GELF) may end with a NUL instead of a newline: what ends the first one ends all.
    ``feed`` and ``finish`` give messages, each with True; pieces of one that is too large to
    hold come with False, they can only be kept.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._wanted = 0  # bytes that a counted message needs which has begun
        self._counted: bool | None = None
        self._end = b""  # what ends a message that has no count, once one has ended
        self._left = 0  # bytes still to come of a counted message that is too large

    def feed(self, data: bytes) -> list[Message]:
        """The messages that ``data`` completes, each with whether it is whole."""
        self._buffer += data
        if self._counted is None:
            self._tell_framing()
        if self._counted is None:
            return []
        return self._counted_messages() if self._counted else self._lines()

    def finish(self) -> list[Message]:
        """What is left when the connection ends: a last line needs no newline."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        if self._counted and not self._left:
            count = _COUNT.match(rest)
            if count:  # a message that was cut off: what came of it is a message still
                rest = rest[count.end() :]
        stripped = rest.strip(_ENDS)
        return [(stripped, self._left == 0)] if stripped else []

    def _tell_framing(self) -> None:
        head = bytes(self._buffer[:11])
        counted = re.match(rb"[1-9]\d{0,8} <", head)
        if counted:
            self._counted = True
        elif not _PERHAPS_COUNT.fullmatch(head):
            self._counted = False

    def _lines(self) -> list[Message]:
        found: list[Message] = []
        buffer = self._buffer
        last = buffer.rfind(self._end, self._scanned) if self._told_end() else -1
        if last >= 0:
            found = self._split(bytes(buffer[:last]))
            del buffer[: last + 1]
        self._scanned = len(buffer)
        if len(buffer) > RECORD_BYTES:
            found.append(self._tear(len(buffer)))
            self._scanned = 0
            self._left = 1
        return found

    def _told_end(self) -> bool:
        """Whether it is known what ends messages."""
        if not self._end and self._buffer[:1] != b"{":
            self._end = b"\n"
        elif not self._end:
            newline, nul = (self._buffer.find(end, self._scanned) for end in (b"\n", b"\0"))
            if newline >= 0 or nul >= 0:
                self._end = b"\0" if nul >= 0 and (newline < 0 or nul < newline) else b"\n"
        return bool(self._end)

    def _split(self, ended: bytes) -> list[Message]:
        """The messages of some lines, the last without its end."""
        lines = ended.split(self._end)
        if self._left or len(ended) > RECORD_BYTES:
            wholes = [len(line) <= RECORD_BYTES for line in lines]
            wholes[0] &= self._left == 0
            self._left = 0
            stripped = (
                (line.strip(_ENDS), whole) for line, whole in zip(lines, wholes, strict=True)
            )
            return [(line, whole) for line, whole in stripped if line]
        if any(end in ended for end in _OTHER_ENDS[self._end]):
            lines = [line.strip(_ENDS) for line in lines]
        return [(line, True) for line in lines if line]

    def _counted_messages(self) -> list[Message]:
        if len(self._buffer) < self._wanted:
            return []
        self._wanted = 0
        found: list[Message] = []
        while self._buffer:
            if self._left:
                taken = min(self._left, len(self._buffer))
                if taken < self._left and taken < RECORD_BYTES:
                    break
                self._left -= taken
                found.append(self._tear(taken))
                continue
            content = bytes(self._buffer)
            at, needs_more = self._cut(content, found)
            del self._buffer[:at]
            if needs_more or not self._counted:
                break
        return found if self._counted else found + self._lines()

    def _cut(self, content: bytes, found: list[Message]) -> tuple[int, bool]:
        """Put the whole messages at the top of ``content`` to ``found``.

        Tells how far that went, and whether more has to come. One that is too large leaves its
        size in ``_left``; where no count is, the stream goes on by lines.
        """
        at = 0
        while True:
            while content[at : at + 1] in _BETWEEN:  # some senders end counted messages, too
                at += 1
            count = _COUNT.match(content, at)
            if count is None:
                rest = content[at : at + 10]
                if not rest or (len(rest) < 10 and rest.isdigit()):
                    return at, True
                self._counted = False  # out of step: no count where one has to be
                return at, False
            size, start = int(count[1]), count.end()
            if size > RECORD_BYTES:
                self._left = size
                return start, False
            if len(content) < start + size:
                self._wanted = start + size - at
                return at, True
            at = start + size
            message = content[start:at].strip(_ENDS)
            if message:
                found.append((message, True))

    def _tear(self, size: int) -> Message:
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece, False
