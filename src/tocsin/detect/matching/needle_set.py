"""Which texts hold any of very many needles: in time that does not grow with their number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_WIDTHS = (8, 4, 2, 1)
_PLACES = 4
"""Of a needle so many places are considered, that of which fewest others have the like is taken."""
_AT_ONCE = 1_000_000
"""Positions looked at in one go, to bound the memory."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

_Bytes = npt.NDArray[np.uint8]
_Words = npt.NDArray[np.uint64]
_Places = npt.NDArray[np.int64]


class NeedleSet:
    """Looks every few bytes of a text up among those of the needles, and compares where they meet.

    Nothing is compiled: a needle costs about 5 µs once and 500 B.
    """

    def __init__(self, needles: Sequence[str]) -> None:
        encoded = sorted({needle.encode("utf-8", "surrogatepass") for needle in needles})
        self._always = b"" in encoded
        by_width: dict[int, list[bytes]] = {}
        for needle in encoded:
            if needle:
                width = next(width for width in _WIDTHS if width <= len(needle))
                by_width.setdefault(width, []).append(needle)
        self._tables = [_Table.of(width, mine) for width, mine in by_width.items()]

    def occur_in(self, texts: Sequence[str]) -> list[bool]:
        """Of each text whether it holds any needle."""
        if self._always or not texts:
            return [self._always] * len(texts)
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        ends = np.cumsum([len(text) for text in encoded])
        joined = b"".join(encoded)
        found = np.zeros(len(texts), bool)
        for table in self._tables:
            table.look(joined, ends, found)
        return found.tolist()


@dataclass(frozen=True, slots=True)
class _Table:
    """Needles by ``width`` bytes of theirs: those of ``keys[i]`` are ``order[starts[i]:starts[i+1]]``."""

    width: int
    keys: _Words
    starts: _Places
    order: _Places
    offsets: _Places
    needles: list[bytes]
    seen: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, width: int, needles: list[bytes]) -> "_Table":
        lengths = np.array([len(needle) for needle in needles])
        begins = np.cumsum(lengths) - lengths
        joined = np.frombuffer(b"".join(needles), np.uint8)
        offsets = np.stack([(lengths - width) * n // (_PLACES - 1) for n in range(_PLACES)])
        words = np.stack([_words_at(joined, begins + offset, width) for offset in offsets])
        _, inverse, counts = np.unique(words, return_inverse=True, return_counts=True)
        rarest = counts[inverse].reshape(words.shape).argmin(axis=0)
        each = np.arange(len(needles))
        mine = words[rarest, each]
        keys, ranks = np.unique(mine, return_inverse=True)
        starts = np.concatenate([[0], np.cumsum(np.bincount(ranks))])
        bits = min(max(len(needles).bit_length() + 5, 12), 26)
        seen = np.zeros(1 << bits, bool)
        seen[_slots(keys, bits)] = True
        order = np.argsort(ranks, kind="stable")
        return cls(width, keys, starts, order, offsets[rarest, each], needles, seen)

    def look(self, text: bytes, ends: _Places, found: npt.NDArray[np.bool_]) -> None:
        """Mark the texts (they end at ``ends``) that hold a needle."""
        for place, key in self._meetings(text):
            at = int(np.searchsorted(ends, place, side="right"))
            if found[at]:
                continue
            begin, end = int(ends[at - 1]) if at else 0, int(ends[at])
            for one in self.order[self.starts[key] : self.starts[key + 1]].tolist():
                first = place - int(self.offsets[one])
                if first >= begin and text.startswith(self.needles[one], first, end):
                    found[at] = True
                    break

    def _meetings(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Places whose bytes are some needle's, and the position of these among the keys."""
        array = np.frombuffer(text, np.uint8)
        bits = len(self.seen).bit_length() - 1
        for start in range(0, len(text) - self.width + 1, _AT_ONCE):
            part = array[start : start + _AT_ONCE + self.width - 1]
            windows = np.lib.stride_tricks.sliding_window_view(part, self.width)
            words = _as_words(windows)
            at = np.flatnonzero(self.seen[_slots(words, bits)])
            keys = np.minimum(np.searchsorted(self.keys, words[at]), len(self.keys) - 1)
            same = self.keys[keys] == words[at]
            yield from zip((at[same] + start).tolist(), keys[same].tolist(), strict=True)


def _words_at(joined: _Bytes, places: _Places, width: int) -> _Words:
    return _as_words(joined[places[:, None] + np.arange(width)])


def _as_words(rows: _Bytes) -> _Words:
    """Each row of bytes as one number."""
    width = rows.shape[1]
    return np.ascontiguousarray(rows).view(f"<u{width}")[:, 0].astype(np.uint64)


def _slots(words: _Words, bits: int) -> _Words:
    with np.errstate(over="ignore"):
        mixed = (words ^ (words >> np.uint64(29))) * _MULTIPLIER
    return mixed >> np.uint64(64 - bits)
