"""Remembers content that was read and is no longer where it was, to know its copies again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tocsin.ingest.files.file_finding import There, are_siblings
from tocsin.ingest.files.file_fingerprint import Fingerprint, ReadAt
from tocsin.ingest.files.file_positions import CUT, GONE, FilePosition

_MOST = 1_000
_LOOKED_FOR_S = 15.0
"""So long a copy of content that may have gone on is looked for."""


@dataclass(slots=True)
class _Ended:
    """``was`` is the file that held it, ``marks`` are fingerprints of where reading stood."""

    position: FilePosition
    was: str
    since: float
    marks: Sequence[Fingerprint]
    is_looked_for: bool


class EndedContent:
    """Of one source, at most 1,000, the oldest forgotten first."""

    def __init__(self, positions: Sequence[FilePosition]) -> None:
        """``positions`` are those of content that had ended before."""
        self._all = [_Ended(one, "", 0.0, (), False) for one in positions]
        self.added: dict[str, FilePosition] = {}
        self.dropped: set[str] = set()

    def add(
        self, position: FilePosition, state: str, marks: Sequence[Fingerprint], now: float
    ) -> None:
        """Content before ``position``, whose file has gone or was truncated."""
        ended = position.ended(state)
        looked_for = state == CUT or position.behind > 0
        self._all.append(_Ended(ended, position.identity, now, tuple(marks), looked_for))
        self.added[ended.identity] = ended
        for old in self._all[:-_MOST]:
            self.drop(old.position)

    def drop(self, position: FilePosition) -> None:
        """Its copy is followed in its place."""
        self._all = [one for one in self._all if one.position is not position]
        self.added.pop(position.identity, None)
        self.dropped.add(position.identity)

    def beside(self, path: Path) -> list[FilePosition]:
        """Content of files that were named like it, in the same folder."""
        return [one.position for one in self._all if _may_be_in(one.position, path)]

    def looked_for(self, now: float) -> Iterator[FilePosition]:
        """Content that may have gone on after it was read last."""
        for one in self._all:
            one.is_looked_for = one.is_looked_for and now - one.since < _LOOKED_FOR_S
            if one.is_looked_for:
                yield one.position

    def continued_in(self, there: There, read: ReadAt, held_of: str) -> FilePosition | None:
        """The position in a file at which it goes on behind ended content, if it is a copy.

        ``held_of`` is the file that it was seen to be a copy of when that still was there. What
        was deleted after all of it was read is only known in such copies.
        """
        for one in reversed(self._all):
            told = one.position
            if not _may_be_in(told, there.path):
                continue
            is_held = bool(held_of) and one.was == held_of
            if told.state == GONE and not (is_held or told.behind):
                continue
            if there.size >= told.offset:
                if told.fingerprint.fits(read):
                    self.drop(told)
                    return told
            elif is_held or any(mark.fits(read) for mark in one.marks if mark.offset <= there.size):
                return replace(told, offset=there.size, head="", tail="")
        return None


def _may_be_in(position: FilePosition, path: Path) -> bool:
    known = Path(position.path)
    return known.parent == path.parent and are_siblings(known.name, path.name)
