"""Cuts what was added to a log file into raw batches, up to the last record that is whole."""

import codecs
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import orjson

from tocsin.ingest.cutting.cutting import Cut, Maker
from tocsin.ingest.cutting.line_cutter import cut_headed, cut_lines
from tocsin.ingest.cutting.recognition import Shape, recognize
from tocsin.ingest.files.file_positions import FilePosition
from tocsin.ingest.limits import RECORD_BYTES
from tocsin.ingest.records.w3c import is_header
from tocsin.model.record import Framing, RawBatch

_BOM = b"\xef\xbb\xbf"
_FRAMINGS = {Shape.ZEEK: Framing.ZEEK_TSV, Shape.W3C: Framing.W3C}


@dataclass(frozen=True, slots=True)
class Taken:
    """What was cut, and how much of the block it is; nothing used: wait for more."""

    cuts: list[Cut]
    used_bytes: int
    lines: int = 0
    inside: bool = False
    header: str = ""


class TailCutter:
    """Knows how the files of one source are written."""

    def __init__(self, encoding: str = "utf-8", start: Any = None) -> None:
        """``start`` is the compiled pattern a record's first line begins with; None: each does."""
        self._encoding = encoding
        self._start = start

    def of(self, head: bytes) -> "TailCutter":
        """For a file that begins with ``head``: a mark of UTF-16 says more than the settings."""
        if head.startswith(codecs.BOM_UTF16_LE):
            return TailCutter("utf-16-le", self._start)
        return (
            TailCutter("utf-16-be", self._start) if head.startswith(codecs.BOM_UTF16_BE) else self
        )

    def shape(self, head: bytes) -> Shape:
        """How such a file is cut."""
        return recognize(self._text(head).removeprefix(_BOM))

    def _text(self, content: bytes) -> bytes:
        if self._encoding == "utf-8":
            return content
        return content.decode(self._encoding, "replace").encode("utf-8", "replace")

    def last_newline(self, block: bytes) -> int:
        """The byte behind the last newline; 0 when there is none."""
        newline = "\n".encode(self._encoding)
        at = _find_last(block, newline)
        return at + len(newline) if at >= 0 else 0

    def cut(
        self, block: bytes, at: FilePosition, maker: Maker, shape: Shape, *, is_last: bool
    ) -> Taken:
        """Records of ``block``, which stands at the position; the last one may lack its end.

        With ``is_last`` no more of it is expected. A record over the limit comes out Unreadable,
        in pieces that name the byte of the file they begin at.
        """
        newline = "\n".encode(self._encoding)
        if at.inside:
            end = _find(block, newline)
            used = len(block) if end < 0 else end + len(newline)
            piece = block[: used if end < 0 else end]
            return Taken(_too_long(piece, at, maker), used, int(end >= 0), end < 0, at.header)
        end = _find_last(block, newline)
        if end < 0 and len(block) > RECORD_BYTES:
            return Taken(_too_long(block, at, maker), len(block), 0, True, at.header)
        used = end + len(newline)
        if is_last:
            end = end if used == len(block) else len(block)
            used = len(block)
        if end < 0 or not block:
            return Taken([], 0, header=at.header)
        return self._whole(block[:end], used, at, maker, shape, is_last=is_last)

    def _whole(
        self,
        content: bytes,
        used: int,
        at: FilePosition,
        maker: Maker,
        shape: Shape,
        *,
        is_last: bool,
    ) -> Taken:
        text = self._text(content)
        if not at.offset:
            text = text.removeprefix(_BOM)
        if self._start is not None and shape is Shape.LINES:
            return self._records(text, content, used, at, maker, is_last=is_last)
        lines = text.count(b"\n") + 1
        if shape in _FRAMINGS:
            return _headed(text, used, lines, at, maker, _FRAMINGS[shape], is_last=is_last)
        return Taken(_placed(text, maker, at.lines), used, lines, False, at.header)

    def _records(
        self,
        text: bytes,
        content: bytes,
        used: int,
        at: FilePosition,
        maker: Maker,
        *,
        is_last: bool,
    ) -> Taken:
        """Records of several lines, each as a document with the lines as its message."""
        lines = text.split(b"\n")
        records: list[list[bytes]] = []
        for line in lines:
            if not records or self._start.match(line):
                records.append([])
            records[-1].append(line)
        if not is_last and len(text) <= RECORD_BYTES:
            waiting = records.pop()
            if not records:
                return Taken([], 0, header=at.header)
            left = len(waiting)
            used = _behind_lines(content, len(lines) - left, "\n".encode(self._encoding))
            lines = lines[:-left]
        documents: list[bytes] = []
        for record in records:
            message = b"\n".join(line.rstrip(b"\r") for line in record)
            if message.strip():
                documents.append(orjson.dumps({"message": message.decode("utf-8", "replace")}))
        cuts = [
            replace(cut, framing=Framing.DOCUMENTS) if isinstance(cut, RawBatch) else cut
            for cut in _placed(b"\n".join(documents), maker, at.lines)
        ]
        return Taken(cuts, used, len(lines), False, at.header)


def _too_long(piece: bytes, at: FilePosition, maker: Maker) -> list[Cut]:
    if not piece:
        return []
    reason = f"part of a record over the {RECORD_BYTES:,} byte limit, from byte {at.offset:,} on"
    return [maker.unreadable(at.lines + 1, reason, piece)]


def _headed(
    text: bytes,
    used: int,
    lines: int,
    at: FilePosition,
    maker: Maker,
    framing: Framing,
    *,
    is_last: bool,
) -> Taken:
    """Every batch begins with the header in force; a header alone waits for what it is of."""
    known = at.header.encode()
    before = at.lines - (known.count(b"\n") + 1 if known else 0)
    joined = b"\n".join(filter(None, (known, text)))
    cuts = [_behind(cut, before) for cut in cut_headed(BytesIO(joined), maker, framing)]
    headed = [cut.payload for cut in cuts if isinstance(cut, RawBatch)]
    if headed:
        top = headed[-1].split(b"\n")
        header = b"\n".join(top[: next(n for n, line in enumerate(top) if not is_header(line))])
    elif is_last:
        header = joined
    else:
        return Taken([], 0, header=at.header)
    return Taken(cuts, used, lines, False, header.decode("utf-8", "replace"))


def _placed(text: bytes, maker: Maker, before: int) -> list[Cut]:
    return [_behind(cut, before) for cut in cut_lines(BytesIO(text), maker)]


def _behind(cut: Cut, before: int) -> Cut:
    """With the number its first line has in the file."""
    if isinstance(cut, RawBatch):
        return replace(cut, first_ordinal=max(1, cut.first_ordinal + before))
    return replace(cut, ordinal=max(1, cut.ordinal + before))


def _find(block: bytes, newline: bytes, start: int = 0) -> int:
    """The first newline, where a character of the encoding begins; -1 for none."""
    at = block.find(newline, start)
    while at >= 0 and at % len(newline):
        at = block.find(newline, at + 1)
    return at


def _find_last(block: bytes, newline: bytes) -> int:
    at = block.rfind(newline)
    while at >= 0 and at % len(newline):
        at = block.rfind(newline, 0, at + len(newline) - 1)
    return at


def _behind_lines(content: bytes, count: int, newline: bytes) -> int:
    """The byte behind so many lines."""
    at = 0
    for _ in range(count):
        at = _find(content, newline, at) + len(newline)
    return at
