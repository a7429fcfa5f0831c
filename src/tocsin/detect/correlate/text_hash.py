"""Texts as 64-bit numbers: equal for texts that differ in letter case only."""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.matching.vocabulary import fold

Hashes = npt.NDArray[np.uint64]

_REMEMBERED = 200_000
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_FINISH = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(32)


def hash_of(text: str) -> int:
    """BLAKE2b of the UTF-8 bytes, 8 bytes of it: nobody makes two texts meet a third on purpose."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


def mixed(left: Hashes, right: Hashes | np.uint64) -> Hashes:
    """One hash of two, in this order."""
    with np.errstate(over="ignore"):
        together = (left * _MULTIPLIER) ^ (left >> _SHIFT)
        together = (together + right) * _FINISH
        together ^= together >> _SHIFT
        return together * _MULTIPLIER


class TextHashes:
    """Hashes of folded texts, remembering those of late."""

    def __init__(self) -> None:
        self._known: dict[str | None, int] = {}

    def of(self, texts: pa.Array) -> tuple[Hashes, list[str]]:
        """The hash of each text and the text folded; 0 and empty for null.

        NUL, which parts the names of groups, is shown as U+FFFD.
        """
        folded = fold(texts).to_pylist()
        if len(self._known) > _REMEMBERED:
            self._known = {}
        known = self._known
        hashes = [known.get(text, -1) for text in folded]
        if -1 in hashes:
            for at, found in enumerate(hashes):
                if found < 0:
                    text = folded[at]
                    hashes[at] = known[text] = 0 if text is None else hash_of(text) or 1
        if texts.null_count or pc.any(pc.match_substring(texts, "\0")).as_py():
            folded = ["" if text is None else text.replace("\0", "\ufffd") for text in folded]
        return np.array(hashes, np.uint64), folded
