"""The distinct texts of a field, and what is already known about each of them."""

from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.detect.matching.predicate import FALSE, UNKNOWN, Predicate

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_Verdicts = npt.NDArray[np.uint8]

CAPACITY = 16_384
"""Texts a vocabulary keeps over batches before it starts anew; bounds the memory of verdicts."""


def fold(texts: pa.Array) -> pa.Array:
    """Each text case-folded as ``str.casefold`` does; null stays null."""
    is_ascii = pc.string_is_ascii(texts)
    folded = pc.ascii_lower(texts)
    if pc.all(is_ascii).as_py() is not False:
        return folded
    others = pc.invert(is_ascii).fill_null(False)
    few = [text.casefold() for text in texts.filter(others).to_pylist()]
    return pc.replace_with_mask(folded, others, pa.array(few, texts.type))


@dataclass(slots=True)
class KnownHits:
    """A scanner's finds: the rules by code, of the first ``scanned`` texts."""

    scanned: int = 0
    rules: dict[int, Codes] = field(default_factory=dict)


class Vocabulary:
    """Distinct texts by code, with verdicts of matchers and hits of scanners remembered.

    A text may be None: a value without a text (an object), which no pattern matches.
    """

    def __init__(self) -> None:
        self._texts: list[str | None] = []
        self._folded: list[str | None] = []
        self._codes: dict[str | None, int] = {}
        self._verdicts: dict[int, _Verdicts] = {}
        self._hits: dict[Hashable, KnownHits] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def codes_of(self, texts: Sequence[str | None]) -> Codes:
        """The code of each text; new ones are learned."""
        get = self._codes.get
        found = [get(text) for text in texts]
        for at, code in enumerate(found):
            if code is None:
                found[at] = self._learned(texts[at])
        return np.array(found, np.int64)

    def codes_of_rows(self, texts: Sequence[str | None]) -> Codes:
        """The same for the values of rows, where None is no value: code -1."""
        get = self._codes.get
        found = [-1 if text is None else get(text) for text in texts]
        for at, code in enumerate(found):
            if code is None:
                found[at] = self._learned(texts[at])
        return np.array(found, np.int64)

    def _learned(self, text: str | None) -> int:
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = len(self._texts)
            self._texts.append(text)
            self._folded.append(None if text is None else text.casefold())
        return code

    def texts(self, codes: Codes, *, folded: bool) -> list[str | None]:
        source = self._folded if folded else self._texts
        return [source[code] for code in codes.tolist()]

    def array(self, codes: Codes, *, folded: bool) -> pa.Array:
        return pa.array(self.texts(codes, folded=folded), pa.string())

    def verdicts(self, key: int, predicate: Predicate, codes: Codes) -> _Verdicts:
        """The verdict of a matcher by code, asked for ``codes``; code -1 is false.

        A verdict may stay ``UNKNOWN`` (counts as no) where the predicate was not to be had.
        """
        verdicts = self._verdicts.get(key)
        if verdicts is None or len(verdicts) <= len(self):
            verdicts = self._verdicts[key] = self._grown(verdicts)
        seen = verdicts[codes]
        if seen.size and seen.max() == UNKNOWN:
            asked = np.zeros(len(verdicts), np.bool_)
            asked[codes[seen == UNKNOWN]] = True
            todo = np.flatnonzero(asked)
            self._judge(verdicts, predicate, todo)
        return verdicts

    def _judge(self, verdicts: _Verdicts, predicate: Predicate, codes: Codes) -> None:
        if predicate.test is None:
            verdicts[codes] = predicate.in_array(self.array(codes, folded=predicate.folded))
            return
        found = self.texts(codes, folded=predicate.folded)
        texts = [text for text in found if text is not None]
        if len(texts) < len(found):
            verdicts[codes] = FALSE
            codes = codes[np.array([text is not None for text in found])]
        verdicts[codes] = predicate.test(texts)

    def _grown(self, before: _Verdicts | None) -> _Verdicts:
        size = self._room()
        verdicts = np.full(size + 1, UNKNOWN, np.uint8)
        if before is not None:
            verdicts[: len(before) - 1] = before[:-1]
        verdicts[size] = FALSE
        return verdicts

    def _room(self) -> int:
        size = 256
        while size < len(self):
            size *= 4
        return size

    def known_hits(self, scanner: Hashable) -> KnownHits:
        """What the scanner has found so far; to be added to by it."""
        known = self._hits.get(scanner)
        if known is None:
            known = self._hits[scanner] = KnownHits()
        return known

    def keep_hits(self, scanners: Set[Hashable]) -> None:
        """Forget what other scanners than these have found."""
        self._hits = {one: known for one, known in self._hits.items() if one in scanners}


class PassingVocabulary(Vocabulary):
    """The texts of one batch of a field whose values hardly ever repeat: kept as Arrow."""

    def __init__(self, texts: pa.Array) -> None:
        super().__init__()
        self._array = texts
        self._folded_texts: pa.Array | None = None
        self._lists: dict[bool, list[str | None]] = {}
        self._asked = {True: 0, False: 0}

    def __len__(self) -> int:
        return len(self._array)

    def texts(self, codes: Codes, *, folded: bool) -> list[str | None]:
        whole = self._lists.get(folded)
        if whole is None:
            source = self.all_folded() if folded else self._array
            self._asked[folded] += len(codes)
            if self._asked[folded] * 4 < len(source):
                few: list[str | None] = source.take(pa.array(codes)).to_pylist()
                return few
            whole = self._lists[folded] = source.to_pylist()
        return [whole[code] for code in codes.tolist()]

    def all_folded(self) -> pa.Array:
        if self._folded_texts is None:
            self._folded_texts = fold(self._array)
        return self._folded_texts

    def array(self, codes: Codes, *, folded: bool) -> pa.Array:
        whole = self.all_folded() if folded else self._array
        return whole if len(codes) == len(self) else whole.take(pa.array(codes))

    def _room(self) -> int:
        return len(self)
