"""Where any of many byte strings occur in a text: by an automaton once that pays, before by hand."""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

import hyperscan
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tocsin.detect.matching.compiled_store import CompiledStore

Text: TypeAlias = bytes | pa.Buffer
Ids = npt.NDArray[np.int64]
_NONE: Ids = np.empty(0, np.int64)

_GRAM = 4
_COMPILING_COSTS_BYTES = 75_000
_COMPILING_COSTS_BYTES_A_NEEDLE = 250
"""What searching by hand gets through in the time it takes to compile (measured: 15 ms and 50 µs
a needle against 0.2 µs a byte)."""
_LARGE_BYTES = 4_000_000
"""After so much, more is sure to come."""


class NeedleFinder:
    """Finds needles (distinct, not empty, no NUL inside) in ever more text.

    Hyperscan's automaton is taken from ``store`` where it is kept. Where it is not, the first
    texts are looked through by ``ByHand``, ready in milliseconds, until so much has come that
    compiling would have paid. Both find the same.
    """

    def __init__(self, needles: Sequence[bytes], store: CompiledStore | None = None) -> None:
        self.needles = tuple(needles)
        self._store = store
        self._by_hand: ByHand | None = None
        self._database: hyperscan.Database | None = None
        self._scanned_bytes = 0
        costs_bytes = _COMPILING_COSTS_BYTES + _COMPILING_COSTS_BYTES_A_NEEDLE * len(self.needles)
        self._enough_bytes = min(costs_bytes, _LARGE_BYTES)

    def ends(self, text: Text) -> tuple[Ids, Ids]:
        """Number of the needle and end of the place for every occurrence, in no order."""
        database = self._database or self._got_ready(len(text))
        if database is not None:
            return _scanned(database, text)
        assert self._by_hand is not None  # noqa: S101 - made ready where no automaton was
        return self._by_hand.ends(bytes(text))

    def occurs_in(self, text: Text) -> bool:
        """Whether any needle occurs."""
        database = self._database or self._got_ready(len(text))
        if database is None:
            assert self._by_hand is not None  # noqa: S101 - made ready where no automaton was
            return bool(len(self._by_hand.ends(bytes(text))[0]))
        seen: list[int] = []

        def on_match(number: int, _start: int, _end: int, _flags: int, _context: object) -> bool:
            seen.append(number)
            return True

        with suppress(hyperscan.ScanTerminated):
            database.scan(text, match_event_handler=on_match)
        return bool(seen)

    def _got_ready(self, size_bytes: int) -> hyperscan.Database | None:
        """The automaton when there is one by now."""
        self._scanned_bytes += size_bytes
        if self._by_hand is None:
            self._database = self._kept()
        if self._database is None and self._scanned_bytes >= self._enough_bytes:
            self._database = _compiled(self.needles)
            if self._store is not None:
                self._store.put(self._key(), hyperscan.dumpb(self._database))
        if self._database is not None:
            self._by_hand = None
        elif self._by_hand is None:
            self._by_hand = ByHand(self.needles)
        return self._database

    def _kept(self) -> hyperscan.Database | None:
        entry = self._store.get(self._key()) if self._store is not None else None
        if entry is None:
            return None
        try:
            database = hyperscan.loadb(entry, hyperscan.HS_MODE_BLOCK)
            database.scratch = hyperscan.Scratch(database)
        except hyperscan.error:
            return None
        return database

    def _key(self) -> str:
        digest = blake2b(_platform().encode(), digest_size=20)
        for needle in self.needles:
            digest.update(len(needle).to_bytes(4, "little") + needle)
        return f"literals-{digest.hexdigest()}"


class ByHand:
    """Finds needles by four bytes of their middle that the text must have."""

    def __init__(self, needles: Sequence[bytes]) -> None:
        self._needles = needles
        self._short = [at for at, needle in enumerate(needles) if len(needle) < _GRAM]
        self._by_gram: dict[bytes, list[int]] = {}
        for number, needle in enumerate(needles):
            if len(needle) >= _GRAM:
                middle = (len(needle) - _GRAM) // 2
                gram = needle[middle : middle + _GRAM]
                self._by_gram.setdefault(gram, []).append(number)

    def ends(self, text: bytes) -> tuple[Ids, Ids]:
        numbers: list[int] = []
        ends: list[int] = []
        grams = {text[at : at + _GRAM] for at in range(len(text) - _GRAM + 1)}
        asked = [number for gram in self._by_gram.keys() & grams for number in self._by_gram[gram]]
        for number in (*self._short, *asked):
            needle = self._needles[number]
            at = text.find(needle)
            while at >= 0:
                numbers.append(number)
                ends.append(at + len(needle))
                at = text.find(needle, at + 1)
        return (np.array(numbers), np.array(ends)) if numbers else (_NONE, _NONE)


def _scanned(database: hyperscan.Database, text: Text) -> tuple[Ids, Ids]:
    numbers: list[int] = []
    ends: list[int] = []
    add_number, add_end = numbers.append, ends.append

    def on_match(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
        add_number(number)
        add_end(end)

    database.scan(text, match_event_handler=on_match)
    return (np.array(numbers), np.array(ends)) if numbers else (_NONE, _NONE)


def _compiled(needles: Sequence[bytes]) -> hyperscan.Database:
    database = hyperscan.Database()
    database.compile(
        expressions=list(needles),
        ids=list(range(len(needles))),
        elements=len(needles),
        flags=[0] * len(needles),
        literal=True,
    )
    return database


@lru_cache(maxsize=1)
def _platform() -> str:
    """Hyperscan's version and the processor's features it compiles for."""
    return repr(_compiled([b"tocsin"]).info())
