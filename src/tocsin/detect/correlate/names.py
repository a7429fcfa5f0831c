"""Texts by their hash, held close: a few immutable pieces, each in order of hash."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.correlate.ordered_runs import Keys, among

_GROWTH = 4
_KIND = pa.large_string()


@dataclass(frozen=True, slots=True)
class NamesPiece:
    """Some texts; ``keys`` ascend, ``number`` names the piece for as long as it lives."""

    keys: Keys
    texts: pa.Array
    number: int

    @classmethod
    def of(cls, keys: Keys, texts: pa.Array, number: int) -> "NamesPiece":
        order = np.argsort(keys)
        return cls(keys[order], texts.cast(_KIND).take(pa.array(order)), number)


@dataclass(frozen=True, slots=True)
class Names:
    """About 16 bytes a text beside the text itself; ``swept`` were held after the last sweep."""

    pieces: tuple[NamesPiece, ...] = ()
    next_number: int = 0
    swept: int = 0

    def __len__(self) -> int:
        return sum(len(piece.keys) for piece in self.pieces)

    def get(self, key: int) -> str | None:
        wanted = np.uint64(key)
        for piece in self.pieces:
            at = int(np.searchsorted(piece.keys, wanted))
            if at < len(piece.keys) and piece.keys[at] == wanted:
                return str(piece.texts[at].as_py())
        return None

    def unknown(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Which of the keys have no text."""
        missing = np.ones(len(keys), bool)
        for piece in self.pieces:
            missing &= ~among(keys, piece.keys)
        return missing

    def beginning_with(self, start: str) -> dict[int, str]:
        """The texts that begin so, by key."""
        found: dict[int, str] = {}
        for piece in self.pieces:
            at = np.flatnonzero(pc.starts_with(piece.texts, start).to_numpy(zero_copy_only=False))
            texts = piece.texts.take(pa.array(at)).to_pylist()
            found.update(zip(piece.keys[at].tolist(), texts, strict=True))
        return found

    def added(self, fresh: Mapping[int, str]) -> "Names":
        """With texts of keys that were unknown."""
        if not fresh:
            return self
        keys = np.fromiter(fresh.keys(), np.uint64, len(fresh))
        parts = [NamesPiece.of(keys, pa.array(fresh.values(), _KIND), self.next_number)]
        kept = list(self.pieces)
        size = len(keys)
        while kept and len(kept[-1].keys) < _GROWTH * size:
            parts.append(kept.pop())
            size += len(parts[-1].keys)
        return Names((*kept, _merged(parts, self.next_number)), self.next_number + 1, self.swept)

    def only(self, live: Keys) -> "Names":
        """With the texts of these keys (ascending) alone, in one piece."""
        if not self.pieces:
            return self
        whole = _merged(self.pieces, self.next_number)
        kept = np.flatnonzero(among(whole.keys, live))
        texts = whole.texts.take(pa.array(kept))
        piece = NamesPiece(whole.keys[kept], texts, self.next_number)
        pieces = (piece,) if len(kept) else ()
        return Names(pieces, self.next_number + 1, len(kept))


def _merged(parts: "list[NamesPiece] | tuple[NamesPiece, ...]", number: int) -> NamesPiece:
    if len(parts) == 1:
        return NamesPiece(parts[0].keys, parts[0].texts, number)
    keys = np.concatenate([part.keys for part in parts])
    return NamesPiece.of(keys, pa.concat_arrays([part.texts for part in parts]), number)
