"""Cuts JSON arrays and pretty-printed objects of any length into one object a line."""

import re
from collections.abc import Iterator

from tocsin.ingest.cutting.cutting import ByteStream, Cut, Grouping, Maker
from tocsin.ingest.cutting.wrapped import MEMBERS, opened_subscription
from tocsin.ingest.limits import BATCH_BYTES, KEPT_BYTES, RECORD_BYTES

# Everything up to the next bracket, stepping over whole strings.
TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+', re.DOTALL)
_ARRAY = re.compile(rb"\s*\[")
_BETWEEN = re.compile(rb"[\s,]*")
_SCALAR = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^,\[\]{}"\s]+')
_BLANKS = b" \t\r\n"
_NEWLINES = bytes.maketrans(b"\r\n", b"  ")


def cut_json(stream: ByteStream, maker: Maker) -> Iterator[Cut]:
    """Batches of the objects in a run of values: objects, arrays of them, ``{"Records": […]}``.

    What such a wrapper has beside its records is one more. Objects are numbered from 1 over the
    whole input. Line ends between tokens become blanks. What is no JSON value, and an object that
    is too large or cut off, comes out Unreadable.
    """
    grouping = Grouping(maker.batch)
    for value, reason in _Values(stream):
        if reason:
            yield from grouping.skip()
            yield maker.unreadable(grouping.taken, reason, value)
        else:
            for record in opened_subscription(value):
                yield from grouping.add(record.translate(_NEWLINES))
    yield from grouping.rest()


class _Values:
    """The values one by one, each with the reason why it can't be taken (empty: it can)."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self._ended = False

    def __iter__(self) -> Iterator[tuple[bytes, str]]:
        inside = 0  # 1 within an array, 2 within the array of a Records object
        while self._seek():
            mark = self._buffer[self._at]
            if inside and mark == 0x5D:  # ]
                self._at += 1
                if inside == 2:
                    yield from self._leave_wrapper()
                inside = 0
            elif not inside and (opening := self._opening()):
                inside = opening
            elif mark in b"{[":
                yield self._container()
            elif mark in b"}]":
                yield self._line("unexpected closing bracket")
            else:
                yield self._scalar()

    def _seek(self) -> bool:
        """Step to the next value; False at the end of the input."""
        while True:
            found = _BETWEEN.match(self._buffer, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._buffer):
                return True
            if not self._more():
                return False

    def _opening(self) -> int:
        while len(self._buffer) - self._at < 4096 and self._more():
            pass
        for kind, pattern in ((2, MEMBERS), (1, _ARRAY)):
            found = pattern.match(self._buffer, self._at)
            if found:
                self._at = found.end()
                return kind
        return 0

    def _container(self) -> tuple[bytes, str]:
        whole, at, depth = False, self._at, 0
        while not whole:
            at, depth = _walk(self._buffer, at, depth)
            whole = depth == 0 and at > self._at
            if whole:
                break
            offset = at - self._at
            if len(self._buffer) - self._at > KEPT_BYTES or not self._more():
                break
            at = self._at + offset
        if not whole:
            at = len(self._buffer)
        value = self._buffer[self._at : at]
        self._at = at
        if not whole and self._ended:
            return value, "the input ends inside this JSON value"
        if len(value) > RECORD_BYTES:
            return value, f"JSON value of {len(value):,} bytes, over the {RECORD_BYTES:,} limit"
        return value, ""

    def _scalar(self) -> tuple[bytes, str]:
        while not (found := _SCALAR.match(self._buffer, self._at)) or (
            found.end() == len(self._buffer) and not self._ended
        ):
            if len(self._buffer) - self._at > RECORD_BYTES or not self._more():
                break
        if not found:
            return self._line("not a JSON value")
        self._at = found.end()
        return found[0], "not a JSON object"

    def _line(self, reason: str) -> tuple[bytes, str]:
        """What is left of this line, when it makes no sense as JSON."""
        while (end := self._buffer.find(b"\n", self._at)) < 0:
            if len(self._buffer) - self._at > RECORD_BYTES or not self._more():
                end = len(self._buffer)
                break
        value = self._buffer[self._at : end]
        self._at = end
        return value, reason

    def _leave_wrapper(self) -> Iterator[tuple[bytes, str]]:
        """What follows the array in its wrapping object, as an object of its own."""
        depth, rest = 1, b""
        while True:
            begin = self._at
            self._at, depth = _walk(self._buffer, self._at, depth)
            if len(rest) < RECORD_BYTES:
                rest += self._buffer[begin : self._at]
            if depth == 0 or not self._more():
                break
        rest = rest.strip(_BLANKS)
        if rest.startswith(b","):
            yield b"{" + rest[1:], ""
        elif rest.removesuffix(b"}"):
            yield rest, "not what follows an array within a JSON object"

    def _more(self) -> bool:
        """Read on: as much again as is held, so that long values are not walked over and over."""
        held = len(self._buffer) - self._at
        block = self._stream.read(min(max(BATCH_BYTES, held), RECORD_BYTES))
        self._ended = not block
        self._buffer = self._buffer[self._at :] + block
        self._at = 0
        return bool(block)


def _walk(buffer: bytes, at: int, depth: int) -> tuple[int, int]:
    """Go on until the brackets close (depth 0) or the buffer gives no more."""
    while True:
        found = TO_BRACKET.match(buffer, at)
        at = found.end() if found else at
        if at >= len(buffer) or buffer[at] == 0x22:  # a string that is not closed yet
            return at, depth
        depth += 1 if buffer[at] in b"{[" else -1
        at += 1
        if depth <= 0:
            return at, 0
